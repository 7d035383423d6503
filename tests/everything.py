"""The smallest ledger directory that has one of everything that is evidence.

Two projects and the log `_access` with people and roles in it; entries whose bodies are sealed and
plain, with values of people and without; a blob of each sealed form, and one that is absent; the
exported logs with the cosignatures of a witness; the aggregate log.

    everything = build_everything(tmp_path)

Made by the ledger itself, under a clock and a randomness of ours, and closed.
"""

import contextlib
import hashlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from counterfoil.app.founding import create_home
from counterfoil.app.home import Home, open_home
from counterfoil.app.record import LOCAL
from counterfoil.client.evidence_rows import AGGREGATED, ERASABLE, LEDGER
from counterfoil.client.evidence_sqlite import Kind
from counterfoil.clock import SteppedClock
from counterfoil.events.naming import BlobName
from counterfoil.ids import SeededRandomness
from counterfoil.tlog.cosignature import cosign
from counterfoil.tlog.keys import COSIGNATURE, SignerKey, parse_vkey
from counterfoil.tlog.note_text import parse_note
from tests.app import approving
from tests.ledgers import make_sample

PROJECTS = ("default", "second")
LOGS = (*PROJECTS, "_access", "_aggregate")
EVENTS = 7
DATABASES: dict[str, Kind] = {kind.name: kind for kind in (LEDGER, ERASABLE, AGGREGATED)}

FIRST_FORM = b"a line that was sealed in form 1\n" * 3
SECOND_FORM = b"a line that was sealed in form 2\n" * 3


@dataclass(frozen=True)
class Everything:
    """A closed ledger directory.

    Args:
        directory: the ledger.
        policy: a file that trusts its logs, and asks for the witness that cosigned them.
    """

    directory: Path
    policy: Path


def build_everything(place: Path) -> Everything:
    """Make the ledger in a directory that holds nothing else yet."""
    directory = place / "ledger"
    randomness, clock = SeededRandomness("everything"), SteppedClock()
    for project in PROJECTS:
        create_home(directory, randomness, project=project, origin=f"log.example/{project}")
    (directory / "counterfoil.toml").write_text("[aggregate]\ninterval_s = 86400\n")
    with open_home(directory, clock, randomness) as home:
        fill(home)
    _seal_in_form_1(directory, FIRST_FORM)
    for log in LOGS:
        _drop_earlier_partials(directory / "public" / log)
    witness = SignerKey.from_seed("witness.example/audit", bytes(32), COSIGNATURE)
    policy = place / "policy"
    keys = [(directory / "keys" / f"{log}.vkey").read_text().strip() for log in LOGS]
    policy.write_text(
        "".join(f"log {parse_vkey(key)}\n" for key in keys)
        + f"witness audit {witness.vkey}\nquorum audit\n"
    )
    for log in LOGS:
        path = directory / "public" / log / "checkpoint"
        note = path.read_bytes()
        path.chmod(0o600)
        path.write_bytes(note + cosign(witness, parse_note(note).text, 1_800_000_000))
    return Everything(directory, policy)


def fill(home: Home) -> None:
    """Record a few events of every kind of storage in both projects."""
    approving.people(home)
    for project in PROJECTS:
        absent = BlobName(f"sha256:{7:064x}", "gone.txt", "text/plain")
        kept = [
            home.recorder.put_blob(content, "log.txt", "text/plain", project)
            for content in (FIRST_FORM, SECOND_FORM)
        ]
        events = [
            make_sample(number, [*kept, absent] if number == 1 else ()) for number in range(EVENTS)
        ]
        home.recorder.record(project, events, LOCAL, "cli")
    approving.ask(home)
    approving.sign(home)


def _seal_in_form_1(directory: Path, plain: bytes) -> None:
    """Put one blob back as it was sealed before there was a form 2."""
    with (
        contextlib.closing(sqlite3.connect(directory / "erasable.db")) as keys, keys,
        contextlib.closing(sqlite3.connect(directory / "ledger.db")) as ledger, ledger,
    ):  # fmt: skip
        digest = f"sha256:{hashlib.sha256(plain).hexdigest()}"
        stored, key = keys.execute(
            "SELECT stored, key FROM blob_keys WHERE digest = ?", (digest,)
        ).fetchone()
        sealed = AESGCM(key).encrypt(bytes(12), plain, None)
        name = hashlib.sha256(sealed).hexdigest()
        _path(directory, stored).unlink()
        path = _path(directory, f"sha256:{name}")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(sealed)
        keys.execute("UPDATE blob_keys SET stored = ? WHERE digest = ?", (f"sha256:{name}", digest))
        ledger.execute("UPDATE blobs SET stored = ? WHERE stored = ?", (f"sha256:{name}", stored))


def _drop_earlier_partials(public: Path) -> None:
    """Remove what the exporter left of earlier sizes: how much there is, is a matter of timing."""
    for folder in public.rglob("*.p"):
        for path in sorted(folder.iterdir(), key=lambda path: int(path.name))[:-1]:
            path.unlink()


def _path(directory: Path, stored: str) -> Path:
    name = stored.removeprefix("sha256:")
    return directory / "blobs" / name[:2] / name
