"""Ledgers whose keys change: recorded into, handed over, copied at a moment, verified."""

import shutil
from collections.abc import Callable
from pathlib import Path

from counterfoil.app.actions import act
from counterfoil.app.founding import create_home
from counterfoil.app.home import Home, open_home
from counterfoil.app.record import LOCAL
from counterfoil.client.evidence import verify_path
from counterfoil.clock import SteppedClock
from counterfoil.events.event import make_event
from counterfoil.ids import SeededRandomness
from counterfoil.tlog.keys import SignerKey, VerifierKey, parse_signer_key, parse_vkey
from counterfoil.verifier.report import Report

ORIGIN = "log.example/acme"


def make(directory: Path) -> Path:
    """Make an empty ledger."""
    create_home(directory, SeededRandomness("create"), origin=ORIGIN)
    return directory


def opened(directory: Path, seed: str = "open") -> Home:
    """Open a ledger; whoever asked closes it."""
    return open_home(directory, SteppedClock("2026-11-20T14:03:22.000Z"), SeededRandomness(seed))


def record(home: Home, *names: str) -> list[bytes]:
    """Record an event of each name and return their receipts."""
    events = [
        make_event(
            type="dev.cdeventsx.counterfoil-ping.0.1.0",
            source="urn:test",
            id=name,
            time="2026-11-20T14:00:00Z",
            authtype="service_account",
            authid="ci",
            data={"event": name},
        )
        for name in names
    ]
    return [one.receipt for one in home.recorder.record("default", events, LOCAL, "cli")]


def rotate(home: Home, project: str = "default", reason: str = "") -> int:
    """Hand a log over to another key; return the entry that says so."""
    given = {"project": project, "reason": reason}
    return int(act(home, LOCAL, "keys-rotate", given, "cli").entry)  # type: ignore[attr-defined]


def retire(home: Home, **given: object) -> int:
    """Retire an earlier key; return up to which size it is believed."""
    return int(act(home, LOCAL, "keys-retire", given, "cli").size)  # type: ignore[attr-defined]


def vkey(directory: Path, project: str = "default") -> VerifierKey:
    """Return the verifier key that stands in a ledger."""
    return parse_vkey((directory / "keys" / f"{project}.vkey").read_text("ascii").strip())


def signer(directory: Path, name: str = "default.key") -> SignerKey:
    """Return a signer key that stands in a ledger."""
    return parse_signer_key((directory / "keys" / name).read_text("ascii").strip())


def verified(target: Path | str, trust: Path | None = None, **options: object) -> Report:
    """Verify a ledger or an exported log."""
    report = verify_path(str(target), trust=trust, **options)  # type: ignore[arg-type]
    assert isinstance(report, Report)
    return report


def found(report: Report) -> list[tuple[str, str]]:
    """Return class and object of each finding."""
    return [(one.klass, one.object) for one in report.findings]


def policy(path: Path, *lines: str) -> Path:
    """Write a trust policy that asks for no witness."""
    path.write_text("".join(f"{line}\n" for line in (*lines, "quorum none")), "utf-8")
    return path


def at_each_step(
    owner: type, names: tuple[str, ...], keep: Callable[[str], None]
) -> Callable[[], None]:
    """Call `keep` before each of some methods; return what undoes it."""
    before = {name: getattr(owner, name) for name in names}

    def told(name: str) -> Callable[..., object]:
        def call(*given: object) -> object:
            keep(f"before {name}")
            return before[name](*given)

        return call

    for name in names:
        setattr(owner, name, told(name))

    def undo() -> None:
        for name, method in before.items():
            setattr(owner, name, method)

    return undo


def copied(directory: Path, to: Path) -> Path:
    """Return a copy of a ledger as a kill at this moment would leave it."""
    shutil.copytree(directory, to)
    (to / "server.json").unlink(missing_ok=True)
    return to
