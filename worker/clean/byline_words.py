"""What stands around the names of a byline, in the languages of most feeds: labels, roles, other credits, places.

The words are those that newspapers print; none of them is a name. Where a word could be one, it counts only before a
colon or beside another sign of a byline.
"""

from __future__ import annotations

import re

_GENRES = (
    r"analys[ei]s?|opinion|review|commentary|comment|column|essay|story|report(?:ing)?|interview|words|text|"
    r"guest post|feature|explainer|editorial|perspective|article|compiled|submitted|created|posted|published|written"
)
_COLON_LABELS = (
    r"words|texts?|texte|testo|testi|texto|tekst|teksti|текст|authors?|autor(?:es|as|en|in|innen|zy|ka|ky|i|ři|e|a|)|"
    r"auteure?s?|автор(?:ы|и|ка|)|szerzők?|írta|kirjoittajat?|haber|muhabir|yazan|yazar|interview|tác giả|"
    r"piše|пише|opracowa(?:ł|ła|nie)|napsal[ai]?|redator|repórter|reporter|skribent|journalist|från|"
    r"کاتب|نویسنده|خبرنگار|گزارش|بقلم|كتب|كتبت|كتابة|تحرير|إعداد|تقرير|מאת|כתב|כתבה|द्वारा|लेखक|रिपोर्टर|"
    r"โดย|เรื่อง|ผู้เขียน|συντάκτης|επιμέλεια|ρεπορτάζ|per"
)
_PLAIN_LABELS = (
    rf"(?:an? |the )?(?:{_GENRES})\s+by|"
    r"(?:eine? )?(?:analyse|kolumne|kommentar|gast(?:kommentar|beitrag)|essay|glosse|interview|bericht|reportage|"
    r"porträt|aufgezeichnet|protokolliert|eingereicht|gespeichert)\s+von|"
    r"(?:une |un )?(?:analyse|chronique|tribune|enquête|reportage|portrait|entretien|(?:propos )?recueillis?|soumis)"
    r"\s+(?:par|de)|"
    r"(?:un['’ ])?(?:testo|intervista|analisi|articolo|commento|inviato)\s+di|"
    r"(?:texto|análisis|análise|entrevista|columna|enviado|reportagem|crónica)\s+(?:de|por)|"
    r"napsal[ai]?|írta|piše|пише|γράφ(?:ει|ουν) (?:ο|η|οι)|του|της|بقلم|كتبت?|מאת|โดย|reporting"
)
_LABEL = re.compile(
    rf"^(?:(?:{_COLON_LABELS})\s*[:：]|(?:{_PLAIN_LABELS})(?=\s*[:：]|\s))\s*[:：]?\s*(?=\S)", re.IGNORECASE
)
"""What announces names."""

_OTHER_CREDIT = re.compile(
    r"(?:\s*[,;|/·•–-]\s*|\s+)(?:(?:fotos?|photos?|pictures?|images?|photographs?|kuvat?|фото|bild(?:er)?|ფოტო|"
    r"illustrations?|grafik|graphics?|video|editing|editor|edited|foton|fotografías?|foto(?:grafie)?|zdjęcia|fotó|"
    r"redigering|recherche|lektorat)\s*(?:[:：]|\s(?:by|von|par|por|di|de|av|af)\s)|as told to\s).*$",
    re.IGNORECASE,
)
"""Who took the pictures or edited the text, after who wrote it."""

_ROLE_HEAD = (
    r"correspondents?|editors?|reporters?|writers?|columnists?|journalists?|contributors?|critics?|producers?|"
    r"commentators?|bureau chiefs?|analysts?"
)
_ROLE_OF = (
    r"chief|senior|deputy|associate|assistant|acting|political|politics|science|health|business|sports?|staff|news|"
    r"world|foreign|diplomatic|defen[cs]e|security|education|environment|climate|technology|tech|crime|legal|courts?|"
    r"affairs|home|social|royal|city|local|national|international|economics?|economy|culture|arts?|music|film|travel|"
    r"features?|investigations?|investigative|data|energy|general|contributing|special|digital|managing|executive|"
    r"europe|asia|africa|china|russia|middle|east|uk|us|eu|guest|freelance|political|religion|food|money|personal|"
    r"finance|media|consumer|football|cricket|opinion|lead|principal|and|&"
)
_ROLE = re.compile(
    rf"(?<=[^\W\d_])[,\s]+(?:(?:{_ROLE_OF})[\s-]+)*(?:{_ROLE_HEAD})(?:-in-chief)?(?:,? (?:of|for|at|in) .*)?$",
    re.IGNORECASE,
)
"""A role that runs into a name: `Ann Roe Chief Political Correspondent`."""

_OUTLET = re.compile(
    r"\b(?:times|post|tribune|herald|journal|gazette|telegraph|guardian|mail|express|observer|chronicle|standard|star|"
    r"news|press|media|network|weekly|daily|radio|tv|today|bureau|agency|staff|the)\b",
    re.IGNORECASE,
)
_FEWEST_WORDS, _MOST_WORDS = 2, 9

_PLACE = re.compile(
    r"(?<=[^\W\d_]{2})\s+(?:(?i:in|à|aus|from|из|в|w|em))\s+[^\W\d_a-zß-öø-ÿа-я][\w.'’-]+(?:[ -][^\W\d_a-z][\w.'’-]+)?"
    r"(?=\s*(?:$|[,;&|]|\s(?:and|und|et|y|e|en|og|och|и)\s))"
)
_WEEKDAY = re.compile(
    r"\s(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|(?:Mon|Tues?|Wed|Thu(?:rs)?|Fri|Sat|Sun)(?=[,.])|"
    r"(?:Mon|Diens|Donners|Frei|Sams|Sonn)tag|Mittwoch)[\s,.]+(?=\d|[A-Z][a-z]+\.? \d).*$"
)
_BRACKETED_INITIALS = re.compile(r"(?<=[^\W\d_]{2})\s*\([^\W\d_A-Z]{2,4}\.?\)")
_KOREAN_PLACE = re.compile(r"^\[[^\]]{2,20}\]\s*(?=[가-힣]{2,4}(?:\s|·|$))")
_KOREAN_ROLE = re.compile(
    r"(?<=[가-힣]{2})\s*(?:(?:선임|전문|인턴|객원|수석|취재|온라인)\s?)?(?:기자|특파원|논설위원|통신원|에디터)$"
)
_KOREAN_POINT = re.compile(r"(?<=[가-힣])\s*·\s*(?=[가-힣])")
_HAN_LABEL = re.compile(
    r"^(?:(?:本报|本報|本刊|特约|特約|见习|實習|实习)?(?:记者|記者)|作者|撰文|撰稿人?|编译|編譯|取材・文|文・写真|"
    r"文・取材|執筆者?|筆者|著者|ライター|構成)(?:\s*[:：/／]\s*|\s+|(?=[\u4e00-\u9fff]{2,4}(?:\s|[／/、，]|$)))"
)
_HAN_ROLE = re.compile(
    r"(?:\s*[／/]\s*|\s+)?(?:[\u4e00-\u9fff]{0,4}(?:報導|报道|報道|撮影|攝影|摄影))$|"
    r"(?<=[\u4e00-\u9fff]{2})(?:記者|特派員|編集委員|論説委員)$"
)
_HAN_NAMES = re.compile(r"[\u4e00-\u9fff]{2,3}(?:\s+[\u4e00-\u9fff]{2,3})+")
_NON_LATIN = re.compile("[\u3040-\u9fff\uac00-\ud7a3]")


def names_alone(line: str) -> str:
    """A byline's line -> the line without what announces the names, says who they are, or credits others."""
    if _NON_LATIN.search(line):
        return _east_asian(line)
    line = _LABEL.sub("", line)
    if " " not in line:
        return line
    line = _WEEKDAY.sub("", _OTHER_CREDIT.sub("", line))
    line = _BRACKETED_INITIALS.sub("", line)
    return _PLACE.sub("", _without_role(line))


def _without_role(line: str) -> str:
    """The line without the role at its end; `Valley Post Reporter` is no name with a role."""
    found = _ROLE.search(line)
    if found is None:
        return line
    names, role = line[: found.start()], found.group()
    set_apart = "," in role or len(role.split()) > 1
    is_name = _FEWEST_WORDS <= len(names.split()) <= _MOST_WORDS and not _OUTLET.search(names)
    return names if set_apart and is_name else line


def _east_asian(line: str) -> str:
    """Chinese, Japanese and Korean: the role follows the name, a space may stand between two names or in one."""
    line = _KOREAN_ROLE.sub("", _KOREAN_PLACE.sub("", line))
    line = _KOREAN_POINT.sub(", ", line)
    labelled = _HAN_LABEL.sub("", line)
    names = _HAN_ROLE.sub("", labelled)
    is_list = labelled != line and ("记者" in line or "記者" in line) and _HAN_NAMES.fullmatch(names)
    return ", ".join(names.split()) if is_list else names
