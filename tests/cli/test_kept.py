"""Every verb that records checks its receipts and keeps them; a server that lies is found out."""

import functools
import http.server
import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from counterfoil.client.kept_reports import keep_report
from counterfoil.client.push import waiting
from counterfoil.client.spool import SpoolWriter
from counterfoil.clock import SystemClock
from tests.cli import stepping
from tests.cli.conftest import Foil
from tests.loopback import serving
from tests.web_server import Running, event, running

REPORT = (
    '<testsuite name="s"><testcase classname="c" name="one"/><testcase name="two"/></testsuite>'
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "foil") as served:
        yield served


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project to stand in."""
    folder = tmp_path / "shop"
    (folder / ".git").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def url(foil: Foil, server: Running, monkeypatch: pytest.MonkeyPatch) -> str:
    del foil  # it empties the environment
    monkeypatch.setenv("COUNTERFOIL_TOKEN", server.token)
    return f"http://localhost:{server.port}"


class _Liar(http.server.BaseHTTPRequestHandler):
    """Hands requests on, and spoils what comes back."""

    def __init__(self, url: str, *rest: Any) -> None:
        self._url = url
        super().__init__(*rest)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        names = {name: self.headers[name] for name in ("Authorization", "Content-Type")}
        request = urllib.request.Request(self._url + self.path, data=body, headers=names)
        with urllib.request.urlopen(request, timeout=10) as answer:
            told = json.load(answer)
        for one in told["entries"]:
            # The same log's word for the same place, with another root under it.
            head, gap, note = one["receipt"].partition("\n\n")
            lines = note.split("\n")
            lines[2] = "A" * 43 + "="
            one["receipt"] = head + gap + "\n".join(lines)
        content = json.dumps(told).encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def liar(url: str) -> Iterator[str]:
    handler = functools.partial(_Liar, url)
    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)) as served:
        yield f"http://localhost:{served.server_port}"


def spool(project: Path, count: int) -> Path:
    folder = project / ".counterfoil" / "spool"
    writer = SpoolWriter(folder, producer="ci-7", boot="b1", project="default", via="cli",
                         clock=SystemClock())  # fmt: skip
    for _ in range(count):
        writer.append(json.dumps(event(), sort_keys=True).encode())
    writer.close()
    return folder


def kept(project: Path) -> list[str]:
    receipts = project / ".counterfoil" / "receipts"
    return sorted(path.name for path in receipts.rglob("*") if path.is_file())


def record(foil: Foil, project: Path, url: str) -> int:
    del project
    return foil("record", "approval.requested", "--ref", "release:shop@1", "--url", url).code


def report(foil: Foil, project: Path, url: str) -> int:
    (project / "junit.xml").write_text(REPORT)
    return foil("report", project / "junit.xml", "--url", url).code


def push(foil: Foil, project: Path, url: str) -> int:
    return foil("push", "--spool", spool(project, 2), "--url", url).code


def run(foil: Foil, project: Path, url: str) -> int:
    """In a process of its own: it takes the signals and the terminal of the one it is in."""
    del foil
    token = {"COUNTERFOIL_TOKEN": os.environ["COUNTERFOIL_TOKEN"]}
    return stepping.run(project, "--url", url, "--", "true", environment=token)[0]


VERBS: dict[str, Any] = {"record": record, "report": report, "push": push, "run": run}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS.keys())
def test_what_a_verb_recorded_leaves_receipts_in_the_project(
    foil: Foil, project: Path, url: str, verb: Any
) -> None:
    assert verb(foil, project, url) == 0

    counts = {"record": 1, "report": 3, "push": 2, "run": 2}
    proofs = [name for name in kept(project) if name.endswith(".tlog-proof")]
    assert len(proofs) == counts[verb.__name__]
    assert "checkpoint" in kept(project)
    assert (project / ".counterfoil" / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize(
    ("verb", "code"), [(record, 1), (report, 1), (push, 1), (run, 0)], ids=VERBS.keys()
)
def test_an_answer_that_proves_nothing_is_said_and_not_kept(
    foil: Foil,
    project: Path,
    url: str,
    liar: str,
    verb: Any,
    code: int,
) -> None:
    """The exit code of `run` stays the command's; its record waits, for somebody to look."""
    del url

    assert verb(foil, project, liar) == code

    assert kept(project) == []


def test_what_a_lying_server_answered_stays_in_the_spool(
    foil: Foil, project: Path, url: str, liar: str
) -> None:
    folder = spool(project, 3)

    ended = foil("push", "--spool", folder, "--url", liar)

    assert "[proof]" in ended.err
    assert waiting(folder) == 3
    assert foil("push", "--spool", folder, "--url", url).code == 0
    assert waiting(folder) == 0


def test_outside_of_any_project_no_folder_is_made(
    foil: Foil, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody records from their home directory: that is no place for a folder of ours."""
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home")

    assert record(foil, tmp_path, url) == 0

    assert list((tmp_path / "home").iterdir()) == []


def test_a_step_sent_through_its_directory_says_that_an_answer_does_not_hold(
    project: Path, server: Running, liar: str
) -> None:
    """Whoever holds the lock has answered, and not with the truth: "locked" would hide that."""
    folder = server.home.directory
    (folder / "server.json").write_text(json.dumps({"url": liar}))
    (folder / "admin.token").write_text(server.token)

    code, _, err = stepping.run(project, "--dir", folder, "--", "true")

    assert code == 0
    assert b"the answer does not hold" in err
    assert b"[proof]" in err
    assert len(stepping.spooled(folder / "spool")) == 2


def test_a_kept_report_that_is_pushed_leaves_receipts_in_the_project(
    foil: Foil, project: Path, url: str
) -> None:
    """It was sent late, and is proved as much as one that was not."""
    folder = project / ".counterfoil" / "spool"
    keep_report(folder, "late", REPORT.encode(), "default", {"name": "s"})

    assert foil("push", "--spool", folder, "--url", url).code == 0

    proofs = [name for name in kept(project) if name.endswith(".tlog-proof")]
    assert len(proofs) == 3
    assert "checkpoint" in kept(project)


def test_a_kept_report_stays_when_the_answer_to_it_does_not_hold(
    foil: Foil, project: Path, url: str, liar: str
) -> None:
    del url
    folder = project / ".counterfoil" / "spool"
    path = keep_report(folder, "late", REPORT.encode(), "default", {"name": "s"})

    ended = foil("push", "--spool", folder, "--url", liar)

    assert ended.code == 1
    assert "[proof]" in ended.err
    assert path.exists()
    assert kept(project) == []
