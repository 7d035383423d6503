"""Keep a small ledger of one version, whole, for the versions that come after it.

    python -m tools.keep_ledger NAME --at COMMIT [--source CHECKOUT]

Runs the program of a checkout (this one unless another is named) as its users do: `init`, `serve`,
calls over HTTP, verbs, `verify`.  What it wrote becomes `tests/vectors/ledgers/NAME/`:

- `ledger.tar.gz`: the directory as the server left it, databases, keys and tokens included; they
  open nothing but it.
- `kept.json`: what that version told: the head of each log, the verifier keys, and for some entries
  the event as posted, its receipt, its opening, and what that version opened of it.
- `checkpoints/`: the exported checkpoints.  `ORIGIN.md` says how it was made.

The calls here are those every version has answered since the first; what a version has not is
left out of its ledger.  Only the standard library: nothing of this version may make the other's.
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LEDGERS = ROOT / "tests" / "vectors" / "ledgers"
PROJECTS = ("default", "shop")
STARTS_WITHIN_S = 60
LEFT_OUT = ("lock", "server.json")
ATTACHED = b"line one of a log\nline two: 3 of 4 passed\n" * 3
REPORT = """<?xml version="1.0"?>
<testsuites><testsuite name="shop.checkout" tests="3" failures="1" errors="1" time="0.3">
<testcase classname="shop.checkout" name="pays" time="0.1"/>
<testcase classname="shop.checkout" name="refunds" time="0.1">
<failure message="19.99 is not 20.00">expected 20.00</failure></testcase>
<testcase classname="shop.checkout" name="logs in" time="0.1">
<error message="no answer">connection refused</error></testcase>
</testsuite></testsuites>
"""


class Program:
    """The program of one checkout.

    Args:
        source: the checkout.
        place: where it is run: no checkout, or its modules would be imported first.
    """

    def __init__(self, source: Path, place: Path) -> None:
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith("COUNTERFOIL")
        } | {"PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
        self._place = place

    def run(self, *words: str, codes: Sequence[int] = (0,)) -> str:
        """Run a verb to its end and return what it printed."""
        done = subprocess.run(
            self._words(words), env=self._environment, cwd=self._place,
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        if done.returncode not in codes:
            sys.exit(f"{' '.join(words)}: {done.returncode}: {done.stderr}{done.stdout}")
        return done.stdout

    def has(self, verb: str, word: str) -> bool:
        """Say whether a verb's help has a word in it."""
        return word in self.run(*verb.split(), "--help", codes=(0, 2))

    @contextmanager
    def serving(self, directory: Path) -> Iterator["Server"]:
        """Serve a directory until the end of the block; then end it as an operator does."""
        words = self._words(("serve", "--dir", str(directory), "--port", "0"))
        with subprocess.Popen(
            words, env=self._environment, cwd=self._place,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        ) as process:  # fmt: skip
            try:
                address = _address(directory, process)
                yield Server(address, (directory / "admin.token").read_text("ascii").strip())
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(60)

    def _words(self, words: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", "counterfoil", *words]


class Server:
    """A server that answers.

    Args:
        address: its base address.
        token: the administrator's.
    """

    def __init__(self, address: str, token: str) -> None:
        self._address = address
        self._token = token

    def call(
        self, method: str, path: str, body: bytes | None = None, kind: str = "application/json",
        *, token: str = "",
    ) -> tuple[int, bytes]:  # fmt: skip
        """Make one call; return status and body."""
        request = urllib.request.Request(  # noqa: S310  a loopback address of our own server
            self._address + path, data=body, method=method,
            headers={"Authorization": f"Bearer {token or self._token}", "Content-Type": kind},
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  the same
                return answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read()

    def json(self, method: str, path: str, value: object, kind: str = "application/json") -> Any:  # noqa: ANN401  JSON
        """Make a call that is answered by JSON."""
        body = None if value is None else json.dumps(value).encode()
        status, answer = self.call(method, path, body, kind)
        if status not in {200, 201}:
            sys.exit(f"{method} {path}: {status}: {answer.decode()}")
        return json.loads(answer)


def _address(directory: Path, process: "subprocess.Popen[bytes]") -> str:
    deadline = time.monotonic() + STARTS_WITHIN_S
    where = directory / "server.json"
    while time.monotonic() < deadline and process.poll() is None:
        if where.exists():
            found: Mapping[str, Any] = json.loads(where.read_text("utf-8"))
            return str(found.get("url") or found.get("address"))
        time.sleep(0.05)
    process.kill()
    assert process.stderr is not None, "it is read"
    sys.exit(f"the server did not start: {process.stderr.read().decode()}")


def events(attached: str) -> list[dict[str, Any]]:
    """Return what is posted: persons, personal values, text of any language, a blob and a gap."""
    people = ("ana@acme.example", "bo@acme.example", "ci.example:acme/shop")
    made: list[dict[str, Any]] = []
    for number in range(12):
        who = people[number % len(people)]
        commit = hashlib.sha1(str(number // 4).encode()).hexdigest()  # noqa: S324  a name of a commit
        refs = [{"ref": f"commit:acme/shop@{commit}", "role": "input"}]
        if number % 3 == 0:
            refs.append({"ref": f"actor:{people[1]}", "role": "reviewer"})
        data: dict[str, Any] = {
            "outcome": "failure" if number % 5 == 4 else "success",
            "number": number,
            "note": f"nöte {number}, 20 €",
            "refs": refs,
        }
        if number % 4 == 0:
            data |= {"author": {"email": who, "name": "Ana"}, "personal": ["/author/email"]}
        if attached and number % 6 == 0:
            data["blobs"] = [{"digest": attached, "name": "log.txt", "mediatype": "text/plain"}]
        made.append(
            {
                "specversion": "1.0",
                "type": "com.example.step.finished",
                "source": "https://ci.example/acme/shop",
                "id": f"event-{number}",
                "time": "2026-11-20T12:00:00Z",
                "authtype": "service_account" if "ci." in who else "user",
                "authid": who,
                "subject": f"run:acme/shop/{number}",
                "data": data,
            }
        )
    return made


def record(server: Server) -> list[dict[str, Any]]:
    """Record all of it; return what the server told of each event."""
    digest = f"sha256:{hashlib.sha256(ATTACHED).hexdigest()}"
    status, _ = server.call("PUT", f"/v1/blobs/{digest}", ATTACHED, "text/plain")
    posted = events(digest if status in {200, 201} else "")
    told: list[dict[str, Any]] = []
    for project in PROJECTS:
        query = f"?project={project}"
        kind = "application/cloudevents-batch+json"
        answer = server.json("POST", f"/v1/events{query}", posted, kind)
        for event, one in zip(posted, answer["entries"], strict=True):
            shown = server.json("GET", f"/v1/entries/{one['index']}{query}", None)
            told.append({"project": project, "event": event, "answer": one})
            told[-1]["opened"] = shown["event"]
    server.call("POST", "/v1/reports?run=run:acme/shop/77", REPORT.encode(), "application/xml")
    server.call("POST", "/v1/events", b"{}", token="cf_" + "0" * 48)  # it is refused, and counted
    return told[:8] + told[-2:]


def make(program: Program, directory: Path) -> list[dict[str, Any]]:
    """Make the ledger; return what was told of the events."""
    program.run("init", str(directory), "--project", PROJECTS[0])
    for project in PROJECTS[1:]:
        program.run("init", str(directory), "--project", project)
    settings = directory / "counterfoil.toml"
    if "[aggregate]" in settings.read_text("utf-8"):
        text = settings.read_text("utf-8")
        settings.write_text(text.replace("# interval_s = 60 ", "interval_s = 1 "), "utf-8")
    where = ("--dir", str(directory))
    if program.has("admin", "people"):
        program.run("admin", "people", "add", "ana", "--name", "Ana", *where)
        program.run("admin", "accounts", "link", "ana", "acme.example:ana", *where)
        program.run("admin", "roles", "grant", "ana", "auditor", *where)
        program.run("admin", "tokens", "add", "nightly", "--for", "shop", *where)
    with program.serving(directory) as server:
        told = record(server)
        approval = ("record", "approval.requested", "--ref", "release:shop@2.4", *where)
        program.run(*approval, "--by", "ana@acme.example")
        time.sleep(2.5)  # an interval of the aggregate log, and the rows of pages
        server.call("GET", "/v1/runs?project=default")
    return told


def keep(program: Program, directory: Path, told: list[dict[str, Any]], to: Path) -> None:
    """Write what is kept of a ledger that is closed."""
    verdict = json.loads(program.run("verify", str(directory), "--json"))
    shutil.rmtree(to, ignore_errors=True)
    (to / "checkpoints").mkdir(parents=True)
    logs = {}
    for exported in sorted((directory / "public").glob("[!.]*")):
        note = (exported / "checkpoint").read_bytes()
        (to / "checkpoints" / f"{exported.name}.checkpoint").write_bytes(note)
        origin, size, root = note.decode().split("\n")[:3]
        vkey = (directory / "keys" / f"{exported.name}.vkey").read_text("ascii").strip()
        logs[exported.name] = {"origin": origin, "size": int(size), "root": root, "vkey": vkey}
    kept = {"logs": logs, "told": told, "checked": verdict["checked"]}
    (to / "kept.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
    with (to / "ledger.tar.gz").open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, 0) as packed:
        packed.write(_packed(directory))


def _packed(directory: Path) -> bytes:
    """Return the directory as a tar archive, modes kept, names and times of this machine not."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(directory.rglob("*")):
            if path.name in LEFT_OUT:
                continue
            one = archive.gettarinfo(path, f"ledger/{path.relative_to(directory)}")
            one.uid = one.gid = 0
            one.uname = one.gname = ""
            one.mtime = 0
            if one.isreg():
                archive.addfile(one, io.BytesIO(path.read_bytes()))
            else:
                archive.addfile(one)
    return content.getvalue()


def main() -> None:
    """Make and keep one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("name")
    parser.add_argument("--at", required=True, help="the commit, for the note")
    parser.add_argument("--source", type=Path, default=ROOT, help="the checkout that is run")
    parser.add_argument(
        "--what", default="", help="a line on what this state could and how it wrote"
    )
    options = parser.parse_args()
    to = LEDGERS / options.name
    with tempfile.TemporaryDirectory() as scratch:
        program, directory = (
            Program(options.source.resolve(), Path(scratch)),
            Path(scratch) / "ledger",
        )
        told = make(program, directory)
        keep(program, directory, told, to)
    (to / "ORIGIN.md").write_text(
        f"# {options.name}\n\n{options.what}\n\nWritten by the program of commit `{options.at}` of this"
        f" project, in a clone of its own:\n\n    python -m tools.keep_ledger {options.name}"
        f" --at {options.at} --source CLONE\n",
        "utf-8",
    )
    print(f"{to}: {sum(path.stat().st_size for path in to.rglob('*') if path.is_file()):,} bytes")


if __name__ == "__main__":
    main()
