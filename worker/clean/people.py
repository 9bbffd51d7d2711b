"""Bylines -> people. Agencies and desks are never people; an agency is returned as the provider."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

import msgspec

from worker.clean.byline_words import names_alone
from worker.clean.text import clean_line
from worker.model import Author

# News agencies as they sign (IPTC and EANA member lists); compared in lower case.
AGENCIES = frozenset(
    [
        "reuters",
        "thomson reuters",
        "ap",
        "associated press",
        "the associated press",
        "afp",
        "agence france-presse",
        "dpa",
        "deutsche presse-agentur",
        "dpa-afx",
        "dpa-infocom",
        "austria presse agentur",
        "afp deutschland",
        "kathpress",
        "agencia efe",
        "agencias",
        "tnn",
        "epd",
        "kna",
        "apa",
        "sid",
        "keystone-sda",
        "sda",
        "ats",
        "ansa",
        "efe",
        "europa press",
        "lusa",
        "ap news",
        "upi",
        "bloomberg",
        "bloomberg news",
        "xinhua",
        "tass",
        "interfax",
        "ria novosti",
        "kyodo",
        "kyodo news",
        "jiji press",
        "yonhap",
        "pti",
        "ani",
        "ians",
        "aap",
        "pa",
        "pa media",
        "press association",
        "pa news agency",
        "canadian press",
        "the canadian press",
        "tt",
        "ntb",
        "ritzau",
        "stt",
        "belga",
        "anp",
        "pap",
        "ctk",
        "mti",
        "agerpres",
        "ap photo",
        "press trust of india",
        "united news of india",
        "asian news international",
        "tidningarnas telegrambyrå",
        "norsk telegrambyrå",
        "ritzaus bureau",
        "suomen tietotoimisto",
        "algemeen nederlands persbureau",
        "česká tisková kancelář",
        "polska agencja prasowa",
        "magyar távirati iroda",
        "australian associated press",
        "swiss telegraphic agency",
        "agencia télam",
        "xinhua news agency",
        "jiji",
        "antara news",
        "bta",
        "čtk",
        "tasr",
        "tanjug",
        "belta",
        "ukrinform",
        "kazinform",
        "azertac",
        "armenpress",
        "irna",
        "wam",
        "kuna",
        "télam",
        "telam",
        "notimex",
        "prensa latina",
        "agência lusa",
        "agência brasil",
        "adnkronos",
        "lapresse",
        "keystone-ats",
        "agence belga",
        "la presse canadienne",
        "prnewswire",
        "pr newswire",
        "business wire",
        "globenewswire",
        "тасс",
        "риа новости",
        "интерфакс",
        "укринформ",
        "белта",
        "бта",
        "απε-μπε",
        "وام",
        "واس",
        "قنا",
        "كونا",
        "رويترز",
        "أ ف ب",
        "فرانس برس",
        "الأناضول",
        "ایرنا",
        "भाषा",
        "पीटीआई",
        "वार्ता",
        "新华社",
        "新華社",
        "中新社",
        "中央社",
        "共同",
        "共同通信",
        "時事",
        "時事通信",
        "연합뉴스",
        "뉴시스",
        "뉴스1",
        "hina",
        "anadolu agency",
        "anadolu ajansı",
        "dha",
        "aa",
        "bernama",
        "antara",
        "news agencies",
        "agencies",
        "wire services",
        "cnn newsource",
        "sputnik international",
    ]
)
_LONG_AGENCIES = frozenset(name for name in AGENCIES if " " in name)
_GLUED_AGENCY = re.compile(
    r"(?P<name>\S+ \S.*?)\.? (?P<agency>(?:the )?(?:"
    + "|".join(re.escape(name) for name in sorted(AGENCIES) if len(name) > 5 and name != "agencies")
    + "))",
    re.IGNORECASE,
)
"""`Ann Roe Associated Press`, where a line break was lost."""
# A prefix that announces names, in the languages most feeds come in.
BYLINE_PREFIX = re.compile(
    r"^(?:written by|reported by|by|"
    r"vo[nm](?: unsere[mr] (?:\w+-)?(?:Korrespondent(?:en|in)|Mitarbeiter(?:in)?|Redakteur(?:in)?|Reporter(?:in)?))?|"
    r"par|por|di|af|av|door|от|автор|yazan|oleh|texte?)\s*:?\s+|"
    r"^(?:muhabir|haber|reporter|correspondent|corresponsal|του|της)\s*[:：]\s*|^(?:του|της)\s+|"
    r"^(?:文|作者|記者|记者|取材)\s*[:：/／ ]\s*|^(?:本报)?记者(?=[\u4e00-\u9fff]{2,4}$)",
    re.IGNORECASE,
)
# Where somebody reports from: `JANE DOE in Leeds`.
_FROM_PLACE = re.compile(r"(?<=\w)\s+(?:in|from|aus|à)\s+[^\W\d_a-z]\w.*$")
# What Korean and Japanese papers call a reporter, behind the name; an agency's mark before it: `NTB-Ola Nordmann`.
_CALLED = re.compile(r"(?<=[가-힣])\s*(?:기자|특파원)$|(?<=[\u4e00-\u9fff]{2})記者$")
_MARKED = re.compile(r"(?P<agency>[A-ZÅÄÖ]{2,5})[-/](?P<name>[^\W\d_]\w+ \w.*)")
_BETWEEN_NAMES = re.compile(
    r"\s*[;,&|/、，／]\s*|\s+(?:and|und|et|y|og|och|en|ve|и|та|și|και|و|with)\s+|\s+e\s+(?=[A-ZÀ-Þ])|"
    # Words that are also initials, particles or parts of one name: only before a whole name.
    r"(?-i:\s+(?:i|a|ja|és|si|dan)\s+(?=[^\W\d_a-zß-öø-ÿ]\w+ [^\W\d_a-zß-öø-ÿ]))|"
    r"\s+(?:avec|mit|con|met|com|med)\s+(?=(?:l['’])?(?:afp|ap|reuters|dpa|efe|ansa|anp|lusa|ritzau|ntb|tt|apa|sda|epd)\b)",
    re.IGNORECASE,
)
_CONJUNCTION = re.compile(r"\s+\w+\s+|\s*&\s*")
_NO_NAME_WORD = re.compile(
    r"\b(?:staff|redaktion|rédaction|redacción|redazione|redação|editors?|editorial|newsroom|news desk|desk|team|"
    r"admin|webmaster|correspondents?|reporters?|writers?|contributors?|journalist|services?|agency|agentur|"
    r"bureau chief|columnist|reporter|guest|press release|news|online|tv|magazine|view|archive|rss|feed|"
    r"profile|quelle|datum|written|publiziert|jobs|login|reviewers?|sponsored|gesponserte|share|follow|folgen|teilen|print|spotlight|read|"
    r"manager|director|founder|co-founder|ceo|cto|cfo|officer|president|specialist|coordinator|consultant|"
    r"analyst|producer|photographer|fotos?|photos?|marketing|university|college|institute|department|"
    r"foundation|association|company|inc|llc|agência|agencia|agence|agenzia|jornal|polizei|"
    r"super ?user|administrator|publisher|"
    r"ministry|\w*ministerium|ministère|ministerio|party|partei|\w*fraktion|\w*verband|verein|stiftung|sekretariat|"
    r"bundesamt|behörde|universität|hochschule|universidad|universidade|université|instituto|fundación|rotes kreuz|"
    r"council|committee|society|federation|commission|hospital|government|gobierno|"
    r"articles|posts|meldungen|required|e-?mail|updated|uppdaterad|oppdatert|opdateret|actualizado|aggiornato|aktualisiert|"
    r"корр|корреспондент|обозреватель|συντακτική|συντακτικη|редакция|ब्यूरो|gmbh|ltd|chefredakteur(?:in)?|redakteur(?:in)?|autor(?:in)?)\b",
    re.IGNORECASE,
)
_NO_NAME = re.compile(
    r"[@<>{}\[\]=\d]|https?:|www\.|\.(?:com|org|net)\b|"
    r"(?-i:^[a-z\d-]{2,}(?:\.[a-z\d-]+)*\.[a-z]{2,10}$)|"
    r"^the\s|\b(?:privacy|cookies?) policy\b|"
    r"\s(?:January|February|September|October|November|December|Januar|Februar|Oktober|Dezember)$|"
    r"^(?:January|February|March|June|July|August|September|October|November|December|Januar|Februar|März|Juni|Juli|"
    r"Oktober|Dezember|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|"
    r"janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre)$",
    re.IGNORECASE,
)
NOBODY = re.compile(
    r"(?:the |guest |default |test )?(?:names?|authors?|user(?:name)?|unknown|undefined|none|null|n/?a|default|root|"
    r"publisher)|your name|desconocido|inconnu|unbekannt|sconosciuto|onbekend|неизвестен|未知|无|网友|"
    r"发布于|发布时间|来源|更新时间|查看更多|原创",
    re.IGNORECASE,
)
"""What site software and forms write where nobody is named, and labels beside that place."""
_CHINESE_REPORTERS = re.compile(
    r"(?P<outlet>[\u4e00-\u9fff]{2,8}?)?(?:实习|见习|特约)?(?:记者|通讯员)\s*[:：\s]\s*"
    r"(?P<names>[\u4e00-\u9fff]{2,4}(?:[\s、，]+[\u4e00-\u9fff]{2,4})*)"
)
"""`新华社记者 李明 王芳`: an outlet, the word for reporter, and names apart by spaces."""
# Degrees and professional letters after a name: `Ann Roe, MD`.
_LETTERS = re.compile(
    r"(?:M\.?D|Ph\.?D|D\.?O|R\.?N|R\.?D|D\.?V\.?M|J\.?D|M\.?A|M\.?S|M\.?B\.?A|B\.?A|B\.?Sc|M\.?Sc|CPA|CFP|Esq|Jr|Sr|"
    r"FACLM|LCSW|MPH|RDN|LMFT|NP)\.?(?:\s+[A-Z]{2,6}\.?)*"
)
_DASH_ROLE = re.compile(r"(?P<name>\S+ \S.*?)\s+[-–—•·]\s+(?P<rest>.+)")
_ROLE_OF = re.compile(r"\b(?:of|for|at)\s", re.IGNORECASE)
"""What a role is of, which a conjunction may go on with: `Head of Kilns and Glazes`."""
_ADDRESS = re.compile(r"https?://\S+|[(<]?\b[^\s()<>@]+@[^\s()<>@]+\.[A-Za-z]{2,}\b[)>]?")
_LONGEST_NAME_CHARACTERS, _MOST_WORDS = 60, 6
_MOST_NAMES = 50


class Byline(msgspec.Struct, frozen=True):
    """The people a byline names, in order, and the agency it names, if any."""

    people: tuple[Author, ...] = ()
    provider: str | None = None


def parse_byline(text: str, role: str | None = None) -> Byline:
    """`By Jane Doe and Tom Lee, Staff Writers (Reuters)` -> two people and the provider Reuters.

    `role` is given to each person.
    """
    line = BYLINE_PREFIX.sub("", names_alone(_ADDRESS.sub(" ", clean_line(text)).strip()))
    if reporters := _CHINESE_REPORTERS.fullmatch(line):
        named = tuple(Author(name=name, role=role) for name in re.split(r"[\s、，]+", reporters["names"]))
        return Byline(named, reporters["outlet"] if is_agency(reporters["outlet"] or "") else None)
    people: dict[str, Author] = {}
    provider: str | None = None
    after_whole = in_role = False
    for part, before in _parts(line.replace("(", ",").replace(")", ",")):
        apart = "," in before or before.strip() == "en"
        name = BYLINE_PREFIX.sub("", part.strip(" .:-–—|•·*\"'“”"))
        name = _DASH_ROLE.sub(_role_cut, _once(name))
        if (marked := _MARKED.fullmatch(name)) and is_agency(marked["agency"]):
            name, provider = marked["name"], provider or marked["agency"]
        name = _without_place(_CALLED.sub("", name))
        if glued := _GLUED_AGENCY.fullmatch(name):
            name, provider = glued["name"], provider or glued["agency"]
        in_role = in_role if _CONJUNCTION.fullmatch(before) else apart and after_whole and bool(_ROLE_OF.search(name))
        if in_role and not is_agency(name):
            continue
        if is_agency(name):
            provider = provider or name
        elif is_person_name(name) and not (apart and after_whole and _is_place_like(name)):
            people.setdefault(name.casefold(), Author(name=_natural_case(name), role=role))
        after_whole = after_whole or " " in name or bool(_NO_NAME.search(name))
    return Byline(tuple(people.values()), provider)


def _parts(line: str) -> Iterator[tuple[str, str]]:
    """The parts of a byline, each with what stands before it."""
    start, before = 0, ""
    for cut in islice(_BETWEEN_NAMES.finditer(line), _MOST_NAMES):
        yield line[start : cut.start()], before
        start, before = cut.end(), cut.group()
    yield line[start:], before


def _role_cut(found: re.Match[str]) -> str:
    """`Ann Roe - Staff reporter` -> `Ann Roe`; two names stay as they are."""
    return found["name"] if _NO_NAME_WORD.search(found["rest"]) or is_agency(found["rest"]) else found.group()


def _once(name: str) -> str:
    """`Ann Roe Ann Roe` -> `Ann Roe`."""
    words = name.split()
    half = len(words) // 2
    return " ".join(words[:half]) if half > 1 and words[:half] == words[half:] else name


def _without_place(name: str) -> str:
    """`JANE DOE in Leeds` -> `JANE DOE`; an agency's office, or one word, stays as it is."""
    found = _FROM_PLACE.search(name)
    whole = name[: found.start()] if found else ""
    return whole if " " in whole and is_person_name(whole) and not is_agency(whole) else name


def _is_place_like(name: str) -> bool:
    """One word after a comma behind a whole name says where or what: `Ann Roe, Berlin`, `Ann Roe, CFP®`."""
    return " " not in name and name[:1].isupper()


def is_agency(name: str) -> bool:
    """Whether a name is a news agency's, with or without where it reports from (`Associated Press in Valencia`)."""
    return name.casefold() in AGENCIES or name.casefold().partition(" in ")[0] in _LONG_AGENCIES


def is_person_name(name: str) -> bool:
    """Whether a text could be a person's name: no address, no number, no role, not a sentence."""
    if _LETTERS.fullmatch(name) or NOBODY.fullmatch(name) or BYLINE_PREFIX.fullmatch(f"{name} "):
        return False
    if not 2 <= len(name) <= _LONGEST_NAME_CHARACTERS or len(name.split()) > _MOST_WORDS:
        return False
    return bool(re.search(r"[^\W\d_]", name)) and not _NO_NAME.search(name) and not _NO_NAME_WORD.search(name)


def _natural_case(name: str) -> str:
    """`JANE DOE` -> `Jane Doe`; anything else as it is."""
    return name.title() if name.isupper() and " " in name and name.isascii() else name
