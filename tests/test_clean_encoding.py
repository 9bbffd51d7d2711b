"""Encodings: detected where nothing is declared, doubted where it damages, repaired where it was done twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.clean.encoding import decode
from worker.clean.encoding_detect import damage
from worker.clean.mojibake import repair_mojibake

CZECH = "Město opraví most přes řeku dříve, než se čekalo. Dělníci už začali a řidiči musí jezdit přes sousední obec."
POLISH = "Miasto naprawi most nad rzeką wcześniej, niż zakładano. Kierowcy będą jeździć przez sąsiednią gminę."
TURKISH = "Belediye köprüyü beklenenden önce onaracak. Sürücüler komşu ilçeden geçmek zorunda kalacak, işçiler başladı."
GREEK = "Ο δήμος θα επισκευάσει τη γέφυρα νωρίτερα από το αναμενόμενο, ενώ οι οδηγοί θα περνούν από αλλού."
RUSSIAN = "Город отремонтирует мост раньше срока. Водителям придётся ездить через соседний район, рабочие уже начали."
FRENCH = "La mairie réparera le pont plus tôt que prévu. Les élèves traverseront la rivière à côté de la forêt."
GERMAN = "Die Straße über den Fluss bleibt gesperrt, weil die Brücke neue Träger braucht, sagte der Bürgermeister."
JAPANESE = "市は橋の修理を予定より早く始める。運転手は隣の町を通らなければならない。"
CHINESE = "市政府将提前修复大桥，司机必须绕行邻近的城镇，工人已经开始施工。"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (CZECH, "cp1250"),
        (CZECH, "iso8859_2"),
        (POLISH, "cp1250"),
        (POLISH, "iso8859_2"),
        (TURKISH, "cp1254"),
        (GREEK, "cp1253"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8_r"),
        (RUSSIAN, "iso8859_5"),
        (RUSSIAN, "cp866"),
        (FRENCH, "cp1252"),
        (FRENCH, "mac_roman"),
        (FRENCH, "cp850"),
        (GERMAN, "mac_roman"),
        (JAPANESE, "cp932"),
        (JAPANESE, "euc_jp"),
        (CHINESE, "gb18030"),
        (CHINESE, "big5"),
    ],
)
def test_undeclared_encodings_are_told_apart(text: str, encoding: str) -> None:
    there_and_back = text.encode(encoding, "ignore").decode(encoding)
    decoded = decode(there_and_back.encode(encoding))
    assert decoded.text == there_and_back
    assert decoded.warnings == ("encoding_detected",)


@pytest.mark.parametrize(
    ("text", "encoding"), [(POLISH, "iso8859_2"), (CZECH, "cp1250"), (TURKISH, "cp1254")], ids=["pl", "cs", "tr"]
)
def test_what_is_called_western_by_default_is_doubted(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding), "iso-8859-1").text == text


@pytest.mark.parametrize("text", [FRENCH, GERMAN, "One café in the whole valley, and no more than that."])
def test_what_is_western_stays(text: str) -> None:
    assert decode(text.encode("cp1252"), "iso-8859-1").text == text
    assert decode(text.encode("cp1252")).text == text


def test_few_single_bytes_are_no_broken_utf_8() -> None:
    text = "The café burns. " + "Plain words only, and many of them. " * 9
    assert decode(text.encode("cp1252"), "utf-8").text == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_found_in_any_alphabet(encoding: str) -> None:
    assert decode(RUSSIAN.encode(encoding)).text == RUSSIAN
    assert decode(RUSSIAN.encode(encoding), encoding).text == RUSSIAN


def test_hz_is_found_by_its_escapes() -> None:
    assert decode(CHINESE.encode("hz")).text == CHINESE


def test_the_lines_that_tell_are_found_in_a_long_document() -> None:
    content = b"plain words only\n" * 10_000 + CZECH.encode("iso8859_2")
    assert decode(content).text.endswith(CZECH)


def test_a_declaration_that_damages_is_overruled_and_said_so() -> None:
    decoded = decode(RUSSIAN.encode("cp1251"), "iso-8859-1")
    assert decoded.text == RUSSIAN
    assert decoded.encoding.declared == "iso-8859-1"
    assert decoded.encoding.detected == decoded.encoding.used == "cp1251"
    assert "encoding_declared_wrong" in decoded.warnings


def test_a_declaration_that_fits_is_believed() -> None:
    decoded = decode(b"na\xefve caf\xe9", "iso-8859-1")
    assert decoded.text == "naïve café"
    assert decoded.encoding.used == "cp1252"


@pytest.mark.parametrize("text", [FRENCH, GERMAN, POLISH, RUSSIAN, JAPANESE, "It’s “done” – café"])
def test_double_encoding_is_repaired(text: str) -> None:
    damaged = text.encode().decode("latin-1")
    decoded = decode(f"Sound line: déjà vu\n{damaged}".encode())
    assert decoded.text == f"Sound line: déjà vu\n{text}"
    assert "mojibake_repaired" in decoded.warnings


@pytest.mark.parametrize("text", [CZECH, POLISH, TURKISH, GREEK, RUSSIAN, FRENCH, GERMAN, JAPANESE, CHINESE])
def test_sound_text_is_left_alone(text: str) -> None:
    assert repair_mojibake(text) == text
    assert damage(text) == 0


@given(st.text())
def test_repair_is_idempotent(text: str) -> None:
    once = repair_mojibake(text)
    assert repair_mojibake(once) == once


def test_a_page_on_one_line_is_repaired_between_its_tags() -> None:
    title = "Caf\u00c3\u00a9 \u00e2\u20ac\u0153quote\u00e2\u20ac\ufffd"
    damaged = f"<title>{title}</title><p>\u0e01 na\u00c3\u00afve \ufffd</p><p>Caf\u00e9</p>"
    repaired = decode(damaged.encode())
    assert repaired.text.startswith("<title>Caf\u00e9 \u201cquote\u201d</title>")
    assert repaired.text.endswith("<p>Caf\u00e9</p>")
    assert repaired.warnings == ("mojibake_repaired",)


def test_what_looks_doubly_encoded_and_cannot_be_repaired_is_told() -> None:
    text = "Caf\u00c3\u00a9 na\u00c3\u00afve Caf\u00c3\u00a9 \ufffd\ufffd \u0e01"
    assert decode(text.encode()).text == text
    assert decode(text.encode()).warnings == ("mojibake_suspected",)


def test_sound_and_doubly_encoded_words_in_one_line_are_told_apart() -> None:
    damaged = "\u00fcber Gr\u00c3\u00b6\u00c3\u0178e"
    assert repair_mojibake(damaged) == "\u00fcber Gr\u00f6\u00dfe"
    assert (
        repair_mojibake("\u00fcber Gr\u00c3\u0192\u00c2\u00b6\u00c3\u0192\u00c5\u00b8e") == "\u00fcber Gr\u00f6\u00dfe"
    )
    assert (
        repair_mojibake("S\u00e3o, ma\u00e7\u00e3 \u00e2 \u00c3 \u20ac5")
        == "S\u00e3o, ma\u00e7\u00e3 \u00e2 \u00c3 \u20ac5"
    )


@pytest.mark.parametrize(
    "text", ["Kiln caf\u00e9, l\u2019heure", "Gr\u00f6\u00dfe f\u00fcr M\u00fcller \u2013 \u201eja\u201c"]
)
def test_a_few_accents_are_western(text: str) -> None:
    decoded = decode(text.encode("cp1252"))
    assert (decoded.text, decoded.encoding.used) == (text, "cp1252")


def test_a_declared_alphabet_that_turns_capitals_and_small_letters_round_is_wrong() -> None:
    text = "Новый мост через реку открыт в понедельник, сообщили городские власти."
    decoded = decode(text.encode("koi8-r"), "windows-1251")
    assert (decoded.text, "encoding_declared_wrong" in decoded.warnings) == (text, True)
    loud = decode(text.upper().encode("cp1251"), "windows-1251")
    assert loud.text == text.upper()
