"""Mail: headers however broken, senders, frames around the text, and no mail that stops the rest."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.model import Article, Document, Refusal
from worker.parse.document import parse_document
from worker.parse.mail_body import find_forwarded, unflow, without_frame
from worker.parse.mail_headers import Sender, decode_words, read_sender, split_subject


def parse(content: bytes, name: str = "a.eml") -> list[Article | Refusal]:
    document = Document(source_id="test", origin=name, received_at=datetime(2025, 6, 1, tzinfo=UTC))
    return parse_document(document, content)


def mail(headers: str, body: str = "The kiln was opened.") -> bytes:
    return f"From: Ann Roe <ann@valley.example>\nSubject: Kiln\n{headers}\n\n{body}\n".encode()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Kiln", "Kiln"),
        ("=?utf-8?q?K=C3=BChn?=", "Kühn"),
        ("=?utf-8?b?S8O8aG4=?= opens", "Kühn opens"),
        ("=?utf-8?q?K=C3?=\n =?utf-8?q?=BChn?=", "Kühn"),
        ("=?utf-8?q?one?= =?iso-8859-1?q?_tw=F6?=", "one twö"),
        ("=?utf-8?q?two words?=", "two words"),
        ("=?utf-8?b?S8O8aG4?=", "Kühn"),
        ("=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=", "日本"),
        ("=?utf-8*en?q?Kiln?=", "Kiln"),
        ("=?no-such?q?Kiln?=", "Kiln"),
        ("a =?b c", "a =?b c"),
        ("K\udcc3\udcbchn", "Kühn"),
    ],
)
def test_encoded_words_are_decoded(raw: str, expected: str) -> None:
    assert decode_words(raw) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Ann Roe <news@valley.example>", Sender(person="Ann Roe")),
        ('"Roe, Ann" <news@valley.example>', Sender(person="Ann Roe")),
        ('"Ann Roe" <news@valley.example>', Sender(person="Ann Roe")),
        ("Ann Roe at The Valley Post <news@valley.example>", Sender(person="Ann Roe", publication="The Valley Post")),
        ("Ann Roe via Valley <news@valley.example>", Sender(person="Ann Roe", publication="Valley")),
        ("Morning Valley <hello@morningvalley.example>", Sender(publication="Morning Valley")),
        ("Ann Roe <ann@annroe.example>", Sender(person="Ann Roe")),
        ("valley.example <news@valley.example>", Sender(publication="valley.example")),
        ("Valley News Desk <news@example.org>", Sender(publication="Valley News Desk")),
        ("Reuters <alerts@reuters.example>", Sender(provider="Reuters")),
        ("ann@valley.example", Sender()),
        ("", Sender()),
    ],
)
def test_senders_are_people_publications_or_agencies(value: str, expected: Sender) -> None:
    assert read_sender(value) == expected


def test_subjects_lose_what_lists_and_programs_put_before_them() -> None:
    assert split_subject("[Valley] Re: Kiln opens") == ("Kiln opens", False)
    assert split_subject("WG: FW: Kiln opens") == ("Kiln opens", True)
    assert split_subject("Kiln: [Update]") == ("Kiln: [Update]", False)
    assert split_subject("[Video]") == ("[Video]", False)


@pytest.mark.parametrize(
    "block",
    [
        "From: Ann Roe <a@b.example>\nDate: Sat, 3 May 2025 18:30:00 +0200\nSubject: Kiln",
        "*From:* Ann Roe <a@b.example>\n*Sent:* Saturday, May 3, 2025 18:30\n*To:* Desk\n*Subject:* Kiln",
        "Von: Ann Roe\nGesendet: Samstag, 3. Mai 2025 18:30\nAn: Desk\nBetreff: Kiln",
        "> De : Ann Roe\n> Envoyé : samedi 3 mai 2025\n> Objet : Kiln",
    ],
)
def test_the_header_block_of_a_forwarded_mail_is_found(block: str) -> None:
    found = find_forwarded(f"Hello\n\n{block}\n\nThe kiln was opened.")
    assert found is not None
    assert found.facts["subject"] == "Kiln"
    assert found.facts["from"].startswith("Ann Roe")
    assert found.text.strip() == "The kiln was opened."


def test_text_with_a_colon_is_no_forwarded_mail() -> None:
    assert find_forwarded("From: the mill\n\nTo: the river") is None


def test_flowed_text_gets_its_paragraphs_back() -> None:
    assert unflow("One \ntwo\n\n three \nfour", delsp=False) == "One two\n\nthree four"
    assert unflow("日 \n本", delsp=True) == "日本"


def test_the_frame_goes_and_the_text_stays() -> None:
    text = "The kiln is open.\n\nWhoever came to unsubscribe from noise stayed.\n\n" + "It is quiet.\n\n" * 9
    assert without_frame(f"Open online\n\n{text}Abmelden: https://valley.example/u") == text.strip()
    long = "x " * 300 + "unsubscribe"
    assert without_frame(f"The kiln.\n\n{long}") == f"The kiln.\n\n{long}"
    assert without_frame("View in browser\n\nThe kiln.\n\n* * *\n\nhttps://a.example/1\n\nAbmelden") == "The kiln."
    assert without_frame("Unsubscribe") == "Unsubscribe"


def test_alternatives_with_many_links_are_read_as_pages() -> None:
    links = " ".join(f"https://valley.example/{n}" for n in range(9))
    body = (
        f"--b\nContent-Type: text/plain\n\nThe kiln was opened. {links}\n"
        "--b\nContent-Type: text/html\n\n<p>The kiln was opened.</p><p>It is hot.</p>\n--b--"
    )
    (article,) = parse(mail('MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary="b"', body))
    assert isinstance(article, Article)
    assert article.body_text == "The kiln was opened.\n\nIt is hot."


def test_charsets_of_mail_alone_are_read() -> None:
    content = mail("Content-Type: text/plain; charset=utf-7", "K+APw-hn was opened.")
    assert [getattr(item, "body_text", None) for item in parse(content)] == ["Kühn was opened."]


def test_a_mail_of_mails_ends_at_the_limit() -> None:
    content = mail("", "The innermost mail. " * 40)
    for _ in range(30):
        boundary = str(len(content)).encode()
        head = mail(f'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="{len(content)}"', "").rstrip()
        content = head + b"\n\n--%s\nContent-Type: message/rfc822\n\n%s\n--%s--\n" % (boundary, content, boundary)
    assert len(parse(content)) <= 6


def test_thousands_of_nested_parts_are_refused() -> None:
    content = b"From: a@b.example\nSubject: Kiln\n" + b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(3_000)
    )
    (refused,) = parse(content)
    assert isinstance(refused, Refusal)
    assert refused.code in ("nested_too_deep", "no_article")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ("Content-Type: text/plain; " + 'charset*0="b"; ' * 500, None),
        ("Content-Type: text/plain; " + 'a="b"; ' * 100_000, None),
        ("Content-Type: multipart/mixed; " + 'boundary*0="b"; boundary*="x"; ' * 500, "no_article"),
        ("Content-Transfer-Encoding: " + "base64 " * 100_000, None),
    ],
)
def test_headers_that_python_cannot_read_cost_at_most_their_mail(headers: str, code: str | None) -> None:
    assert [getattr(item, "code", None) for item in parse(mail(headers))] == [code]


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_no_mail_breaks_the_parser(header: bytes, body: bytes) -> None:
    found = parse(b"From: a@b.example\nSubject: Kiln\nContent-Type: " + header + b"\n\n" + body)
    assert all(getattr(item, "code", None) != "parse_error" for item in found)


def test_a_report_about_a_mail_is_none() -> None:
    report = mail('Content-Type: multipart/report; boundary="b"', "--b\n\nDelivery has failed.\n--b--")
    (found,) = parse(report)
    assert isinstance(found, Refusal)
    assert found.code == "no_article"


def test_the_first_lines_of_a_mail_are_one_paragraph_where_they_were_wrapped() -> None:
    wrapped = "The kiln was relit on Tuesday morning in the middle of the village, the\ncouncil said.\n\nIt burns."
    (found,) = parse(mail("", wrapped))
    assert isinstance(found, Article)
    assert found.body_text == wrapped.replace("the\ncouncil", "the council")


def test_a_damaged_name_of_an_encoding_costs_nothing_else() -> None:
    content = mail('Content-Type: text/plain; charset="win\0dows-1252"').replace(b"kiln was", b"caf\xe9 was")
    (found,) = parse(content)
    assert isinstance(found, Article)
    assert found.body_text == "The café was opened."
