"""`copydesk sources` for feeds: lists from and for other readers, and why a feed is polled when it is."""

from __future__ import annotations

from pathlib import Path

from tests.cli_support import Cli

LIST = """<opml version="2.0"><body><outline text="Local"><outline text="County" xmlUrl="https://county.example/rss"/>
<outline text="Disk" xmlUrl="file:///etc/passwd"/></outline></body></opml>"""


def test_a_list_goes_in_and_out(tmp_path: Path) -> None:
    desk = Cli(tmp_path)
    (tmp_path / "mine.opml").write_text(LIST)
    told = desk.run("sources", "import-opml", "mine.opml").stdout
    assert b"added 1 feeds, 0 were known" in told
    assert b"left out file:///etc/passwd" in told
    assert desk.json("sources", "import-opml", "mine.opml")["known"] == 1
    (row,) = desk.lines("sources", "list")
    assert (row["id"], row["tags"], row["due"]) == ("county", ["Local"], "now")
    assert row["state"] in ("healthy", "late"), "nobody polls here"
    written = desk.run("sources", "export-opml").stdout
    assert b'xmlUrl="https://county.example/rss"' in written
    assert desk.json("sources", "why", "county")["polls"] == []
    assert desk.run("sources", "why", "county").stdout.startswith((b"county: healthy", b"county: late"))
    desk.run("sources", "poll", "county")
    assert b"there is no source" in desk.run("sources", "why", "nobody", code=2).stderr
    assert b"no OPML" in desk.run("sources", "import-opml", str(desk.config / "worker.toml"), code=2).stderr
