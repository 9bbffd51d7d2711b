"""docs/formats.md says what is true: the code it quotes, the formats it lists, the fields it names."""

from __future__ import annotations

import re
from pathlib import Path

from worker.parse import table
from worker.parse.containers import OPENERS
from worker.parse.field_map import USUAL_NAMES

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([\w.+/-]+)` \|.*?(?:\| `([\w/]+\.py)` \|)?$", re.MULTILINE)


def test_quoted_code_is_the_file_s() -> None:
    quotes = re.findall(r"<!-- (\S+) -->\n```python\n(.*?)```", TEXT, re.DOTALL)
    assert [path for path, _ in quotes] == ["worker/parse/sitemap.py"]
    for path, code in quotes:
        assert code == (ROOT / path).read_text(encoding="utf-8")


def test_the_line_of_the_example_is_in_the_table() -> None:
    (line,) = re.findall(r"`(detect\.\w+: parse_\w+,)`", TEXT)
    assert f"    {line}\n" in (ROOT / "worker" / "parse" / "table.py").read_text(encoding="utf-8")


def test_every_format_has_its_row() -> None:
    assert {media_type for media_type, _ in ROW.findall(TEXT)} == {*table.PARSERS, *OPENERS}


def test_every_parser_s_module_is_named() -> None:
    for media_type, module in ROW.findall(TEXT):
        if media_type in table.PARSERS:
            named = "worker.parse." + module.removesuffix(".py").replace("/", ".")
            assert table.PARSERS[media_type].__module__ == named


def test_every_field_that_can_be_mapped_is_named() -> None:
    listed = re.search(r"- Fields: (.*?)\. A wrong", TEXT, re.DOTALL)
    assert listed is not None
    assert set(re.findall(r"`(\w+)`", listed[1])) == set(USUAL_NAMES)
