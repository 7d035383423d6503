"""What a unit allows is what the server needs, and no more: held against the server itself.

systemd's own checks read the units.  What no check can know, which calls of the system a server
makes and where it writes, is read off a real one under strace: a filter that kills it on somebody
else's machine would be found here.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from counterfoil.app.deploy_files import Installation, write_deploy_files
from counterfoil.app.founding import create_home
from counterfoil.ids import SystemRandomness
from tests.served_process import START_S
from tests.tools import needs_tool
from tests.web_server import event

EXPOSURE_MAX = 20
"""Tenths of systemd's own measure, from 0 to 10: "OK" ends at 4.9, and a plain unit has 9.6."""
SERVICES = ("counterfoil.service", "counterfoil-backup.service", "counterfoil-drill.service")
FAMILIES = {"AF_UNIX", "AF_INET", "AF_INET6"}
OPENED = re.compile(r'open(?:at)?\((?:\w+, )?"([^"]+)", [^)\n]*O_(?:WRONLY|RDWR|CREAT)')
MADE = re.compile(
    r'\b(?:mkdir|rename|unlink|rmdir|link|symlink|chmod|truncate)\w*\((?:\w+, )?"([^"]+)"'
)
CALL = re.compile(r"^\d+ +(?:<\.\.\. )?(\w+)[( ]", re.MULTILINE)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units of an installation whose program is there, laid out as systemd reads them."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "counterfoil").write_text("#!/bin/sh\n")
    (programs / "counterfoil").chmod(0o755)
    files = tmp_path / "files"
    write_deploy_files(files, Installation("foil.example", programs=str(programs)))
    return files


def analyze(*words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze on units of a folder, its own before this machine's."""
    needs_tool("systemd-analyze")
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *map(str, words)], check=False, capture_output=True,
        text=True, env={**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:", "SYSTEMD_LOG_COLOR": "0"},
    )  # fmt: skip


def test_systemd_finds_nothing_to_say_about_any_unit_or_drop_in(units: Path) -> None:
    drop_ins = units / "counterfoil.service.d"
    drop_ins.mkdir()
    for name in ("tls", "log"):
        (drop_ins / f"{name}.conf").write_bytes((units / f"counterfoil-{name}.conf").read_bytes())
    found = sorted(path for end in ("service", "timer") for path in units.glob(f"*.{end}"))

    checked = analyze("verify", "--man=no", *found, folder=units)

    assert len(found) == 5
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("name", SERVICES)
def test_systemd_counts_a_service_as_little_exposed(units: Path, name: str) -> None:
    checked = analyze(
        "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", units / name, folder=units
    )

    assert checked.returncode == 0, checked.stdout


def test_an_open_port_of_root_is_all_that_tls_by_itself_adds(units: Path) -> None:
    """The drop-in may bind port 443: everything else of root's stays away."""
    added = (units / "counterfoil-tls.conf").read_text()

    capabilities = re.findall(
        r"^(?:CapabilityBoundingSet|AmbientCapabilities)=(.*)$", added, re.MULTILINE
    )
    assert capabilities == ["CAP_NET_BIND_SERVICE", "CAP_NET_BIND_SERVICE"]


def allowed_calls(unit: Path) -> set[str]:
    """Return the system calls a unit lets through: its first list without its second."""
    said = re.findall(r"^SystemCallFilter=(~?)(@\S+)$", unit.read_text(), re.MULTILINE)
    assert [taken_back for taken_back, _ in said] == ["", "~"]
    groups: dict[str, set[str]] = {}
    listed = analyze("syscall-filter", folder=unit.parent).stdout
    for block in re.split(r"\n(?=@)", listed):
        name, *lines = block.splitlines()
        groups[name] = {line.strip() for line in lines if line.strip() and "#" not in line}

    def calls(name: str) -> set[str]:
        below = [calls(one) for one in groups[name] if one.startswith("@")]
        return {one for one in groups[name] if not one.startswith("@")}.union(*below)

    return calls(said[0][1]) - calls(said[1][1])


def serve_under_strace(directory: Path, trace: Path) -> None:
    """Serve with a worker, take an event, show a page, stop; every call is written down."""
    words = [needs_tool("strace"), "-f", "-qq", "-s", "200", "-o", trace, sys.executable, "-m",
             "counterfoil", "serve", "--dir", directory, "--port", "0", "--workers", "1"]  # fmt: skip
    # An installed program's bytecode was written when it was installed.
    quiet = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        [str(word) for word in words], stdout=subprocess.DEVNULL, env=quiet
    ) as traced:
        try:
            end = time.monotonic() + 4 * START_S
            while not (directory / "server.json").exists():
                assert traced.poll() is None
                assert time.monotonic() < end
                time.sleep(0.05)
            at = json.loads((directory / "server.json").read_text())
            token = (directory / "admin.token").read_text().strip()
            headers = {"Authorization": f"Bearer {token}"}
            posted = {**headers, "Content-Type": "application/cloudevents+json"}
            body = json.dumps(event()).encode()
            for path, data, sent in (
                ("/v1/events", body, posted),
                ("/v1/search?q=type:x", None, headers),
            ):
                asked = urllib.request.Request(at["url"] + path, data, sent)
                with urllib.request.urlopen(asked, timeout=60) as answer:
                    assert answer.status in {200, 201}
            os.kill(at["pid"], signal.SIGTERM)
            assert traced.wait(60) == 0
        finally:
            if traced.poll() is None:
                with contextlib.suppress(OSError, ValueError):
                    os.kill(
                        json.loads((directory / "server.json").read_text())["pid"], signal.SIGKILL
                    )
                traced.kill()


def test_the_unit_lets_a_server_do_what_it_does_and_write_in_its_ledger_alone(
    units: Path, tmp_path: Path
) -> None:
    """SystemCallFilter, RestrictAddressFamilies, MemoryDenyWriteExecute, ProtectSystem=strict."""
    directory, trace = tmp_path / "ledger", tmp_path / "trace"
    create_home(directory, SystemRandomness())
    serve_under_strace(directory, trace)
    text = trace.read_text(errors="replace")
    made = set(CALL.findall(text)) - {"resumed"}

    assert len(made) > 50
    # SQLite gives its journals their database's owner where root runs it, which the unit does not.
    made -= {"fchown"} if os.geteuid() == 0 else set()
    assert made - allowed_calls(units / "counterfoil.service") == set()
    assert set(re.findall(r"socket(?:pair)?\((AF_\w+)", text)) <= FAMILIES
    assert not re.search(r"mmap\([^)\n]*PROT_WRITE\|PROT_EXEC|mprotect\([^)\n]*PROT_EXEC", text)
    written = {*OPENED.findall(text), *MADE.findall(text)}
    ours = (str(directory), "/dev/null")
    assert {path for path in written if path.startswith("/") and not path.startswith(ours)} == set()
    assert any(path.startswith(str(directory)) for path in written)
