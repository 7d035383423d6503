"""What a witness keeps: never two histories, whatever fails."""

import errno
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from counterfoil.clock import SteppedClock
from counterfoil.errors import CounterfoilError, EvidenceError, RequestError, UnavailableError
from counterfoil.ids import SeededRandomness
from counterfoil.tlog.cosignature import cosignature_time_s
from counterfoil.tlog.note import parse_note
from counterfoil.tlog.policy import parse_policy
from counterfoil.tlog.witness import Refused, read_cosignatures
from counterfoil.witness.book import Book, add_log, create_book
from tests.witnessing import GrowingLog, make_witness

LOG = GrowingLog()
FORK = GrowingLog(story="another")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return make_witness(tmp_path / "w", "witness.example/w", LOG.signer.vkey).directory


def opened(directory: Path) -> Book:
    return Book(directory, SteppedClock())


def test_a_cosignature_verifies_states_the_time_and_meets_a_policy(directory: Path) -> None:
    book = opened(directory)
    note = LOG.checkpoint(6)

    line = book.add_checkpoint(LOG.request(0, 6))

    [signature] = parse_note(parse_note(note).text + b"\n" + line).signatures
    assert cosignature_time_s(signature.signature) == int(SteppedClock().moment.timestamp())
    assert read_cosignatures(line, parse_note(note).text, book.vkey) == line
    policy = parse_policy(f"log {LOG.signer.vkey}\nwitness w {book.vkey}\nquorum w\n")
    assert policy.verify_checkpoint(note + line).size == 6
    book.close()


def test_what_was_cosigned_is_remembered_over_a_restart(directory: Path) -> None:
    book = opened(directory)
    book.add_checkpoint(LOG.request(0, 6))
    book.close()

    again = opened(directory)
    with pytest.raises(Refused) as refusal:
        again.add_checkpoint(FORK.request(0, 6))
    assert (refusal.value.status, refusal.value.held_size) == (409, 6)
    with pytest.raises(Refused) as refusal:
        again.add_checkpoint(FORK.request(6, 9))
    assert refusal.value.status == 422
    assert again.add_checkpoint(LOG.request(6, 9))
    again.close()


def test_only_the_logs_and_the_own_signatures_are_kept(directory: Path) -> None:
    """A stranger's line in the note is not ours to hand on to monitors."""
    book = opened(directory)
    stranger = "— other.example/x " + "A" * 96 + "\n"

    book.add_checkpoint(LOG.request(0, 6) + stranger.encode())

    [kept] = list((directory / "seen").glob("*/checkpoint"))
    names = [line.name for line in parse_note(kept.read_bytes()).signatures]
    assert names == [LOG.signer.name, "witness.example/w"]
    book.close()


def test_secrets_are_for_the_owner_alone(directory: Path) -> None:
    assert stat.S_IMODE((directory / "witness.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_write_that_fails_cosigns_nothing_until_a_restart(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failed sync nobody knows what the disk holds: neither may be built upon."""
    book = opened(directory)
    book.add_checkpoint(LOG.request(0, 6))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("os.fsync", full)
        with pytest.raises(UnavailableError):
            book.add_checkpoint(LOG.request(6, 7))
    with pytest.raises(UnavailableError):
        book.add_checkpoint(LOG.request(6, 7))
    book.close()

    again = opened(directory)
    with pytest.raises(Refused) as refusal:
        again.add_checkpoint(FORK.request(0, 7))
    assert refusal.value.held_size in {6, 7}
    again.close()


def test_the_head_is_on_the_disk_before_the_cosignature_leaves(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever kills the process after the answer must find the head there."""
    order: list[str] = []
    book = opened(directory)
    rename = Path.rename

    def renamed(path: Path, target: Path) -> Path:
        order.append("renamed")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", renamed)
    book.add_checkpoint(LOG.request(0, 6))
    order.append("answered")
    book.close()

    assert order == ["renamed", "answered"]


def test_requests_at_the_same_moment_are_judged_one_by_one(directory: Path) -> None:
    """Two histories race for the same place: one wins, the other is never cosigned."""
    book = opened(directory)
    won: list[str] = []
    refused: list[int] = []
    gate = threading.Barrier(8)

    def ask(name: str, log: GrowingLog) -> None:
        gate.wait()
        try:
            book.add_checkpoint(log.request(0, 6))
            won.append(name)
        except Refused as refusal:
            refused.append(refusal.status)

    threads = [
        threading.Thread(target=ask, args=(name, log))
        for name, log in [("true", LOG), ("another", FORK)] * 4
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    book.close()

    assert len(won) == 1
    assert refused == [409] * 7


def test_one_process_at_a_time_owns_the_directory(directory: Path) -> None:
    book = opened(directory)
    with pytest.raises(UnavailableError) as refusal:
        opened(directory)
    book.close()

    assert refusal.value.code == "locked"


def _forget_key(directory: Path) -> None:
    (directory / "witness.key").write_text("PRIVATE+KEY+nonsense\n")


def _change_seen(directory: Path) -> None:
    book = opened(directory)
    book.add_checkpoint(LOG.request(0, 6))
    book.close()
    [kept] = list((directory / "seen").glob("*/checkpoint"))
    kept.write_bytes(kept.read_bytes().replace(b"\n6\n", b"\n5\n"))


def _log_of_a_witness(directory: Path) -> None:
    (directory / "logs").write_text((directory / "witness.vkey").read_text())


def _no_witness(directory: Path) -> None:
    (directory / "witness.key").unlink()


def _link_seen(directory: Path) -> None:
    (directory / "seen").mkdir(exist_ok=True)
    (directory / "seen").rename(directory.parent / "elsewhere")
    (directory / "seen").symlink_to(directory.parent / "elsewhere")


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "a key that is none": (_forget_key, "damaged"),
    "a cosigned head that was changed": (_change_seen, "damaged"),
    "a witness's key among the logs": (_log_of_a_witness, "usage"),
    "a key that others may read": (
        lambda directory: (directory / "witness.key").chmod(0o640),
        "unsafe_access",
    ),
    "a memory that lies elsewhere": (_link_seen, "unsafe_access"),
    "no witness in the directory": (_no_witness, "not_a_ledger"),
}


@pytest.mark.parametrize(("spoil", "code"), SPOILT.values(), ids=SPOILT.keys())
def test_a_directory_that_is_off_is_named_and_not_served(
    directory: Path, spoil: object, code: str
) -> None:
    assert callable(spoil)
    spoil(directory)

    with pytest.raises((EvidenceError, RequestError)) as refusal:
        opened(directory)

    assert refusal.value.code == code
    assert (directory / "witness.vkey").read_text().strip() not in refusal.value.message


@pytest.mark.parametrize("name", ["", "two words", "plus+name", "x" * 256, "line\nbreak"])
def test_a_name_no_key_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CounterfoilError) as refusal:
        create_book(tmp_path / "w", name, SeededRandomness("w"))

    assert refusal.value.code == "usage"


def test_a_directory_that_holds_files_is_not_taken_over(directory: Path) -> None:
    with pytest.raises(RequestError) as refusal:
        create_book(directory, "witness.example/w", SeededRandomness("w"))

    assert refusal.value.code == "dir_exists"


def test_a_log_is_added_once(directory: Path) -> None:
    add_log(directory, f"{LOG.signer.vkey}\n")

    assert (directory / "logs").read_text() == f"{LOG.signer.vkey}\n"
