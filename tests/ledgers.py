"""Real ledger directories for tests, made through the real front door and closed.

    ledger = build_ledger(tmp_path / "ledger", events=37)

Everything follows from the arguments, so a ledger can be built once and copied for each test.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from counterfoil.app.blobs import Blobs
from counterfoil.app.posted import Answer
from counterfoil.app.record import LOCAL, Recorder
from counterfoil.clock import SteppedClock
from counterfoil.events.canonical import JSON
from counterfoil.events.event import Event, make_event
from counterfoil.events.naming import BlobName
from counterfoil.ids import SeededRandomness
from counterfoil.ledger.append import Ledger
from counterfoil.policy.access import Credential, Decision, ceiling
from counterfoil.stores.blobs import BlobFiles
from counterfoil.stores.erasable import ErasableStore
from counterfoil.stores.files import PublicFiles
from counterfoil.stores.sqlite import SqliteLogStore
from counterfoil.stores.state import State
from counterfoil.tlog.keys import SignerKey, VerifierKey

PROJECT = "default"
PEOPLE = ("ana@acme.example", "bo@acme.example", "ci.example:acme/shop")
TECHNICAL = "dev.cdeventsx.counterfoil-refusal.counted.0.1.0"


@dataclass(frozen=True)
class Built:
    """A closed ledger directory and what its producers were told.

    Args:
        directory: the ledger.
        vkeys: the verifier key of each project.
        events: what was posted, by project and in order.
        answers: what came back, likewise.
        blobs: the plain contents of the blobs.
    """

    directory: Path
    vkeys: dict[str, VerifierKey]
    events: dict[str, list[Event]]
    answers: dict[str, list[Answer]]
    blobs: tuple[bytes, ...]

    def receipt(self, index: int, project: str = PROJECT) -> bytes:
        """Return the receipt of an entry."""
        return self.answers[project][index].receipt

    def write_contents(self, directory: Path, index: int) -> tuple[Path, Path, Path]:
        """Write receipt, event and opening of an entry to files and return their paths."""
        answer = self.answers[PROJECT][index]
        receipt = directory / f"{index}.tlog-proof"
        event, opening = directory / f"{index}.event.json", directory / f"{index}.opening.json"
        receipt.write_bytes(answer.receipt)
        event.write_text(json.dumps(self.events[PROJECT][index].to_json()), "utf-8")
        opening.write_text(json.dumps(answer.to_json()), "utf-8")
        return receipt, event, opening


def build_ledger(
    directory: Path,
    *,
    events: int = 37,
    projects: tuple[str, ...] = (PROJECT,),
    blob_bytes: int = 200,
    seed: str = "ledger",
) -> Built:
    """Make a ledger directory with events of every kind of storage, and close it.

    Every third event names a person besides its actor, every fifth carries a blob and names one
    that is absent, and every seventh is technical: its body is stored plain.

    Args:
        directory: absent.
        events: how many, in each project.
        projects: the logs to make.
        blob_bytes: the size of each blob.
        seed: names other keys, pseudonyms and salts.
    """
    vkeys = create_ledger(directory, projects, seed)
    contents = tuple(_blob(number, blob_bytes) for number in range(0, events, 5))
    posted: dict[str, list[Event]] = {}
    answers: dict[str, list[Answer]] = {}
    with open_ledger(directory, seed) as (_, recorder):
        for project in projects:
            posted[project] = []
            for number in range(events):
                blobs = []
                if number % 5 == 0:
                    absent = BlobName(f"sha256:{number:064x}", "gone.txt", "text/plain")
                    content = contents[number // 5]
                    blobs = [recorder.put_blob(content, "log.txt", "text/plain"), absent]
                posted[project].append(make_sample(number, blobs))
            answers[project] = recorder.record(project, posted[project], LOCAL, "cli")
    return Built(directory, vkeys, posted, answers, contents)


def create_ledger(
    directory: Path, projects: tuple[str, ...], seed: str = "ledger"
) -> dict[str, VerifierKey]:
    """Make the files of an empty ledger."""
    for name in ("keys", "blobs", "public"):
        (directory / name).mkdir(parents=True)
    ErasableStore(directory / "erasable.db", SeededRandomness(seed), create=True).close()
    store = SqliteLogStore(directory / "ledger.db", create=True)
    vkeys: dict[str, VerifierKey] = {}
    for project in projects:
        origin = f"log.example/{seed}/{project}"
        signer = SignerKey.from_seed(origin, SeededRandomness(origin).token(32))
        (directory / "keys" / f"{project}.key").write_text(signer.to_text() + "\n", "ascii")
        (directory / "keys" / f"{project}.vkey").write_text(f"{signer.vkey}\n", "ascii")
        store.create_log(project, origin)
        vkeys[project] = signer.vkey
    store.close()
    return vkeys


def _may(
    credential: Credential, verb: str, project: str, source: str = "",
    refs: Sequence[str] = (), claimed: str = "",
) -> Decision:  # fmt: skip
    """Say what the table says: there is no directory of people here."""
    del refs, claimed
    return ceiling(credential, verb, project, source)


@contextmanager
def open_ledger(
    directory: Path, seed: str = "ledger", *, export_interval_s: float = 3_600.0
) -> Iterator[tuple[Ledger, Recorder]]:
    """Open a ledger as the server does; everything is exported when the block ends."""
    store = SqliteLogStore(directory / "ledger.db")
    keys = ErasableStore(directory / "erasable.db", SeededRandomness(f"{seed} people"))
    clock = SteppedClock()
    signers = {
        log.project: SignerKey.from_seed(log.origin, SeededRandomness(log.origin).token(32))
        for log in store.projects()
    }
    ledger = Ledger(
        store, keys, signers, PublicFiles(directory / "public"), clock,
        export_interval_s=export_interval_s,
    )  # fmt: skip
    ledger.open()
    randomness = SeededRandomness(f"{seed} events {store.head(store.projects()[0].project).size}")
    state = State(directory / "state.db")
    blobs = Blobs(
        files=BlobFiles(directory / "blobs"), keys=keys, log=store, state=state, clock=clock,
        randomness=randomness,
    )  # fmt: skip
    recorder = Recorder(
        ledger=ledger,
        log=store,
        keys=keys,
        blobs=blobs,
        clock=clock,
        randomness=randomness,
        may=_may,
    )
    try:
        yield ledger, recorder
    finally:
        ledger.close()
        state.close()
        store.close()
        keys.close()


def make_sample(number: int, blobs: Sequence[BlobName] = ()) -> Event:
    """Return event `number`, which names `blobs`."""
    who = PEOPLE[number % len(PEOPLE)]
    refs = [("commit:acme/shop@9fceb02d0ae598e95dc970b74767f19372d61af8", "input")]
    if number % 3 == 0:
        refs.append((f"actor:{PEOPLE[(number + 1) % len(PEOPLE)]}", "reviewer"))
    data: dict[str, JSON] = {"outcome": "success", "number": number, "note": f"nöte {number}"}
    if number % 4 == 0:
        data.update(author={"email": who, "name": "Ana"}, personal=["/author/email"])
    return make_event(
        type=TECHNICAL if number % 7 == 6 else "com.example.step.finished",
        source="https://ci.example/acme/shop",
        id=f"event-{number}",
        time="2026-11-20T12:00:00Z",
        authtype="service_account",
        authid=who,
        subject=f"run:acme/shop/{number}",
        refs=refs,
        blobs=blobs,
        data=data,
        producer="ci-7",
        boot="b1",
        seq=number,
    )


def _blob(number: int, size_bytes: int) -> bytes:
    return (f"line of blob {number}\n".encode() * (size_bytes // 10 + 1))[:size_bytes]
