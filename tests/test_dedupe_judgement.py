"""Judgements: what is a copy, an excerpt, a rewrite, a revision, and what only looks like one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.dedupe.comparing import FEATURES, compare
from worker.dedupe.corrected import says_corrected
from worker.dedupe.furniture import Furniture
from worker.dedupe.judgement import THRESHOLDS, Judgement, judge
from worker.dedupe.sketch import Sketch, SketchInput, sketch_articles, unpack

NOON = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
PARAGRAPHS = """\
The harbour board of Ostmere voted on Tuesday to close the old grain quay for 14 months while its timber piles\
 are replaced by concrete ones, the largest repair since the port was founded in 1871.
Board member Hanna Lindqvist said after the meeting that the work would cost 3.5 million crowns, a third of \
which the county has promised to pay once the state has agreed to the plans in December.
Two coasters a week will be sent to Varnholm instead, where the silo was enlarged last year, and the ferry to \
the outer islands will leave from the timber dock for as long as the cranes are at work.
Farmers had asked for the closure to wait until the harvest was in. Their spokesman Olaf Brandt called the \
decision a blow to 120 families along the Teller valley who have no other way to sell their rye.
The divers who inspected the quay in March found that shipworm had eaten through every fourth pile. One of \
them, Siri Dahl, said she could push a knife into the wood up to the handle.
Ostmere handled 48,000 tonnes of grain last year, a tenth less than the year before, because low water kept \
the larger ships out of the river mouth for most of August and September.
The contract goes to the building company Nordkaj from the capital, which has repaired the quays of six towns \
on this coast since 2014 and employs divers of its own.
""".splitlines()
STORY = "\n".join(PARAGRAPHS)
OTHER = (
    "A school in the hills above Kestrel Bay has taught its pupils to read the weather from seabirds, and their "
    "forecasts beat those of the national service on 31 of 40 days this autumn, the head teacher says.\n"
    "The children count gulls, terns and cormorants at seven each morning and enter the numbers on a blackboard. When "
    "the terns stay inland, rain follows within nine hours, said Ruth Calloway, who has kept the tables since 1998.\n"
    "Meteorologist Piet Vos, who visited the school in October, said the results were no surprise to him, for birds "
    "feel falling pressure long before an instrument on the coast shows it."
)
QUAKE = (
    "An earthquake of magnitude {0} struck the {1} region on {2}, the seismological institute said.\nThe quake hit at "
    "{3} local time at a depth of {4} kilometres, and its centre was {5} kilometres from the nearest town, which has "
    "about {6} inhabitants, according to the institute.\nThere were no immediate reports of damage and no warning of "
    "a flood wave was issued. Local authorities asked residents to stay calm and to be prepared for aftershocks in the "
    "coming hours.\nThe region lies on a long fault along which strong quakes are frequent."
)
CHINESE = (
    "奥斯特港务局周二投票决定关闭旧粮食码头十四个月，以便更换已经腐烂的木桩。委员林德奎斯特会后表示，工程将耗资三百五十万克朗，"
    "县政府承诺承担其中三分之一。每周两班货船将改往瓦恩霍尔姆，那里的粮仓去年刚刚扩建。农民曾要求等到收割结束后再关闭码头，"
    "他们的发言人布兰特称这一决定对山谷里的一百二十户家庭是沉重打击。三月份检查码头的潜水员发现，每四根木桩就有一根被蛀穿。"
)


def article(
    body: str, headline: str = "Grain quay to close for 14 months", source: str = "", hours: int = 0
) -> SketchInput:
    return SketchInput(headline, body, NOON + timedelta(hours=hours), source)


def sketched(*articles: SketchInput) -> list[Sketch]:
    return sketch_articles(articles, Furniture())


def judged(new: SketchInput, *known: SketchInput, threshold: str = "balanced") -> Judgement | None:
    sketch, *others = sketched(new, *known)
    return judge([sketch], [[other.packed for other in others]], THRESHOLDS[threshold])[0]


def copy_of(new: str, known: str = STORY, headline: str = "Grain quay to close for 14 months") -> Judgement:
    judgement = judged(article(new, headline), article(known))
    assert judgement is not None
    assert judgement.kind == "copy"
    assert 0.0 <= judgement.similarity <= 1.0
    return judgement


def test_the_same_text_under_other_credits_is_syndicated() -> None:
    new = f"By Mats Ekholm\nOSTMERE, Nov 1 (AFP) — {STORY}\nSiri Dahl contributed to this report."
    assert copy_of(new, headline="Port shuts its grain quay").relation == "syndicated"
    assert copy_of(STORY).similarity > 0.95


def test_a_summary_is_an_excerpt_whichever_comes_first() -> None:
    summary = " ".join(STORY.split()[:45]) + " [...]"
    assert copy_of(summary).relation == "excerpt"
    assert copy_of(STORY, summary).relation == "excerpt"


def test_a_cut_text_is_an_excerpt() -> None:
    assert copy_of("\n".join(PARAGRAPHS[:4])).relation == "excerpt"


def test_paragraphs_in_another_order_are_a_copy() -> None:
    copy_of("\n".join((PARAGRAPHS[0], *reversed(PARAGRAPHS[1:]))))


def test_a_text_with_some_words_replaced_is_a_rewrite() -> None:
    changes = {"voted": "decided", "repair": "overhaul", "cost": "require", "enlarged": "extended", "asked": "pleaded"}
    changes |= {"decision": "ruling", "blow": "setback", "inspected": "examined", "employs": "has", "because": "since"}
    changes |= {"found": "saw", "larger": "bigger", "called": "named", "sent": "directed", "after": "following"}
    changes |= {"promised": "pledged", "leave": "sail", "wait": "be delayed", "push": "drive", "handled": "moved"}
    assert copy_of(" ".join(changes.get(word, word) for word in STORY.split())).relation == "rewrite"


def test_scripts_without_spaces_are_recognised() -> None:
    assert copy_of(f"新华社电 {CHINESE}", CHINESE).relation == "syndicated"
    assert copy_of(CHINESE[:120], CHINESE).relation == "excerpt"
    assert judged(article(CHINESE), article("".join(reversed(CHINESE)))) is None


def test_another_story_is_new() -> None:
    assert judged(article(OTHER), article(STORY)) is None
    assert judged(article(STORY)) is None


def test_other_numbers_in_a_template_make_no_copy() -> None:
    one = QUAKE.format("5.8", "Fenland", "Saturday", "03:56", 38, 151, "391,000")
    for other in (
        QUAKE.format("6.1", "Fenland", "Tuesday", "17:20", 12, 84, "56,000"),
        QUAKE.format("4.9", "Sarrow Sea", "Friday", "22:07", 70, 230, "18,500"),
    ):
        assert (
            judged(article(other, "Earthquake strikes"), article(one, "Earthquake strikes"), threshold="loose") is None
        )
    copy_of(f"KESTREL BAY (AFP) - {one}", one)


def test_other_names_in_the_same_words_make_no_copy() -> None:
    swapped = STORY
    names = {"Ostmere": "Calder", "Hanna Lindqvist": "Ruth Calloway", "Varnholm": "Kestrel", "Olaf Brandt": "Piet Vos"}
    names |= {
        "Teller": "Sarrow",
        "Siri Dahl": "Ines Prado",
        "Nordkaj": "Westpier",
        "14": "22",
        "3.5": "9.1",
        "120": "340",
    }
    names |= {"1871": "1902", "48,000": "77,500", "2014": "2019", "December": "April", "March": "July"}
    for name, other in names.items():
        swapped = swapped.replace(name, other)
    assert judged(article(swapped), article(STORY)) is None


def test_a_shared_notice_makes_no_copy() -> None:
    notice = (
        "Subscribe to our letter and read each morning what happens on the coast, in the hills and on the islands. " * 2
    )
    assert judged(article(f"{OTHER}\n{notice}", "Birds and weather"), article(f"{STORY}\n{notice}")) is None


def test_changed_facts_by_the_same_source_are_a_revision() -> None:
    later = (
        STORY.replace("14 months", "20 months")
        .replace("3.5 million", "6.2 million")
        .replace("120 families", "200 families")
    )
    later = later.replace("48,000", "51,300").replace("a third", "half").replace("1871", "1869").replace("2014", "2009")
    judgement = judged(article(later, source="post", hours=5), article(STORY, source="post"))
    assert judgement is not None
    assert (judgement.kind, judgement.relation) == ("revision", "revised")
    for other in (article(STORY, source="gazette"), article(STORY), article(STORY, source="post", hours=-200)):
        assert judged(article(later, source="post", hours=5), other) is None


def test_one_corrected_number_by_the_same_source_is_a_revision_not_a_copy() -> None:
    corrected = article(STORY.replace("48,000", "84,000"), source="post", hours=1)
    judgement = judged(corrected, article(STORY, source="post"))
    assert judgement is not None
    assert judgement.kind == "revision"
    again = judged(article(STORY, source="post", hours=1), article(STORY, source="post"))
    assert again is not None
    assert again.kind == "copy"


def test_a_correction_is_not_dropped_for_anothers_summary_of_the_uncorrected_text() -> None:
    first, summary = article(STORY, source="post"), article(" ".join(STORY.split()[:60]), source="feed", hours=1)
    for change in (("48,000", "84,000"), ("3.5 million", "5.3 million")):
        judgement = judged(article(STORY.replace(*change), source="post", hours=2), first, summary)
        assert judgement is not None
        assert (judgement.kind, judgement.candidate) == ("revision", 0)


def test_the_full_text_after_its_summary_is_a_revision_within_a_source() -> None:
    summary = article(" ".join(STORY.split()[:45]) + " [...]", source="post")
    full = judged(article(STORY, source="post", hours=1), summary)
    assert full is not None
    assert (full.kind, full.relation) == ("revision", "revised")
    for body, source in ((summary.body_text, "post"), (STORY, "gazette")):
        known = article(STORY, source="post") if body != STORY else summary
        other = judged(article(body, source=source), known)
        assert other is not None
        assert (other.kind, other.relation) == ("copy", "excerpt")


def test_a_text_that_says_it_was_corrected_is_never_dropped_for_the_uncorrected_one() -> None:
    mended = STORY.replace("every fourth pile", "every fifth pile")
    by_headline = article(mended, "CORRECTED - Grain quay to close for 14 months", source="gazette")
    by_notice = replace(article(mended, source="gazette"), corrected=True)
    for new in (by_headline, by_notice):
        judgement = judged(new, article(STORY, source="post"))
        assert judgement is not None
        assert (judgement.kind, judgement.relation) == ("revision", "revised")
        again = judged(by_headline, article(STORY, source="post"), new)
        assert again is not None
        assert (again.kind, again.candidate) == ("copy", 1), "another outlet's copy of the corrected text"
        late = judged(article(STORY, source="post"), new)
        assert late is not None
        assert late.kind == "copy", "the uncorrected text is not wanted once it was corrected"


@pytest.mark.parametrize(
    ("headline", "says_so"),
    [
        ("(CORRECTED)-<Fenland Mills> 3rd qtr net", True),
        ("UPDATE 2-CORRECTED-Mill to close", True),
        ("Correction: Mill to close", True),
        ("KORREKTUR: Werk schließt", True),
        ("【訂正】工場を閉鎖", True),
        ("Correction agency drops plans", False),
        ("Correction-fluid sales rise", False),
        ("Mill corrects net", False),
        ("Fuel prices: what was CORRECTED - and why", False),
        ("", False),
    ],
)
def test_only_the_beginning_of_a_headline_says_that_a_text_was_corrected(headline: str, *, says_so: bool) -> None:
    assert says_corrected(headline) is says_so


def test_two_notices_of_a_source_in_the_same_words_are_no_revisions_of_each_other() -> None:
    forecast = (
        "Weather forecast for {0}. Mostly {1} with highs of {2} degrees and lows of {3} degrees. Winds from the {4} at "
        "{5} km/h, gusting to {6}. The chance of precipitation is {7} percent. The next update of this forecast is "
        "issued by the regional weather office at six o'clock in the evening. Drivers are asked to take care on open "
        "roads. Walkers in the hills should carry warm clothes and tell somebody which way they mean to go."
    )
    one = forecast.format("Aldham", "cloudy", 9, -2, "north", 34, 71, 60)
    other = forecast.format("Borwick", "sunny", 14, 1, "west", 12, 64, 15)
    known = article(one, "Weather in Aldham", source="gazette")
    assert judged(article(other, "Weather in Borwick", source="gazette", hours=1), known) is None
    assert judged(article(other, "Weather in Borwick", source="gazette", hours=1), known, threshold="loose") is None


def test_without_known_sources_there_are_no_revisions() -> None:
    later = (
        STORY.replace("14 months", "20 months")
        .replace("3.5 million", "6.2 million")
        .replace("120 families", "200 families")
    )
    judgement = judged(article(later), article(STORY))
    assert judgement is None or judgement.kind == "copy"


def test_what_is_too_short_to_judge_is_new() -> None:
    brief = article("Quay shut until further notice, board says.")
    assert judged(brief, brief) is None


def test_the_best_candidate_is_named() -> None:
    half = "\n".join(PARAGRAPHS[3:])
    judgement = judged(article(STORY), article(OTHER), article(half), article(STORY), article(OTHER))
    assert judgement is not None
    assert judgement.candidate == 2


def test_each_article_is_judged_by_its_own_candidates() -> None:
    story, other, unknown = sketched(article(STORY), article(OTHER, "Birds"), article("\n".join(PARAGRAPHS[2:5])))
    found = judge([story, unknown, other], [[other.packed], [], [story.packed, other.packed]], THRESHOLDS["balanced"])
    assert found[0] is None
    assert found[1] is None
    assert found[2] is not None
    assert found[2].candidate == 1
    assert judge([], [], THRESHOLDS["strict"]) == []


def test_evidence_names_the_features_that_were_known() -> None:
    evidence = dict(copy_of(STORY).evidence)
    assert set(evidence) <= set(FEATURES)
    assert evidence["containment"] > 0.9
    assert evidence["numbers_missing_count"] == 0
    untitled = judged(article(STORY, headline=""), article(STORY))
    assert untitled is not None
    assert "title" not in dict(untitled.evidence)


def test_thresholds_are_ordered() -> None:
    strict, balanced, loose = (THRESHOLDS[name].copy for name in ("strict", "balanced", "loose"))
    assert strict > balanced > loose


BODIES = st.lists(st.sampled_from(STORY.split() + OTHER.split() + ["\n", "9", "数据"]), max_size=150).map(" ".join)


@settings(max_examples=40)
@given(st.lists(BODIES, min_size=2, max_size=5))
def test_judging_a_batch_is_judging_each(bodies: Sequence[str]) -> None:
    sketches = sketched(*(article(body) for body in bodies))
    known = [sketch.packed for sketch in sketches]
    together = judge(sketches, [known] * len(sketches), THRESHOLDS["loose"])
    assert together == [judge([sketch], [known], THRESHOLDS["loose"])[0] for sketch in sketches]


@settings(max_examples=40)
@given(BODIES, BODIES)
def test_features_do_not_depend_on_who_came_first(one: str, other: str) -> None:
    rows = unpack([sketch.packed for sketch in sketched(article(one), article(other + " extra"))])
    there, back = compare(rows[:1], rows[1:]), compare(rows[1:], rows[:1])
    if rows["gram_count"][0] != rows["gram_count"][1]:
        assert np.array_equal(there, back, equal_nan=True)


@pytest.mark.parametrize("source", ["", "unknown", "ingest"])
def test_unknown_sources_are_not_the_same_source(source: str) -> None:
    known, unknown = unpack(
        [made.packed for made in sketched(article(STORY, source="post"), article(STORY, source=source))]
    )
    assert known["source"] != 0 == unknown["source"]
    corrected = judged(article(STORY.replace("48,000", "84,000"), source=source), article(STORY, source=source))
    assert corrected is None or corrected.kind == "copy"
