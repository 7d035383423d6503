import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import counterfoil
from counterfoil.clock import SteppedClock
from counterfoil.errors import EvidenceError, UnavailableError
from counterfoil.ids import SeededRandomness
from counterfoil.ledger.append import Ledger
from counterfoil.ledger.sign import SELF_CHECK_SEAL, Checked, Notary
from counterfoil.ledger.store import LogStore
from counterfoil.stores.erasable import ErasableStore
from counterfoil.stores.files import PublicFiles
from counterfoil.stores.sqlite import SqliteLogStore, SqliteWriting
from counterfoil.stores.sqlite_driver import Connection
from counterfoil.tlog.checkpoint import sign_checkpoint
from counterfoil.tlog.note import SignerKey
from counterfoil.tlog.tree import EMPTY_ROOT, TreeHead
from tests.ledger_place import (
    ANSWER_TIMEOUT_S,
    ORIGIN,
    PROJECT,
    SIGNER,
    Place,
    make_item,
    make_items,
)


def test_only_the_self_check_makes_what_the_notary_signs() -> None:
    """A signature for an unchecked head has to be impossible to write down by mistake."""
    head = TreeHead(0, EMPTY_ROOT)
    notary = Notary({PROJECT: SIGNER})

    with pytest.raises(TypeError, match="only the self-check"):
        Checked(PROJECT, head, seal=object())
    for impostor in (head, (PROJECT, head), SELF_CHECK_SEAL):
        with pytest.raises(TypeError, match="only a checked head"):
            notary.sign(impostor)  # type: ignore[arg-type]


def test_only_the_self_check_holds_the_seal() -> None:
    """Read in the source: no other module so much as names it."""
    package = Path(counterfoil.__file__).parent
    holders = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "SELF_CHECK_SEAL" in path.read_text()
    }
    assert holders == {"ledger/sign.py", "ledger/selfcheck.py"}


class CountingSigner(SignerKey):
    """A key that notes what it signs."""

    signed: list[bytes] = []  # noqa: RUF012  one for the test that clears it

    def sign(self, text: bytes) -> bytes:
        """Sign and note it."""
        self.signed.append(text)
        return super().sign(text)


class FlippingStore(SqliteLogStore):
    """Storage that changes its mind between the commit and the read-back."""

    flip: Callable[[Connection], object] | None = None

    @contextmanager
    def write(self) -> Iterator[SqliteWriting]:
        """Commit as told, then let the flip happen."""
        with super().write() as writing:
            yield writing
        if self.flip is not None:
            with self._db.transaction() as db:
                self.flip(db)
            self.flip = None


FLIPS = {
    "a byte of an entry": "UPDATE entries SET entry = CAST(entry || '!' AS BLOB) WHERE idx = 256",
    "a salt": "UPDATE entries SET salt = zeroblob(16) WHERE idx = 255",
    "a byte of a sealed body": "UPDATE bodies SET data = CAST(data || '!' AS BLOB) WHERE idx = 257",
    "the owner of a sealed piece": "UPDATE bodies SET owner = 'plain' WHERE idx = 257",
    "a sealed piece that is gone": "DELETE FROM bodies WHERE idx = 256 AND position = 1",
    "the name of a blob": "UPDATE blobs SET stored = '' WHERE idx = 256 AND position = 0",
    "an entry that is gone": "DELETE FROM entries WHERE idx = 258",
    "an entry in the middle that is gone": "DELETE FROM entries WHERE idx = 256",
    "a hash of the full tile": "UPDATE tiles SET data = zeroblob(8192) WHERE level = 0 AND n = 0",
    "a hash of the partial tile": "UPDATE tiles SET data = zeroblob(96) WHERE level = 0 AND n = 1",
    "a hash of the upper tile": "UPDATE tiles SET data = zeroblob(32) WHERE level = 1",
    "a tile that is too short": "UPDATE tiles SET data = zeroblob(32) WHERE level = 0 AND n = 1",
    "a tile that is gone": "DELETE FROM tiles WHERE level = 1",
    "the root": "UPDATE heads SET root = zeroblob(32)",
    "the size": "UPDATE heads SET size = size - 1",
}


@pytest.mark.parametrize("flip", list(FLIPS))
def test_what_does_not_read_back_is_never_signed_and_freezes_the_log(
    tmp_path: Path, flip: str
) -> None:
    """The batch fills tile 0: rows before it, on it and after it are hit in turn."""
    place = Place(tmp_path / "ledger").create()
    place.append(make_items(0, 255))
    place.ledger.export_now()
    place.stop()
    signer = CountingSigner(SIGNER.vkey, SIGNER.seed)
    CountingSigner.signed.clear()

    def flipping(usual: LogStore) -> LogStore:
        usual.close()
        store = FlippingStore(place.directory / "ledger.db")
        store.flip = lambda db: db.execute(FLIPS[flip])
        return store

    place.start(store=flipping, signer=signer)
    at_start = place.ledger.checkpoint(PROJECT)

    with pytest.raises(EvidenceError) as refused:
        place.append([make_item(f"event-{number}", blobs=2) for number in range(255, 259)])

    assert refused.value.code == "frozen"
    assert len(CountingSigner.signed) == 1, "the head at start, and no other"
    assert place.ledger.checkpoint(PROJECT) == at_start
    assert place.ledger.status(PROJECT).frozen
    with pytest.raises(EvidenceError, match="frozen"):
        place.append([make_item("afterwards")])
    place.stop()
    assert b"\n255\n" in (place.directory / "public" / PROJECT / "checkpoint").read_bytes()


def test_a_frozen_log_leaves_the_others_running(tmp_path: Path) -> None:
    place = Place(tmp_path / "ledger").create()
    place.stop()
    store = SqliteLogStore(place.directory / "ledger.db")
    store.create_log("other", "ledger.example/other")
    store.close()
    flipping = FlippingStore(place.directory / "ledger.db")
    flipping.flip = lambda db: db.execute("UPDATE heads SET root = zeroblob(32) WHERE size = 1")
    other = SignerKey.from_seed("ledger.example/other", b"\x22" * 32)
    ledger = _open_ledger(place.directory, flipping, {PROJECT: SIGNER, "other": other})

    with pytest.raises(EvidenceError, match="frozen"):
        ledger.append(PROJECT, make_items(0, 1)).result(ANSWER_TIMEOUT_S)
    assert ledger.append("other", make_items(0, 2)).result(ANSWER_TIMEOUT_S)[1].index == 1

    ledger.close()
    flipping.close()


START_DAMAGE = {
    "a byte of one of the last entries": "UPDATE entries SET entry = x'00' WHERE idx = 1200",
    "the last entry is gone": "DELETE FROM entries WHERE idx = 1299",
    "an entry beyond the head": "INSERT INTO entries VALUES ('default', 1300, x'00', x'00')",
    "an entry in the middle of the last is gone": "DELETE FROM entries WHERE idx = 1000",
    "the root": "UPDATE heads SET root = zeroblob(32)",
    "the size": "UPDATE heads SET size = 1299",
    "the right edge": "UPDATE tiles SET data = zeroblob(32 * 20) WHERE level = 0 AND n = 5",
    "a full tile below the last entries": "UPDATE tiles SET data = zeroblob(8192) WHERE n = 3",
    "the upper tile": "UPDATE tiles SET data = zeroblob(160) WHERE level = 1",
    "a tile of the right edge is gone": "DELETE FROM tiles WHERE level = 1",
}


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a stopped ledger of 1,300 entries: more than a start looks at."""
    place = Place(tmp_path_factory.mktemp("grown") / "ledger").create()
    place.append(make_items(0, 1_000))
    place.append(make_items(1_000, 300))
    place.stop()
    place.check()
    return place.directory


@pytest.mark.parametrize("damage", list(START_DAMAGE))
def test_a_start_finds_damage_at_the_right_edge(grown: Path, tmp_path: Path, damage: str) -> None:
    place = _copy(grown, tmp_path)
    _execute(place, START_DAMAGE[damage])

    with pytest.raises(EvidenceError) as refused:
        place.start()

    assert refused.value.code in {"damaged", "missing"}
    with pytest.raises(AssertionError):
        place.check()  # the tests' own judge sees it too


def test_a_start_finds_an_entry_that_stands_twice(grown: Path, tmp_path: Path) -> None:
    """A broken index can show one; the rows then count more than their indices span."""
    place = _copy(grown, tmp_path)
    for statement in (
        "CREATE TABLE copied AS SELECT * FROM entries",
        "INSERT INTO copied SELECT * FROM entries WHERE idx = 1299",
        "DROP TABLE entries",
        "ALTER TABLE copied RENAME TO entries",
    ):
        _execute(place, statement)

    with pytest.raises(EvidenceError, match="an entry stands there twice") as refused:
        place.start()

    assert refused.value.code == "damaged"


def test_a_start_refuses_a_ledger_older_than_what_it_published(grown: Path, tmp_path: Path) -> None:
    """A backup put back would give indices out twice."""
    place = _copy(grown, tmp_path)
    place.start()
    place.append(make_items(1_300, 1))
    place.stop()
    backup = _copy(grown, tmp_path / "backup").directory / "ledger.db"
    backup.replace(place.directory / "ledger.db")

    with pytest.raises(EvidenceError, match="1300 entries, but 1301 were published") as refused:
        place.start()
    assert refused.value.code == "rolled_back"


@pytest.mark.parametrize("size", [1_300, 1_299, 600, 1])
def test_a_start_refuses_a_published_checkpoint_of_another_history(
    grown: Path, tmp_path: Path, size: int
) -> None:
    place = _copy(grown, tmp_path)
    published = place.directory / "public" / PROJECT / "checkpoint"
    published.unlink()
    published.write_bytes(sign_checkpoint(ORIGIN, TreeHead(size, b"\x07" * 32), SIGNER))

    with pytest.raises(EvidenceError) as refused:
        place.start()
    assert refused.value.code == "forked"


def test_a_start_refuses_a_published_checkpoint_no_key_of_the_log_signed(
    grown: Path, tmp_path: Path
) -> None:
    place = _copy(grown, tmp_path)
    published = place.directory / "public" / PROJECT / "checkpoint"
    stranger = SignerKey.from_seed(ORIGIN, b"\x33" * 32)
    published.unlink()
    published.write_bytes(sign_checkpoint(ORIGIN, TreeHead(1, b"\x07" * 32), stranger))

    with pytest.raises(EvidenceError) as refused:
        place.start()
    assert refused.value.code == "key_unknown"


def test_a_lost_public_directory_is_published_again(grown: Path, tmp_path: Path) -> None:
    place = _copy(grown, tmp_path)
    shutil.rmtree(place.directory / "public")
    place.start()
    place.stop()

    assert place.check().exported_size == 1_300


def test_a_foreign_tile_in_the_way_is_kept_and_freezes_the_log(grown: Path, tmp_path: Path) -> None:
    """Identical or halt: two histories are for a person to compare."""
    place = _copy(grown, tmp_path)
    place.start()
    foreign = place.directory / "public" / PROJECT / "tile" / "0" / "005.p" / "22"
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_bytes(b"foreign")
    place.append(make_items(1_300, 2))

    with pytest.raises(EvidenceError) as refused:
        place.ledger.export_now()

    assert refused.value.code == "forked"
    assert foreign.read_bytes() == b"foreign"
    assert place.ledger.status(PROJECT).frozen
    with pytest.raises(EvidenceError, match="frozen"):
        place.append([make_item("afterwards")])
    place.stop()


def test_a_second_writer_is_noticed_and_writing_stops(tmp_path: Path) -> None:
    """Nobody gets past the lock; if somebody does, the compare-and-swap holds."""
    place = Place(tmp_path / "ledger").create()
    place.append(make_items(0, 2))
    second = Place(place.directory).start()
    second.append(make_items(2, 1))

    with pytest.raises(UnavailableError) as refused:
        place.append([make_item("another")])

    assert refused.value.code == "locked"
    place.stop()
    second.check()
    second.stop()
    assert second.check().size == 3


def _open_ledger(directory: Path, store: LogStore, signers: dict[str, SignerKey]) -> Ledger:
    keys = ErasableStore(directory / "erasable.db", SeededRandomness("x"))
    exporter = PublicFiles(directory / "public")
    ledger = Ledger(store, keys, signers, exporter, SteppedClock(), export_interval_s=3_600)
    ledger.open()
    return ledger


def _copy(grown: Path, tmp_path: Path) -> Place:
    shutil.copytree(grown, tmp_path / "copy")
    return Place(tmp_path / "copy")


def _execute(place: Place, statement: str) -> None:
    with sqlite3.connect(place.directory / "ledger.db") as db:
        db.execute(statement)
    db.close()
