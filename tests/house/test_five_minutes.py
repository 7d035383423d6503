"""The README's path for a newcomer, typed as it stands there, into a shell in an empty directory."""

import contextlib
import http.cookiejar
import os
import re
import shlex
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.house.test_packaging import ROOT, sdist, wheel

__all__ = ["sdist", "wheel"]

HEAD = "## Five minutes to a proof of a test of your own"
LIMIT_S = 240.0  # a shell that answers nothing any more is ended
VERBS = ("serve --dir", "pytest --", "search", "prove", "verify")
DONE = "--- ended with "


class Shell:
    """A shell somebody types into."""

    def __init__(self, place: Path, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            ["bash", "-m"], cwd=place, env=environment, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._watchdog = threading.Timer(LIMIT_S, self._process.kill)
        self._watchdog.start()
        self._keys: IO[str] = self._process.stdin
        self._screen: IO[str] = self._process.stdout

    def type(self, line: str) -> str:
        """Type a line; return what appears until it has ended well."""
        # From nowhere: what is typed next is for the shell and for nobody else.
        self._keys.write(f"eval {shlex.quote(line)} </dev/null\necho '{DONE}'$?\n")
        self._keys.flush()
        shown = self.until(DONE)
        assert shown.rstrip().endswith(DONE + "0"), f"{line}\n{shown}"
        return shown

    def until(self, word: str) -> str:
        """Return what appears up to a line that holds a word."""
        shown = ""
        for line in self._screen:
            shown += line
            if word in line:
                return shown
        raise AssertionError(f"the shell is gone before {word!r}:\n{shown}")

    def close(self) -> None:
        """Leave, and end what runs in the background."""
        with contextlib.suppress(OSError):
            self._keys.write("kill $(jobs -p) 2>/dev/null; wait; exit\n")
            self._keys.close()
        self._watchdog.cancel()
        self._screen.close()
        self._process.wait(60)


def typed_lines() -> list[str]:
    text = (ROOT / "README.md").read_text("utf-8")
    section = text[text.index(HEAD) :].split("\n## ", 1)[0]
    return re.findall(r"^    \$ (.+)$", section, flags=re.MULTILINE)


@pytest.fixture
def shell(tmp_path: Path, wheel: Path) -> Iterator[Shell]:
    """A shell in an empty directory, whose pip finds this package and takes the pinned others."""
    pins = (ROOT / "requirements" / "dev.txt").read_text("utf-8")
    constraints = tmp_path / "constraints.txt"
    names = re.findall(r"^([A-Za-z0-9._-]+==[^ \\]+)(?: ; [^\\\n]+)?", pins, flags=re.MULTILINE)
    constraints.write_text("\n".join([*names, "counterfoil==0.1.0"]))
    place = tmp_path / "empty"
    place.mkdir()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("COUNTERFOIL")},
        "PIP_CONSTRAINT": str(constraints), "PIP_FIND_LINKS": str(wheel.parent),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    shell = Shell(place, environment)
    yield shell
    shell.close()


def test_a_newcomer_gets_from_an_empty_directory_to_a_proof_of_a_test(shell: Shell) -> None:
    lines = typed_lines()
    assert len(lines) <= 13
    browser = urllib.request.build_opener(
        urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    )
    seen: dict[str, str] = {}
    for line in lines:
        verb = next((one for one in VERBS if one in line), "")
        if verb == "serve --dir":
            # Another program may have the port that people get.
            shell.type(line.replace(" &", " --port 0 &"))
            link = re.search(r"http://\S+/sign-in\S+", shell.until("/sign-in"))
            assert link is not None
            assert browser.open(link[0]).status == 200
            # What the one button of that page does.
            address, _, token = link[0].partition("?token=")
            form = urllib.parse.urlencode({"token": token}).encode()
            assert browser.open(address, form).status == 200
        else:
            seen[verb] = shell.type(line)
        if verb == "pytest --":
            page = re.search(r"; see (http://\S+)", seen[verb])
            assert page is not None, seen[verb]
            shown = browser.open(page[1]).read().decode()
            assert "test_adds" in shown
            assert "1 passed" in seen[verb]

    assert re.search(r"test_adds: passed\tpassed\tentry 3$", seen["search"], flags=re.MULTILINE), (
        seen["search"]
    )
    assert "wrote proof.html" in seen["prove"]
    assert "verified" in seen["verify"]
    assert "test_adds" in seen["verify"]
