"""Fit the weights that judge the blocks of a page, and measure them on sites they have not seen.

    python benchmarks/fit_html_weights.py CORPUS [--write worker/parse/html_weights.py]

Data: CORPUS/manifest.jsonl with one JSON object a line; used are those of kind `html-article` whose `collection` is one
of COLLECTIONS (news pages whose article text people marked, or that a parser written for that publisher
read). `file` is a gzipped page, `gold` a JSON file with the article's text in `body`, `source` the site.

Method: a block is the article's where most of its runs of four words stand in the gold text; a shorter block where
it is a line of it. Four logistic regressions (L2 penalty, Newton's method; Hastie, Tibshirani and Friedman, The
Elements of Statistical Learning, 4.4) are fitted: on the evidence of a block alone, on that and its neighbours'
chances, and both once more with what other extractors took. The chances that the second look learns from come from
first looks fitted on other sites, as they will in use. Every page counts the same, a block by the square root of its
words.

The score is the mean F1 of words of the text that `choose_body` finds, by collection: in a cross-validation in
which all pages of a site are in one fold, and then, with --write, of the weights fitted on all pages.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from worker.clean.encoding import decode
from worker.errors import Rejected
from worker.parse.html import page_tree
from worker.parse.html_blocks import read_blocks
from worker.parse.html_body import choose_body, judge, with_others, words_of
from worker.parse.html_evidence import Place, context_evidence, local_evidence, survey
from worker.parse.html_extractors import Opinions
from worker.parse.html_metadata import read_metadata
from worker.parse.html_weights import BIAS, Tables

COLLECTIONS = ("fundus", "fundus-eval", "wcxb", "aeb")
FOLDS = 5
INNER_FOLDS = 3
PENALTY = 1.0
STEPS = 12
SHINGLE = 4
MOST_SHINGLES = 0.6
"""Share of a block's runs of words in the gold text from which on it belongs to the article."""

Matrix = NDArray[np.float64]
Table = dict[str, float]


@dataclass
class Page:
    """A page as the fit needs it: rows of evidence by block, without the parsed tree."""

    path: Path
    collection: str
    site: str
    gold: str
    others: dict[str, str]
    place: Place
    rows: list[dict[str, float]]
    labels: list[bool]


def pages_of(corpus: Path) -> Iterator[Page]:
    """All pages with a gold text."""
    with (corpus / "manifest.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            if entry["kind"] != "html-article" or entry["collection"] not in COLLECTIONS or not entry.get("gold"):
                continue
            gold = json.loads((corpus / entry["gold"]).read_text(encoding="utf-8")).get("body")
            if gold:
                yield from _page(corpus / entry["file"], entry, gold)


def _page(path: Path, entry: dict[str, Any], gold: str) -> Iterator[Page]:
    try:
        tree, markup, title = opened(path)
    except Rejected:
        return
    blocks = read_blocks(tree)
    place = survey(blocks, title)
    said = Opinions(tree, markup)
    others = {"resi": said.fast, "full": said.full, "prec": said.precise}
    rows = with_others(local_evidence(blocks, place), blocks, others)
    labels = labelled([block.text for block in blocks], gold)
    yield Page(path, entry["collection"], entry["source"], gold, others, place, rows, labels)


def opened(path: Path) -> tuple[Any, str, str]:
    """A gzipped page -> its tree, its markup and its title."""
    markup = decode(gzip.decompress(path.read_bytes())).text
    tree = page_tree(markup)
    return tree, markup, read_metadata(tree).title or ""


def labelled(texts: list[str], gold: str) -> list[bool]:
    """For each block whether it is the article's."""
    whole = words_of(gold)
    runs = {tuple(whole[at : at + SHINGLE]) for at in range(len(whole))}
    lines = {tuple(words_of(line)) for line in gold.split("\n")}
    found = []
    for text in texts:
        words = words_of(text)
        own = [tuple(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE + 1)]
        known = sum(run in runs for run in own) >= len(own) * MOST_SHINGLES if own else tuple(words) in lines
        found.append(known)
    return found


class Rows:
    """Rows of evidence of many pages as one matrix; names are columns, blocks without evidence are left out."""

    def __init__(self, pages: Sequence[Page], rows_of: Callable[[Page], list[dict[str, float]]]) -> None:
        columns: dict[str, int] = {BIAS: 0}
        rows, places, values = array("l"), array("l"), array("d")
        labels, weights = array("d"), array("d")
        for page in pages:
            sizes = [
                words**0.5 if evidence else 0.0 for words, evidence in zip(page.place.words, page.rows, strict=True)
            ]
            unit = 100 / (sum(sizes) or 1.0)
            for evidence, label, size in zip(rows_of(page), page.labels, sizes, strict=True):
                if not evidence:
                    continue
                for name, value in evidence.items():
                    rows.append(len(labels))
                    places.append(columns.setdefault(name, len(columns)))
                    values.append(value)
                labels.append(label)
                weights.append(size * unit)
        self.names = list(columns)
        self.matrix: Matrix = np.zeros((len(labels), len(columns)))
        self.matrix[np.array(rows), np.array(places)] = np.array(values)
        self.matrix[:, 0] = 1.0
        self.labels = np.array(labels)
        self.weights = np.array(weights)

    def fit(self) -> Table:
        """The logistic regression's coefficients by name."""
        x, y = self.matrix, self.labels
        beta: Matrix = np.zeros(x.shape[1])
        penalty = np.full(x.shape[1], PENALTY)
        penalty[0] = 1e-6
        for _ in range(STEPS):
            chance = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
            slope = x.T @ (self.weights * (y - chance)) - penalty * beta
            curve = (x.T * (self.weights * chance * (1 - chance))) @ x + np.diag(penalty)
            step = np.linalg.solve(curve, slope)
            beta += step * min(1.0, 5 / float(np.abs(step).max()))
            if float(np.abs(step).max()) < 1e-3:
                break
        return {name: round(float(value), 2) for name, value in zip(self.names, beta, strict=True)}


def own_rows(page: Page) -> list[dict[str, float]]:
    """Evidence without that of other extractors."""
    return [{name: value for name, value in row.items() if not name.startswith("in_")} for row in page.rows]


def joint_rows(page: Page) -> list[dict[str, float]]:
    """All evidence."""
    return page.rows


def fit_tables(pages: list[Page]) -> Tables:
    """All four regressions."""
    tables = []
    for rows_of in (own_rows, joint_rows):
        tables += [Rows(pages, rows_of).fit(), _fit_second(pages, rows_of)]
    return Tables(*tables)


def _fit_second(pages: list[Page], rows_of: Callable[[Page], list[dict[str, float]]]) -> Table:
    chances: dict[Path, list[float]] = {}
    for inside, outside in folds(pages, INNER_FOLDS):
        first = Rows(inside, rows_of).fit()
        for page in outside:
            chances[page.path] = judge(rows_of(page), page.place, first, None)
    return Rows(pages, lambda page: list(context_evidence(rows_of(page), chances[page.path], page.place))).fit()


def folds(pages: Sequence[Page], count: int) -> Iterator[tuple[list[Page], list[Page]]]:
    """(pages to fit, pages to judge): all pages of a site on one side."""
    for number in range(count):
        outside = [page for page in pages if crc32(page.site.encode()) // 7 % count == number]
        sites = {page.site for page in outside}
        yield [page for page in pages if page.site not in sites], outside


def score(pages: Sequence[Page], tables: Tables) -> dict[str, list[float]]:
    """F1 of words of each page's text, by collection."""
    found = defaultdict(list)
    for page in pages:
        tree, _, title = opened(page.path)
        stored: Any = SimpleNamespace(fast=page.others["resi"], full=page.others["full"], precise=page.others["prec"])
        body = choose_body(read_blocks(tree), title, stored, tables)
        found[page.collection].append(overlap(body.text if body else "", page.gold))
    return found


def overlap(text: str, gold: str) -> float:
    """F1 of two bags of words."""
    left, right = Counter(words_of(text)), Counter(words_of(gold))
    size = left.total() + right.total()
    return 2 * (left & right).total() / size if size else 0.0


def show(title: str, scores: dict[str, list[float]]) -> None:
    """One line of figures."""
    figures = "  ".join(f"{name} {np.mean(values):.4f} [{len(values)}]" for name, values in sorted(scores.items()))
    print(f"{title}: {figures}", file=sys.stderr, flush=True)


def rewritten(source: str, tables: Tables) -> str:
    """The module's source with the numbers replaced."""
    for name in ("OWN_FIRST", "OWN_SECOND", "JOINT_FIRST", "JOINT_SECOND"):
        table = getattr(tables, name.lower())
        pairs = " ".join(f"{key}={value:.2f}" for key, value in sorted(table.items()) if key != BIAS and value)
        text = fill(pairs, 118, break_long_words=False, break_on_hyphens=False)
        start = source.index(f"\n{name} = _table(")
        end = source.index("\n)\n", start)
        source = f'{source[:start]}\n{name} = _table(\n    {table[BIAS]},\n    """\n{text}\n""",{source[end:]}'
    return source


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--write", type=Path, help="the module whose weights are replaced")
    options = parser.parse_args()
    pages = list(pages_of(options.corpus))
    validated: dict[str, list[float]] = defaultdict(list)
    for inside, outside in folds(pages, FOLDS):
        for name, values in score(outside, fit_tables(inside)).items():
            validated[name] += values
    show("cross-validated by site", validated)
    if options.write:
        tables = fit_tables(pages)
        show("on what it was fitted on", score(pages, tables))
        options.write.write_text(rewritten(options.write.read_text(encoding="utf-8"), tables), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
