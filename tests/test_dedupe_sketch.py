"""Sketches: what makes two texts alike, whatever the batch, the case, the white space or the script."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.dedupe.furniture import ARTICLES_BEFORE, FURNITURE_BYTES, Furniture
from worker.dedupe.sketch import (
    MOST_FEATURES,
    MOST_TEXTS_AT_ONCE,
    SKETCH_BYTES,
    Sketch,
    SketchInput,
    sketch_articles,
    unpack,
)
from worker.dedupe.trimming import is_credit, trim
from worker.dedupe.words import split_words

STORY = (
    "The harbour board of Ostmere voted on Tuesday to close the old grain quay for 14 months while its timber piles "
    "are replaced. Board member Hanna Lindqvist said the work would cost 3.5 million crowns, a third of which the "
    "county has promised to pay. Two coasters a week will be sent to Varnholm instead, where the silo was enlarged "
    "last year. Farmers had asked for the closure to wait until the harvest was in, and their spokesman Olaf Brandt "
    "called the decision a blow to 120 families along the Teller valley."
)
CHINESE = "奥斯特港务局周二投票决定关闭旧粮食码头十四个月，以便更换木桩。委员林德奎斯特表示，工程将耗资三百五十万克朗，县政府承诺承担其中三分之一。"  # noqa: E501
TEXTS = st.text(st.characters(), max_size=400) | st.lists(st.sampled_from(STORY.split()), max_size=90).map(" ".join)


def sketch(body: str, headline: str = "Quay to close", source: str = "a", furniture: Furniture | None = None) -> Sketch:
    made = sketch_articles([SketchInput(headline, body, None, source)], furniture or Furniture())
    return made[0]


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=12))
def test_a_batch_gives_what_one_by_one_gives(texts: list[tuple[str, str]]) -> None:
    articles = [SketchInput(headline, body, None, "s") for headline, body in texts]
    assert sketch_articles(articles, Furniture()) == [sketch(body, headline, "s") for headline, body in texts]


def test_a_batch_larger_than_one_part_keeps_its_order() -> None:
    words = STORY.split()
    articles = [
        SketchInput(f"Report {number}", " ".join(random.Random(number).sample(words, 60)), None, "")
        for number in range(MOST_TEXTS_AT_ONCE)
    ]
    alone = [sketch(article.body_text, article.headline, "") for article in articles]
    assert sketch_articles(articles, Furniture()) == alone


@given(st.text(), st.text())
def test_any_text_has_a_sketch_of_fixed_size(headline: str, body: str) -> None:
    made = sketch(body, headline)
    assert len(made.packed) == SKETCH_BYTES <= 236
    assert len(made.features) == len(set(made.features)) <= MOST_FEATURES <= 15
    assert all(0 <= feature < 1 << 64 for feature in made.features)


@pytest.mark.parametrize("body", ["\ud800 lone \udfff surrogates", "\x1e" * 50, "\U0010ffff\U000e0001", "𠀀𠀁𠀂" * 40])
def test_odd_characters_are_no_trouble(body: str) -> None:
    assert len(sketch(f"{body} {STORY}").packed) == SKETCH_BYTES
    assert sketch(f"{STORY}\x1e{STORY}") == sketch(f"{STORY} {STORY}"), "a separator in a text separates nothing"


@settings(max_examples=30)
@given(st.data())
def test_white_space_and_quotes_never_change_a_sketch(data: st.DataObject) -> None:
    gaps = st.sampled_from([" ", "  ", "\t", "\xa0", " \u2009"])
    body = "".join(word + data.draw(gaps) for word in STORY.replace(" said", " 'said").split())
    assert sketch(body) == sketch(STORY.replace(" said", " ‘said"))


def test_case_changes_only_what_is_known_of_names() -> None:
    plain, capitals = sketch(STORY), sketch(STORY.upper())
    assert plain.features == capitals.features
    one, other = unpack([plain.packed])[0], unpack([capitals.packed])[0]
    for field in ("grams", "leads", "numbers", "sequences", "gram_count"):
        assert np.array_equal(one[field], other[field]), field


@pytest.mark.parametrize("one", ["caf\u00e9", "ＦＵＬＬ", "exam\u00adple", "straße", "١٤", "ELŻBIETA"])
def test_words_are_folded(one: str) -> None:
    other = {"caf\u00e9": "CAFE\u0301", "ＦＵＬＬ": "full", "exam\u00adple": "Example", "straße": "STRAẞE", "١٤": "14"}
    hashes = split_words([one, other.get(one, one.lower())]).hashes
    assert len(hashes) == 2
    assert hashes[0] == hashes[1]


def test_digits_tell_words_apart() -> None:
    hashes = split_words(["12 dead", "13 dead"]).hashes
    assert hashes[0] != hashes[2]
    assert hashes[1] == hashes[3]


def test_numbers_are_their_digits_with_their_separators() -> None:
    def numbers(text: str) -> set[int]:
        row = unpack([sketch(text).packed])[0]
        return set(row["numbers"][: row["number_count"]].tolist())

    assert numbers("about 200 ft") == numbers("about 200ft") != numbers("about 201 ft")
    assert numbers("paid 1,250 now") != numbers("paid 1 250 now")
    assert numbers("the two boats sank") == numbers("the 2 boats sank") != numbers("the three boats sank")
    assert numbers("der sechste Versuch") == numbers("the 6th attempt")
    assert len(numbers("from 12:30 to 14.15, 3 of 3")) == 3


@pytest.mark.parametrize("text", ["", "Quay shut.", "Storm hits coast; more soon", "码头关闭", "!?" * 40])
def test_what_is_too_short_to_judge_has_no_features(text: str) -> None:
    assert sketch(text).features == ()


def test_a_teaser_shares_features_with_its_article() -> None:
    teaser = " ".join(STORY.split()[:27]) + " ..."
    article = sketch("By Mats Ekholm\n" + STORY + "\n" + " ".join(f"Further{i} detail{i} follows." for i in range(200)))
    assert set(sketch(teaser).features) & set(article.features)


@pytest.mark.parametrize(
    "text",
    [
        CHINESE,
        "東京都は火曜日、古い穀物埠頭を十四か月閉鎖することを決めた。工費は三億五千万円で、県が三分の一を負担する。",
        "กรุงเทพมหานครประกาศปิดท่าเรือเก่าเป็นเวลาสิบสี่เดือนเพื่อเปลี่ยนเสาไม้ที่ผุพัง",
    ],
)
def test_scripts_without_spaces_are_read_in_pairs(text: str) -> None:
    made = sketch(text)
    assert made.features
    assert made.packed == sketch(text.replace("。", "。\n").replace("，", ", ")).packed
    cut = sketch(text[: len(text) * 3 // 4])
    assert set(cut.features) & set(made.features)


@pytest.mark.parametrize(
    "line",
    [
        "By Mats Ekholm",
        "By Mats Ekholm and Siri Dahl, Ostmere Post",
        "— Mats Ekholm",
        "Additional reporting by Siri Dahl",
        "Siri Dahl contributed to this report.",
        "Related: Ferry strike ends | Silo grows",
        "Updated 09 / 14 / 2013 01 : 03 PM",
        "9 September 2013 11:55 GMT",
        "Posted 19th Sept. 2013, 7:07AM",
        "Von Mats Ekholm",
        "© 2026 Ostmere Post. All rights reserved.",
    ],
)
def test_credit_lines_at_the_ends_are_left_out(line: str) -> None:
    assert is_credit(line)
    assert sketch(f"{line}\n{STORY}").features == sketch(STORY).features == sketch(f"{STORY}\n{line}").features


@pytest.mark.parametrize(
    "line",
    [
        "8 : 44AM BST 16 Sep 2013",
        "updated 7 / 28 / 2004 3 : 02 : 00 PM ET",
        "Updated at 10:50 a.m. ET",
        "By Hanna Lindqvist",
        "Advertisement",
        "Mats Ekholm contributed to this report.",
    ],
)
def test_credit_lines_between_others_are_left_out(line: str) -> None:
    standfirst, note = "Coasters go to Varnholm", "Hanna Lindqvist is a reporter in Ostmere"
    assert trim(f"{standfirst}\n{line}\n{STORY}\n{line}\n{note}") == f"{standfirst}\n{STORY}\n{note}"


@pytest.mark.parametrize("line", ["Sep 1278 1279 1283", "Saturday 14:30", "by Dudley Holm.", "1987.", "69.50-70.00."])
def test_rows_of_tables_and_wrapped_sentences_between_others_stay(line: str) -> None:
    assert trim(f"Prices at noon\n{line}\n{STORY}") == f"Prices at noon\n{line}\n{STORY}"


@pytest.mark.parametrize("filler", ["Advertisement ", "Recommended for you Story continues below advertisement "])
def test_what_stands_between_parts_of_a_page_does_not_begin_a_summary(filler: str) -> None:
    assert trim(filler + STORY) == STORY
    assert trim("Advertisement prices fell by 3% in Ostmere.").startswith("Advertisement prices")
    assert trim(f"Papers sold less. {filler}{STORY}") == f"Papers sold less. {filler}{STORY}"


@pytest.mark.parametrize(
    "line", ["By noon the quay was empty and 14 men had gone home.", "14 men, 3 boats and a dog were saved."]
)
def test_sentences_are_no_credit_lines(line: str) -> None:
    assert not is_credit(line)


@pytest.mark.parametrize(
    "dateline", ["OSTMERE, Oct 2 (AFP) — ", "OSTMERE/VARNHOLM (Reuters) - ", "NEW OSTMERE, March 26 - "]
)
def test_datelines_are_left_out(dateline: str) -> None:
    assert trim(dateline + STORY) == STORY


@pytest.mark.parametrize(
    "trailer", [" Read Full Article at ostmere.example", " Continue reading...", "\nRead more at the source."]
)
def test_trailers_are_left_out(trailer: str) -> None:
    assert trim(STORY + trailer).strip() == STORY


def test_hostile_lines_take_no_time() -> None:
    for line in (
        "A" * 5000,
        "By " + "ab" * 60 + "!" * 60 + "1",
        "A b " * 2000,
        "1 " * 60 + "x",
        "read more " * 20 + "]x",
    ):
        assert len(trim(f"{line}\n{STORY}\n{line}")) > 100


def test_a_paragraph_of_several_articles_is_furniture() -> None:
    notice = "Subscribe to the Ostmere Post and read all our reports from the harbour without delay."
    furniture = Furniture()
    for number in range(ARTICLES_BEFORE):
        body = f"{' '.join(f'word{number}x{i}' for i in range(60))}\n{notice}"
        made = sketch(body, furniture=furniture)
        assert made != sketch(body.split("\n", maxsplit=1)[0], furniture=furniture), "seen too seldom to be furniture"
        furniture.count(made.paragraphs)
    later = sketch(f"{STORY}\n{notice}", furniture=furniture)
    assert (later.packed, later.features) == (sketch(STORY).packed, sketch(STORY).features)
    assert sketch(notice, furniture=furniture).features == ()


def test_furniture_keeps_its_size_and_what_keeps_coming() -> None:
    furniture, chance = Furniture(), random.Random(7)
    for number in range(4000):
        furniture.count([chance.randrange(1 << 32) for _ in range(20)] + ([4711] if number % 10 == 0 else []))
    packed = furniture.pack()
    assert len(packed) == FURNITURE_BYTES
    known = Furniture.unpack(packed).is_furniture(np.array([4711, 4712], dtype=np.uint32))
    assert known.tolist() == [True, False]
    strangers = np.array([chance.randrange(1 << 32) for _ in range(10_000)], dtype=np.uint32)
    assert not furniture.is_furniture(strangers).any()


@pytest.mark.parametrize("packed", [None, b"", b"an older layout"])
def test_a_table_of_another_size_begins_anew(packed: bytes | None) -> None:
    assert Furniture.unpack(packed).pack() == bytes(FURNITURE_BYTES)


def test_times_and_sources_are_kept_where_known() -> None:
    moment = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
    articles = [SketchInput("h", STORY, moment, "a"), SketchInput("h", STORY, None, "")]
    known, unknown = unpack([made.packed for made in sketch_articles(articles, Furniture())])
    assert known["hours"] == moment.timestamp() // 3600
    assert known["source"] != 0 == unknown["source"]
    assert unknown["hours"] < -(10**9)
