"""What agencies call the fields of an article in XML of their own, in the languages of many countries."""

from __future__ import annotations

NAMES: dict[str, tuple[str, ...]] = {
    "body": (
        *("bodytext", "articlebody", "contenttext", "storybody", "storytext", "articletext", "fulltext", "bodyhtml"),
        *("bodycontent", "maintext", "newstext", "body", "story", "content", "text", "contents", "newscontent"),
        *("brodtekst", "brødtekst", "brodtext", "cuerpo", "texto", "corps", "texte", "corpo", "testo", "tekst"),
        *("haupttext", "fliesstext", "inhalt", "contenido", "contenu", "tresc", "treść", "leipateksti", "metin"),
        *("szoveg", "szöveg", "brødtext", "artikeltext", "zneni", "znění"),
    ),
    "headline": (
        *("headline", "hedline", "headlinetext", "hl1", "head", "title", "newstitle", "articletitle", "storytitle"),
        *("titulo", "título", "titular", "titre", "titolo", "titel", "tittel", "rubrik", "tytul", "tytuł", "titulek"),
        *("ueberschrift", "überschrift", "schlagzeile", "otsikko", "naslov", "cim", "cím", "subject", "baslik"),
        *("başlık", "nadpis", "virsraksts", "antraste", "pealkiri", "zagolovok", "nagłowek"),
    ),
    "subheadline": (
        *("subheadline", "subhead", "subtitle", "deck", "headline2", "kicker", "standfirst", "untertitel"),
        *("subtitulo", "sottotitolo", "soustitre", "subtítulo", "undertitel", "undertittel", "underrubrik"),
        *("podtytul", "alcim", "altbaslik"),
    ),
    "abstract": (
        *("abstract", "summary", "leadtext", "lead", "teaser", "description", "intro", "contentshort", "resume"),
        *("ingress", "vorspann", "chapo", "entradilla", "sommario", "perex", "ozet", "özet", "ingressi", "resumen"),
        *("résumé", "resumo", "bajada", "zajawka", "anons", "chapeau", "lid"),
    ),
    "byline": (
        *("byline", "author", "authors", "authorname", "writer", "creator", "autor", "auteur", "autore", "firma"),
        *("signature", "yazar", "kirjoittaja", "szerzo", "szerző", "forfatter", "skribent", "verfasser", "redakteur"),
        *("auteurs", "autores", "autori", "signatura"),
    ),
    "dateline": ("dateline", "town", "city", "place"),
    "provider": (
        *("provider", "agency", "credit", "creditline", "source", "publisher", "origin", "sourcename", "agencia"),
        *("agence", "agentur", "agenzia", "fuente", "fonte", "quelle", "kaynak", "byra", "byrå"),
    ),
    "guid": (
        *("guid", "uuid", "newsid", "articleid", "storyid", "contentitemid", "newsitemid", "itemid", "docid"),
        *("documentid", "uniqueid", "ntbid", "id"),
    ),
    "url": ("url", "link", "longurl", "permalink", "weburl", "canonicalurl"),
    "published": (
        *("publishdate", "publicationdate", "publisheddate", "publisheddatetime", "datepublished", "publishedat"),
        *("publishdatetime", "pubdate", "published", "firstcreated", "createddatetime", "createddate", "datecreated"),
        *("releasedate", "issuedate", "datetime", "date", "timestamp", "time", "created", "updateddatetime", "fecha"),
        *("fechapublicacion", "datepublication", "datum", "veroeffentlicht", "veröffentlicht", "erscheinungsdatum"),
        *("dato", "publicerad", "publisert", "udgivet", "julkaistu", "tarih", "yayintarihi", "dataora"),
        *("datapubblicazione", "datapublicacao", "datapublikacji", "datavydani", "datetimepublished", "fechahora"),
        "data",
    ),
    "updated": (
        *("updateddatetime", "updated", "updatedat", "versioncreated", "modified", "modifieddate", "lastmodified"),
        *("datemodified", "updatedate", "lastupdate", "fechaactualizacion", "fechamodificacion", "datemodification"),
        *("datemiseajour", "geaendert", "aktualisiert", "aggiornato", "atualizado", "uppdaterad", "oppdatert"),
        "opdateret",
    ),
    "language": ("language", "lang", "languagecode", "idioma", "langue", "sprache", "lingua", "sprak", "jezyk"),
    "urgency": ("urgency", "priority"),
    "sections": (
        *("section", "category", "categories", "desk", "seccion", "sección", "rubrique", "ressort", "sezione"),
        *("secao", "seção", "kategori", "dzial", "rubrika"),
    ),
    "keywords": (
        *("keywords", "keyword", "tags", "tag", "slug", "slugproper", "slugline", "palabrasclave", "motscles"),
        *("schlagworte", "schlagwoerter", "stichworte", "etiquetas", "parolechiave"),
    ),
    "embargo": ("embargo", "embargotime", "embargodate", "embargoed"),
    "status": ("status", "pubstatus", "publishstatus", "publicationstatus", "newsstatus"),
    "copyright": ("copyright", "copyrightnotice", "rights"),
}
"""Field of a record -> names of elements, most telling first; compared without case and separators."""
