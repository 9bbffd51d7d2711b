"""What agencies do with the standards for wires: one small message for each rule."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from worker.clean.people import parse_byline
from worker.model import Article, Document
from worker.parse.document import parse_document

DOCUMENT = Document(source_id="wire", origin="wire", received_at=datetime(2025, 6, 5, tzinfo=UTC))
TEXT = "<p>The kiln é was relit on Tuesday.</p><p>It had been cold for years.</p>"
PARAGRAPHS = "The kiln é was relit on Tuesday.\n\nIt had been cold for years."
ISSUED = datetime(2025, 6, 3, 10, 15, tzinfo=UTC)
CREATED, CHANGED = "2025-06-03T10:15:00Z", "2025-06-03T11:45:00Z"


def article(content: str) -> Article:
    (found,) = parse_document(DOCUMENT, content.encode())
    assert isinstance(found, Article), found
    return found


def facts(found: Article, wanted: dict[str, Any]) -> dict[str, Any]:
    """The fields that are wanted, authors by their names, warnings as far as they are wanted."""
    values = {name: getattr(found, name) for name in wanted}
    if "authors" in wanted:
        values["authors"] = [author.name for author in found.authors]
    if "warnings" in wanted:
        values["warnings"] = [code for code in wanted["warnings"] if code in found.warnings]
    return values


def base64_of(text: str, encoding: str) -> str:
    return base64.encodebytes(text.encode(encoding)).decode()


def newsml(content: str, lines: str = "") -> str:
    return (
        f"<NewsML><NewsItem><NewsComponent><NewsLines><HeadLine>Kiln relit</HeadLine>{lines}</NewsLines><ContentItem>"
        f'<MediaType FormalName="Text"/>{content}</ContentItem></NewsComponent></NewsItem></NewsML>'
    )


def g2(
    meta: str = "", about: str = "<headline>Kiln relit</headline>", content: str = f"<inlineXML>{TEXT}</inlineXML>"
) -> str:
    return (
        '<newsItem xmlns="http://iptc.org/std/nar/2006-10-01/" guid="urn:x:1" version="2">'
        f"<itemMeta>{meta}</itemMeta><contentMeta>{about}</contentMeta><contentSet>{content}</contentSet></newsItem>"
    )


def nitf(data: str = "", end: str = "") -> str:
    return (
        f'<nitf><head><docdata><date.issue norm="20250603T101500Z"/>{data}</docdata></head><body><body.head><hedline>'
        f"<hl1>Kiln relit</hl1></hedline></body.head><body.content>{TEXT}</body.content>{end}</body></nitf>"
    )


def ninjs(**fields: Any) -> str:
    return json.dumps({"uri": "urn:x:1", "type": "text", "versioncreated": CHANGED, "pubstatus": "usable", **fields})


def anpa(lines: str, text: str = "   It burns.\n") -> str:
    return f"\x01V4644\x1f-----\nr e\x13\x11 BC-Kiln 06-03 0121\n\x02{lines}{text}\x03AP-WF-06-03-25 1015GMT<\x04"


def iptc(text: str) -> str:
    return f"\x01eca0003 3 i 380  dpa 0045\n\x02{text}\x03031215 GMT Jun 25\n\x04"


APPL = (
    "<publication><Identification><ItemId>abc</ItemId><DefaultLanguage>en-us</DefaultLanguage></Identification>"
    '<PublicationManagement><FilingType>Text</FilingType><FirstCreated Year="2025" Month="6" Day="3" Time="10:15:00"/>'
    "<ArrivalDateTime>2025-06-03T11:45:00</ArrivalDateTime><Status>Usable</Status></PublicationManagement>"
    "<NewsLines><HeadLine>Kiln relit</HeadLine><ByLine>By ANN ROE</ByLine></NewsLines>"
    "<AdministrativeMetadata><Provider>AP</Provider></AdministrativeMetadata>"
    f'<PublicationComponent Role="Main"><TextContentItem><DataContent><nitf><body.content>{TEXT}</body.content></nitf>'
    '</DataContent></TextContentItem></PublicationComponent><PublicationComponent Role="Caption"><TextContentItem>'
    "<DataContent><nitf><body.content><p>A caption.</p></body.content></nitf></DataContent></TextContentItem>"
    "</PublicationComponent></publication>"
)


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        pytest.param(
            newsml(f'<Encoding Notation="base64"><DataContent>{base64_of(TEXT, "latin-1")}</DataContent></Encoding>'),
            {"body_text": PARAGRAPHS},
            id="newsml-base64-of-any-encoding",
        ),
        pytest.param(
            newsml("<DataContent>It burns.</DataContent>", "<CreditLine>EFE</CreditLine>"),
            {"provider": "EFE"},
            id="newsml-credit-line",
        ),
        pytest.param(
            g2(content=f'<inlineData encoding="base64">{base64_of(TEXT, "utf-8")}</inlineData>'),
            {"body_text": PARAGRAPHS},
            id="g2-base64",
        ),
        pytest.param(g2("<embargoed/>"), {"warnings": ["embargoed"]}, id="g2-embargo-without-end"),
        pytest.param(
            g2('<edNote role="ednoterole:corr">Der Ort.</edNote>'), {"warnings": ["correction"]}, id="g2-note-by-role"
        ),
        pytest.param(
            g2(about='<language tag="de"/><headline xml:lang="en">A</headline><headline xml:lang="de">Ofen</headline>'),
            {"headline": "Ofen", "subheadline": None},
            id="g2-headline-in-the-language-of-the-text",
        ),
        pytest.param(
            g2(about='<headline>Ofen</headline><creator type="cpnat:person"><name>Anna</name></creator>'),
            {"authors": ["Anna"]},
            id="g2-declared-person-of-one-name",
        ),
        pytest.param(nitf(end="<body.end><tagline>jd/tl</tagline></body.end>"), {"authors": []}, id="nitf-initials"),
        pytest.param(
            nitf('<date.release norm="20250606T101500Z"/>'),
            {"warnings": ["embargo_until:2025-06-06T10:15:00Z"], "published_at": ISSUED},
            id="nitf-release-ahead-is-an-embargo",
        ),
        pytest.param(
            nitf().replace("</docdata>", '</docdata><revision-history norm="20250603T114500Z"/>'),
            {"updated_at": datetime(2025, 6, 3, 11, 45, tzinfo=UTC)},
            id="nitf-revision",
        ),
        pytest.param(
            APPL,
            {
                "guid": "abc",
                "headline": "Kiln relit",
                "authors": ["Ann Roe"],
                "provider": "AP",
                "language": "en-US",
                "body_text": PARAGRAPHS,
                "published_at": ISSUED,
                "updated_at": datetime(2025, 6, 3, 11, 45, tzinfo=UTC),
            },
            id="appl",
        ),
        pytest.param(
            ninjs(
                headlines=[{"role": "short", "value": "Kiln"}, {"role": "main", "value": "Kiln relit"}],
                bodies=[{"role": "summary", "value": "Short."}, {"role": "main", "value": TEXT}],
            ),
            {"headline": "Kiln relit", "body_text": PARAGRAPHS},
            id="ninjs-main-of-several",
        ),
        pytest.param(
            json.dumps({"uri": "urn:x:1", "type": "text", "versionCreated": CHANGED, "firstCreated": CREATED}
                | {"pubStatus": "usable", "headlines": [{"value": "Kiln relit"}], "infoSources": [{"name": "TT"}]}),
            {"provider": "TT", "published_at": ISSUED},
            id="ninjs-3-names",
        ),
        pytest.param(ninjs(pubstatus="canceled"), {"guid": "urn:x:1", "withdrawn": True}, id="ninjs-bare-kill"),
        pytest.param(ninjs(headline="Ugn", located="Kiruna"), {"places": ("Kiruna",)}, id="ninjs-located"),
        pytest.param(
            ninjs(headline="Ugn", ednote="RÄTTELSE: orten"), {"warnings": ["correction"]}, id="ninjs-swedish-correction"
        ),
        pytest.param(
            nitf().replace(
                "</hedline>",
                "</hedline><byline><person><name.given>Ann</name.given><name.family>Roe</name.family></person></byline>"
                "<byline><person>Tom Lee</person></byline>",
            ),
            {"authors": ["Ann Roe", "Tom Lee"]},
            id="nitf-bylines",
        ),
        pytest.param(
            ninjs(headline="Ugn", authors=[{"name": "Ann Roe"}, {"name": "Pat Ek", "role": "photographer"}]),
            {"authors": ["Ann Roe"]},
            id="ninjs-photographer",
        ),
        pytest.param(
            g2(content="<inlineXML><p>Von Anna Berg</p><p>Köln (dpa) - Der Ofen brennt.</p></inlineXML>"),
            {"dateline": "Köln (dpa)", "provider": "dpa", "authors": ["Anna Berg"]},
            id="dateline-of-the-body",
        ),
        pytest.param(
            g2("<edNote>MANDATORY KILL of the story.</edNote>"), {"withdrawn": True}, id="kill-order-to-editors"
        ),
        pytest.param(
            g2(about="<headline>Kiln</headline><creator><name>Press Trust of India</name></creator>"),
            {"authors": [], "provider": "Press Trust of India"},
            id="agency-as-creator",
        ),
        pytest.param(
            "<noticia><titular>Arde</titular><entradilla>Diez años</entradilla><firma>Ana Ruiz</firma>"
            "<fecha>2025-06-03T12:15:00+02:00</fecha><cuerpo>El horno volvió a arder el martes.</cuerpo></noticia>",
            {"headline": "Arde", "abstract": "Diez años", "authors": ["Ana Ruiz"], "published_at": ISSUED},
            id="own-xml-in-spanish",
        ),
        pytest.param(
            "<haber><baslik>Yandı</baslik><yazar>Ayşe Demir</yazar><tarih>2025-06-03 13:15:00+03:00</tarih>"
            "<metin>Fırın salı sabahı yeniden yakıldı.</metin></haber>",
            {"headline": "Yandı", "authors": ["Ayşe Demir"], "published_at": ISSUED},
            id="own-xml-in-turkish",
        ),
        pytest.param(
            json.dumps({"response": {"results": [{"webTitle": "Kiln", "webPublicationDate": CREATED}
                | {"fields": {"body": "<p>It burns.</p>", "byline": "Ann Roe"}}]}}),
            {"headline": "Kiln", "body_text": "It burns.", "authors": ["Ann Roe"], "published_at": ISSUED},
            id="json-of-a-content-api",
        ),
        pytest.param(
            json.dumps([{"date_gmt": "2025-06-03T10:15:00", "date": "2025-06-03T12:15:00", "link": "https://x.example/1"}
                | {"title": {"rendered": "Kiln &amp; fire"}, "content": {"rendered": "<p>It burns.</p>"}}]),
            {"headline": "Kiln & fire", "body_text": "It burns.", "published_at": ISSUED},
            id="json-of-wordpress",
        ),
        pytest.param(
            "Title: Kiln relit\nAuthor: Ann Roe\nDate: 2025-06-03 10:15 UTC\n\nIt burns.\n\nFor days.\n",
            {"headline": "Kiln relit", "authors": ["Ann Roe"], "body_text": "It burns.\n\nFor days."},
            id="labelled-text",
        ),
        pytest.param(
            anpa("^BC-Kiln, 1st Ld-Writethru,0121<\n^Kiln relit\n after years<\n^By ANN ROE=<\n"),
            {"headline": "Kiln relit after years", "authors": ["Ann Roe"], "keywords": ("BC-Kiln",)},
            id="anpa-set-lines",
        ),
        pytest.param(
            anpa("^HOLD FOR RELEASE 6 p.m. EDT, June 8, 2025<\n^Kiln relit<\n"),
            {"headline": "Kiln relit", "warnings": ["embargoed", "embargo_until:2025-06-08T22:00:00Z"]},
            id="anpa-hold",
        ),
        pytest.param(
            anpa("^Kiln relit<\n", "   It burns<QL>\nfor days.<QL>\n   AP-WF-06-03-25 1015GMT\n"),
            {"body_text": "It burns for days."},
            id="anpa-typesetting-and-trailer",
        ),
        pytest.param(
            iptc("Riacceso il forno\n(ANSA) - ROMA, 3 GIU - Il forno e' stato riacceso\nmartedi'.\n   Era spento.\n"),
            {"headline": "Riacceso il forno", "dateline": "(ANSA) - ROMA, 3 GIU", "provider": "ANSA"},
            id="iptc-head-ends-at-the-dateline",
        ),
        pytest.param(
            iptc("SPERRFRIST 8. Juni 2025, 10.00 Uhr\nOfen brennt =\n\nDer Ofen brennt.\n"),
            {"headline": "Ofen brennt", "warnings": ["embargoed", "embargo_until:2025-06-08T10:00:00Z"]},
            id="iptc-embargo",
        ),
        pytest.param(
            '<REUTERS NEWID="1"><TEXT TYPE="BRIEF">******<TITLE>KILN RELIT</TITLE>\nBlah blah blah.\n</TEXT></REUTERS>',
            {"headline": "KILN RELIT", "body_text": ""},
            id="reuters-brief",
        ),
        pytest.param(
            '<REUTERS NEWID="1"><TEXT TYPE="UNPROC">\nKILN 1ST QTR\n net 5\n</TEXT></REUTERS>',
            {"headline": "KILN 1ST QTR"},
            id="reuters-unprocessed",
        ),
    ],
)  # fmt: skip
def test_agencies_are_understood(content: str, wanted: dict[str, Any]) -> None:
    assert facts(article(content), wanted) == wanted


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("By JANE DOE in Leeds and TOM LEE in York", ["Jane Doe", "Tom Lee"]),
        ("Von unserem Korrespondenten Hans Maier", ["Hans Maier"]),
        ("NTB-Ola Nordmann", ["Ola Nordmann"]),
        ("Muhabir: Ayşe Demir", ["Ayşe Demir"]),
        ("Του Γιώργου Παππά", ["Γιώργου Παππά"]),
        ("Иван Иванов, корр. ТАСС", ["Иван Иванов"]),
        ("홍길동 기자", ["홍길동"]),
        ("山田太郎記者", ["山田太郎"]),
    ],
)
def test_bylines_name_people_in_many_languages(line: str, names: list[str]) -> None:
    assert [person.name for person in parse_byline(line).people] == names


@pytest.mark.parametrize("word", ["ANULADA", "ANNULLARE", "ÅTERKALLAS", "INTREKKING", "АННУЛИРУЕТСЯ"])
def test_notices_in_other_languages_take_back(word: str) -> None:
    assert article(g2(about=f"<headline>{word}: Kiln</headline>")).withdrawn


@pytest.mark.parametrize("headline", ["WITHDRAWAL FROM TREATY BEGINS", "KILL BILL: THE KILN"])
def test_headlines_in_capitals_take_nothing_back(headline: str) -> None:
    assert not article(g2(about=f"<headline>{headline}</headline>")).withdrawn


def test_subjects_by_address_keep_scheme_and_code() -> None:
    about = '<headline>Ofen</headline><subject uri="http://cv.example/topic/20000345"><name>Kiln</name></subject>'
    (subject,) = article(g2(about=about)).subjects
    assert (subject.scheme, subject.code, subject.name) == ("http://cv.example/topic", "20000345", "Kiln")
