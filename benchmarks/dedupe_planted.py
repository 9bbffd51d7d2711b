"""Copies and look-alikes planted in real articles, for the model of near copies to learn from.

The labelled sets hold few pairs of the kinds that are hard: texts of which two outlets kept different halves, later
takes over the same background, pages that share a gallery. Here real articles that are in no labelled pair are taken
apart into sentences, and put together anew in two versions:

- *copy*: each version leaves out some sentences, has some of its own, and words some differently; one may be cut.
  Only of longer texts: of a short one the word that differs is often the news;
- *summary*: the first sentence or two, or the first words, and the whole text;
- *later*: a new beginning over the same background;
- *gallery*: two articles that end in the same long passage;
- *facts*: the same few sentences with other numbers and names.

The first two are copies, the others none. Headlines stay, change in part or altogether. What is planted follows from
the seed alone.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from worker.dedupe.trimming import trim

Sentences = list[str]
SHORTEST_SENTENCE, FEWEST_SENTENCES, MOST_SENTENCES = 4, 8, 90
SHORTEST_COPY = 100
"""Different word triples of a copy that was changed."""
FEWEST_ARTICLES = 3
"""One for the gallery, and one for each of the two pages that have it."""
FEWEST_TRIPLES, LEAST_CHANGED = 15, 0.03
"""Of a text with other facts: different word triples, and the share of them that were changed."""
_SENTENCE_END = re.compile(r'(?<=[.!?])["”]?\s+|\n+')
_NAME = re.compile(r"(?<=[a-z] )[A-Z][a-z]{2,}")
_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"(?<!\d)\d{1,8}(?!\d)")


@dataclass(frozen=True)
class Planted:
    """Two versions, each as headline and body, and whether they say the same."""

    one: tuple[str, str]
    other: tuple[str, str]
    is_copy: bool


def plant(documents: list[dict[str, Any]], count: int, seed: int) -> list[Planted]:
    """`count` pairs made from articles ({headline, body_text}). ValueError if too few of them are long enough."""
    gardener = _Gardener(documents, random.Random(seed))
    return [gardener.plant() for _ in range(count)]


def sentences_of(body_text: str) -> Sentences:
    parts = _SENTENCE_END.split(trim(body_text))
    return [part for part in parts if len(part.split()) >= SHORTEST_SENTENCE]


def triples_of(sentences: Sentences) -> set[tuple[str, str, str]]:
    words = _WORD.findall(" ".join(sentences).lower())
    return set(zip(words, words[1:], words[2:], strict=False))


class _Gardener:
    def __init__(self, documents: list[dict[str, Any]], dice: random.Random) -> None:
        self._dice = dice
        taken_apart = [(line["headline"] or "", sentences_of(line["body_text"])) for line in documents]
        self._articles = [one for one in taken_apart if FEWEST_SENTENCES <= len(one[1]) <= MOST_SENTENCES]
        if len({tuple(sentences) for _, sentences in self._articles}) < FEWEST_ARTICLES:
            raise ValueError(f"fewer than {FEWEST_ARTICLES} different articles of {FEWEST_SENTENCES} sentences or more")
        self._kinds: dict[Callable[[Sentences], tuple[Sentences, Sentences] | None], tuple[int, tuple[float, ...]]] = {
            # what makes it: (how often, shares of the headline's words that stay)
            self._copy: (44, (1, 0.7, 0.3, 0)),
            self._summary: (8, (1, 1, 1, 0.5, 0)),
            self._later: (22, (0, 0, 0.3, 0.6)),
            self._gallery: (20, (0, 0, 0, 0.3)),
            self._facts: (14, (1, 0.7, 0.5, 0.3)),
        }

    def plant(self) -> Planted:
        weights = [often for often, _ in self._kinds.values()]
        made = None
        while made is None:
            headline, sentences = self._dice.choice(self._articles)
            (make,) = self._dice.choices(list(self._kinds), weights)
            made = make(sentences)
        kept = self._dice.choice(self._kinds[make][1])
        versions = ["\n".join(version) for version in made]
        is_copy = make in (self._copy, self._summary)
        return Planted((headline, versions[0]), (self._headline(headline, kept), versions[1]), is_copy)

    def _copy(self, sentences: Sentences) -> tuple[Sentences, Sentences] | None:
        cut = len(sentences)
        if self._dice.random() < 0.4:
            cut = max(6, int(cut * self._dice.uniform(0.35, 1)))
        share, often = self._dice.uniform(0.02, 0.25), self._dice.uniform(0, 0.8)
        one, other = (
            self._before()
            + self._version(
                some,
                kept=self._dice.uniform(0.75, 1),
                own=self._dice.choice((0, self._dice.uniform(0, 0.12))),
                reworded=(share, often),
            )
            for some in (sentences[:cut], sentences)
        )
        shorter = min(len(triples_of(one)), len(triples_of(other)))
        return (one, other) if shorter >= SHORTEST_COPY else None

    def _summary(self, sentences: Sentences) -> tuple[Sentences, Sentences] | None:
        words = " ".join(sentences[:8]).split()
        summary = [" ".join(words[: self._dice.randint(19, 60)]) + self._dice.choice((" ...", "", "..."))]
        if self._dice.random() < 0.4:
            summary = sentences[: self._dice.choice((1, 2))]
        if len(summary[0].split()) < 18:
            return None
        whole = sentences
        if self._dice.random() < 0.3:
            whole = self._version(sentences, kept=0.95, own=0.03, reworded=(0.05, 0.3))
        return summary, (self._before() if self._dice.random() < 0.3 else []) + whole

    def _later(self, sentences: Sentences) -> tuple[Sentences, Sentences]:
        new = max(2, int(len(sentences) * self._dice.uniform(0.3, 0.75)))
        one = sentences
        if self._dice.random() < 0.4:
            one = self._version(sentences, kept=self._dice.uniform(0.8, 1), reworded=(0.1, 0.3))
        background = self._version(
            sentences[new:], kept=self._dice.uniform(0.8, 1), reworded=(0.1, self._dice.choice((0, 0.3)))
        )
        return one, self._other(sentences)[: max(2, int(new * self._dice.uniform(0.5, 1.3)))] + background

    def _gallery(self, sentences: Sentences) -> tuple[Sentences, Sentences]:
        gallery = sentences[self._dice.randint(0, 3) :]
        others: list[Sentences] = []
        heads: list[Sentences] = []
        for _ in range(2):
            others.append(self._other(sentences, *others))
            heads.append(others[-1][: max(2, int(len(gallery) * self._dice.uniform(0.15, 1)))])
        one, other = (head + gallery for head in heads)
        return one + (self._other()[-3:] if self._dice.random() < 0.3 else []), other

    def _facts(self, sentences: Sentences) -> tuple[Sentences, Sentences] | None:
        one = sentences[: self._dice.randint(1, 4)]
        other = self._version(one, kept=self._dice.uniform(0.85, 1), reworded=(0.1, self._dice.uniform(0, 0.5)))
        names = [name for line in self._other() for name in _NAME.findall(line)] or ["Ostmere"]
        numbers_changed, names_changed = self._dice.uniform(0.3, 1), self._dice.uniform(0.15, 1)
        other = [_NUMBER.sub(lambda found: self._number(found, numbers_changed), line) for line in other]
        other = [
            _NAME.sub(
                lambda found: self._dice.choice(names) if self._dice.random() < names_changed else found.group(), line
            )
            for line in other
        ]
        short, long = sorted((triples_of(one), triples_of(other)), key=len)
        changed = len(short - long) / max(1, len(short))
        return (one, other) if len(short) >= FEWEST_TRIPLES and changed >= LEAST_CHANGED else None

    def _version(
        self, sentences: Sentences, *, kept: float, reworded: tuple[float, float], own: float = 0
    ) -> Sentences:
        """Some sentences left out, some put in; `reworded`: share of the words, share of the sentences."""
        others, version = self._other(), []
        vocabulary = [word for line in sentences for word in line.split() if word.islower()] or ["said"]
        for sentence in sentences:
            version += [self._dice.choice(others)] if self._dice.random() < own else []
            if self._dice.random() < kept:
                share = reworded[0] if self._dice.random() < reworded[1] else 0
                version.append(self._reword(sentence, share, vocabulary))
        return version

    def _reword(self, sentence: str, share: float, vocabulary: list[str]) -> str:
        """Some words left out, exchanged or added; numbers and names stay."""
        words: list[str] = []
        for word in sentence.split():
            if self._dice.random() >= share or not word.islower() or any(one.isdigit() for one in word):
                words.append(word)
                continue
            chance = self._dice.random()
            words += [word] if chance >= 0.8 else []
            words += [self._dice.choice(vocabulary)] if chance >= 0.3 else []
        return " ".join(words)

    def _number(self, found: re.Match[str], changed: float) -> str:
        if self._dice.random() >= changed:
            return found.group()
        return str(self._dice.randint(1, 10 ** len(found.group()) - 1))

    def _headline(self, headline: str, kept: float) -> str:
        others = self._dice.choice(self._articles)[0].split() or ["News"]
        words = headline.split()
        return " ".join(word if self._dice.random() < kept else self._dice.choice(others) for word in words)

    def _other(self, *but: Sentences) -> Sentences:
        """The sentences of another article than these: a look-alike made from one article alone would be a copy."""
        other = self._dice.choice(self._articles)[1]
        return other if other not in but else self._other(*but)

    def _before(self) -> Sentences:
        """What an outlet puts in front: a caption, a line on something else."""
        return [self._dice.choice(self._other()) for _ in range(self._dice.choice((0, 0, 0, 1, 2)))]
