"""A server whose disk changed says so by itself, on every page, and puts it on record."""

import re
import sqlite3
import time
from pathlib import Path

from counterfoil.app.scrub import DAMAGED_TYPE
from tests.admin_reader import Reader, sign_in
from tests.web_server import event, running

FOUND_S = 60.0
ALONE = ("/account", "/step-up")
PATHS = ("/", "/releases", "/runs", "/search", "/log?project=other", "/admin", "/entries/0")


def banner(reader: Reader, path: str) -> str:
    """Return the text in the place of the banner."""
    marks = r'<div id="damage" data-live>(.*?)</div>\n(?!<p>Keep)'
    [found] = re.findall(marks, reader.page(path), re.DOTALL)
    return str(found)


def test_damage_shows_on_every_page_without_anybody_asking(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    with running(directory) as server:
        for _ in range(3):
            assert server.call("POST", "/v1/events", event()).status == 201
        reader = sign_in(server)
        assert [banner(reader, path) for path in PATHS] == [""] * len(PATHS)
    # A failing disk can do this, and so can whoever owns the file; no start-up check looks here.
    db = sqlite3.connect(directory / "ledger.db")
    with db:
        db.execute(
            "UPDATE bodies SET data = zeroblob(90)"
            " WHERE project = 'default' AND idx = 1 AND name = 'body'"
        )
    db.close()

    with running(directory) as server:
        reader = sign_in(server)
        end_s = time.monotonic() + FOUND_S
        while not banner(reader, "/log"):
            assert time.monotonic() < end_s, "nobody read it again"
            time.sleep(0.1)
        [told] = [
            line for line in server.home.reader.log_lines("default", limit=9)
            if line.type == DAMAGED_TYPE
        ]  # fmt: skip
        for path in PATHS:
            said = banner(reader, path)
            assert 'role="alert"' in said, path
            assert "bodies row 1 position 0 of default" in said, said
            assert f'href="/entries/{told.index}"' in said, "the entry that says so"
        for path in ALONE:
            assert f'href="/entries/{told.index}"' in reader.page(path), path
        assert "damaged" in reader.page("/log").partition('id="health"')[2][:6_000]


def test_the_settings_can_say_that_nothing_is_read_again(tmp_path: Path) -> None:
    with running(tmp_path / "ledger", settings="[scrub]\nshare_percent = 0\n") as server:
        assert server.home.scrub.reread("default") is None
        assert "the settings say never" in sign_in(server).page("/log")
