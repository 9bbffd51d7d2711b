"""News wires: what the golden pairs cannot show — hostile and damaged input, members, identity."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from worker.model import Article, Document, Refusal
from worker.parse.document import parse_document

DATA = Path(__file__).parent / "data" / "parse"
FORMATS = ("newsml1", "newsml_g2", "nitf", "ninjs", "digitalwires", "line_text", "reuters_sgml", "xml_article")
FILES = sorted(path for name in FORMATS for path in (DATA / name).iterdir() if not path.name.endswith(".expect.json"))
DOCUMENT = Document(source_id="wire", origin="wire", received_at=datetime(2025, 6, 1, tzinfo=UTC))
MUTATIONS = 150


def parse(content: bytes | str, document: Document = DOCUMENT) -> list[Article | Refusal]:
    return parse_document(document, content.encode() if isinstance(content, str) else content)


def article(content: bytes | str) -> Article:
    (found,) = parse(content)
    assert isinstance(found, Article), found
    return found


def nitf(body: str, prologue: str = "") -> str:
    return (
        f"{prologue}<nitf><body><body.head><hedline><hl1>Kiln</hl1></hedline></body.head>"
        f"<body.content>{body}</body.content></body></nitf>"
    )


def mutate(content: bytes, randomness: random.Random) -> bytes:
    """Content with a piece cut out, doubled, moved or overwritten."""
    start, end = sorted(randomness.randrange(len(content) + 1) for _ in range(2))
    piece = content[start:end]
    kind = randomness.randrange(5)
    if kind == 0:
        return content[:start] + content[end:]
    if kind == 1:
        return content[:end] + piece + content[end:]
    if kind == 2:
        return content[: max(1, end)]
    if kind == 3:
        return content[:start] + bytes(randomness.randrange(256) for _ in range(8)) + content[start + 8 :]
    return content[end:] + piece + content[:start]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_damage_gives_articles_or_refusals_and_no_bug(path: Path) -> None:
    randomness = random.Random(path.name)
    for _ in range(MUTATIONS):
        damaged = mutate(path.read_bytes(), randomness)
        codes = {found.code for found in parse(damaged) if isinstance(found, Refusal)}
        assert "parse_error" not in codes, damaged


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_member_of_a_container_keeps_its_name(path: Path) -> None:
    found = parse(path.read_bytes(), replace(DOCUMENT, member="inner/wire"))
    several = [f"inner/wire/{index}" for index in range(len(found))]
    assert [item.member for item in found] == (several if len(found) > 1 else ["inner/wire"])


def test_only_external_parameter_entities_are_let_pass() -> None:
    outer = '<!ENTITY % nitf SYSTEM "nitf-3-0.dtd"> %nitf;'
    assert article(nitf("<p>Burns.</p>", f"<!DOCTYPE nitf [{outer}]>")).body_text == "Burns."
    for inner in (
        '<!ENTITY a "b">',
        "<!ENTITY % a \"<!ENTITY b SYSTEM 'file:///x'>\">",
        '<!ENTITY a SYSTEM "file:///x">',
    ):
        (refused,) = parse(nitf("<p>&a;</p>", f"<!DOCTYPE nitf [{outer}{inner}]>"))
        assert isinstance(refused, Refusal)
        assert refused.code == "entity_declaration"


def test_what_a_document_type_names_is_never_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.dtd"
    secret.write_text("<!ENTITY a 'SECRET'>")
    for name in (secret.as_uri(), str(secret)):
        found = article(nitf("<p>Burns &a; on.</p>", f'<!DOCTYPE nitf SYSTEM "{name}">'))
        assert found.body_text == "Burns &a; on."


def test_html_names_are_characters_outside_of_cdata() -> None:
    found = article(nitf("<p>caf&eacute; &lt;b&gt; &nosuch; <![CDATA[&eacute;]]></p>"))
    assert found.body_text == "café <b> &nosuch; &eacute;"


def test_references_to_forbidden_characters_are_spaces() -> None:
    found = article(nitf("<p>a&#5;b&#xD800;c&#xFFFF;d&#0;e&#99999999999;f&#x41;g<![CDATA[&#xD800;]]></p>"))
    assert found.body_text == "a b c d e fAg"
    assert found.warnings == ("language_uncertain",)


def test_the_declared_encoding_is_checked_against_the_bytes() -> None:
    lying = '<?xml version="1.0" encoding="iso-8859-1"?>' + nitf("<p>Café crème brûlée</p>")
    found = article(lying)
    assert found.body_text == "Café crème brûlée"
    assert "encoding_declared_wrong" in found.warnings


def test_deep_nesting_costs_no_crash() -> None:
    deep = nitf("<em>" * 20_000 + "Burns." + "</em>" * 20_000)
    assert [type(found) for found in parse(deep)] in ([Article], [Refusal])


def test_no_markup_of_a_wire_is_active() -> None:
    found = article(nitf('<p>Burns <a href="javascript:evil()">now</a></p><script>evil()</script>'))
    assert found.body_text == "Burns now"
    assert "evil" not in (found.body_html or "")


def newsml(revision: int, head: str) -> str:
    return f"""<NewsML><NewsItem><Identification><NewsIdentifier><ProviderId>valley.example</ProviderId>
<DateId>20250503</DateId><NewsItemId>7</NewsItemId><RevisionId>{revision}</RevisionId>
<PublicIdentifier>urn:newsml:valley.example:20250503:7:{revision}N</PublicIdentifier></NewsIdentifier></Identification>
<NewsManagement/><NewsComponent><NewsLines><HeadLine>{head}</HeadLine></NewsLines></NewsComponent></NewsItem></NewsML>"""


def test_a_revision_has_the_guid_of_its_item() -> None:
    assert article(newsml(1, "Kiln lit")).guid == article(newsml(2, "Kiln relit")).guid


@pytest.mark.parametrize(
    ("head", "withdrawn", "warnings"),
    [
        ("KILL: Kiln relit", True, {"withdrawn"}),
        ("ADVISORY-KILL Kiln relit", True, {"withdrawn"}),
        ("CORRECTED-Kiln relit", False, {"correction"}),
        ("(CORRECTION) Four rallumé", False, {"correction"}),
        ("Kill switch stops kiln", False, set[str]()),
        ("Corrections officer relights kiln", False, set[str]()),
    ],
)
def test_notices_are_told_by_their_headline(head: str, withdrawn: bool, warnings: set[str]) -> None:  # noqa: FBT001
    found = article(newsml(1, head))
    assert found.withdrawn is withdrawn
    assert set(found.warnings) & {"withdrawn", "correction"} == warnings


def test_plain_json_articles_are_not_taken_for_wires() -> None:
    found = article('{"headline": "Kiln", "body": "The kiln burns.", "published": "2025-05-03T18:30:00Z"}')
    assert found.extraction is not None
    assert found.extraction.parser == "json"


MANY = 200_000
HOSTILE = {
    "blank lines": b"\x01eca0003 3 i 380  dpa\n\x02Head =\n" + b"\n" * MANY,
    "spaces": b"\x01eca0003 3 i 380  dpa\n\x02Head =\nText\x03031830" + b" " * MANY,
    "lines of a paragraph": b"\x16\x16\x01V4644\x1fxx\nr e\x13\x11\n\x02^a<\n  x" + b"a\n" * MANY,
    "slug": b"\x16\x16\x01V4644\x1fxx\nr e\x13\x11\n\x02^" + b"-a" * MANY + b"<\n",
    "no text": b"\x01" + b"a " * MANY + b"\x02x",
    "open sections": b'<?xml version="1.0"?><nitf>' + b"<![CDATA[" * MANY,
    "nested items": b"<NewsML>" + b"<NewsItem>" * 200 + b"<a/>" * MANY + b"</NewsItem>" * 200 + b"</NewsML>",
    "open elements": b'<!DOCTYPE lewis SYSTEM "l"><x><REUTERS>' + b"<TEXT><TITLE>" * MANY + b"</TEXT></REUTERS>",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.timeout(60)
def test_no_input_costs_time_that_grows_with_its_square(content: bytes) -> None:
    assert all(isinstance(found, Article) or found.code == "no_article" for found in parse(content))


def test_a_prefix_declared_nowhere_hides_no_element() -> None:
    content = nitf("<x:p>The kiln burns.</x:p><p>It cools.</p>").replace("<hedline>", "<x:hedline>")
    found = article(content.replace("</hedline>", "</x:hedline>"))
    assert found.headline == "Kiln"
    assert found.body_text == "The kiln burns.\n\nIt cools."
