"""Evidence comes and goes: kept once, counted, swept when nothing names it, never when something does."""

import hashlib
import threading
from pathlib import Path

import pytest

from counterfoil.app.blobs import ORPHAN_S, Blobs
from counterfoil.app.founding import create_home
from counterfoil.app.home import Home, open_home
from counterfoil.app.record import LOCAL
from counterfoil.clock import SteppedClock
from counterfoil.errors import EvidenceError, RequestError
from counterfoil.events import sealing
from counterfoil.events.entry import read_entry
from counterfoil.events.event import make_event
from counterfoil.events.naming import BlobName
from counterfoil.ids import SeededRandomness
from counterfoil.ledger.store import BlobKey

PROJECT = "default"
LOG = b"line of a log\n" * 100


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def name(home: Home, *digests: str, number: int = 0, project: str = PROJECT) -> int:
    """Record an event that names blobs; return its entry number."""
    event = make_event(
        type="com.example.step.finished", source="urn:x", id=f"e{number}",
        time="2026-11-20T12:00:00Z", authtype="user", authid="ana",
        blobs=[BlobName(digest, "log.txt", "text/plain") for digest in digests],
    )  # fmt: skip
    [answer] = home.recorder.record(project, [event], LOCAL, "cli")
    return answer.index


def files(home: Home) -> list[Path]:
    return sorted(path for path in (home.directory / "blobs").rglob("*") if path.is_file())


def test_a_blob_is_kept_once_and_comes_back(home: Home) -> None:
    first, again = home.blobs.put(PROJECT, LOG), home.blobs.put(PROJECT, LOG)

    assert (first.digest, first.size_bytes, first.known) == (digest_of(LOG), len(LOG), False)
    assert again.known
    assert len(files(home)) == 1
    assert b"".join(home.blobs.read(first.digest)) == LOG
    assert home.blobs.size_bytes(first.digest) == len(LOG)


def test_plain_bytes_never_stand_on_the_disk(home: Home) -> None:
    with home.blobs.receive(PROJECT) as receiving:
        receiving.add(LOG * 1_000)
        on_the_way = b"".join(path.read_bytes() for path in files(home))
        receiving.keep()

    kept = b"".join(path.read_bytes() for path in files(home))
    assert on_the_way
    for data in (on_the_way, kept):
        assert b"line of a log" not in data


def test_bytes_under_another_name_are_refused_by_name_and_not_kept(home: Home) -> None:
    with home.blobs.receive(PROJECT, digest_of(b"other")) as receiving:
        receiving.add(LOG)
        with pytest.raises(RequestError) as refused:
            receiving.keep()

    assert refused.value.code == "blob_digest"
    assert digest_of(LOG) in refused.value.message
    assert files(home) == []
    assert home.blobs.size_bytes(digest_of(LOG)) is None


def test_a_blob_nobody_names_goes_after_a_day(home: Home, clock: SteppedClock) -> None:
    kept = home.blobs.put(PROJECT, LOG)
    clock.step(ORPHAN_S - 1)
    assert home.blobs.sweep() == 0

    clock.step(1)

    assert home.blobs.sweep() == 1
    assert files(home) == []
    with pytest.raises(RequestError) as refused:
        home.blobs.read(kept.digest)
    assert refused.value.code == "not_found"
    assert home.blobs.sweep() == 0


def test_a_blob_that_is_named_never_goes(home: Home, clock: SteppedClock) -> None:
    named, orphan = home.blobs.put(PROJECT, LOG), home.blobs.put(PROJECT, b"orphan")
    name(home, named.digest)
    for _ in range(3):
        clock.step(ORPHAN_S)
        home.blobs.sweep()

    assert b"".join(home.blobs.read(named.digest)) == LOG
    assert home.blobs.size_bytes(orphan.digest) is None
    assert len(files(home)) == 1


def test_sending_a_blob_again_gives_it_another_day(home: Home, clock: SteppedClock) -> None:
    """Its sender was just told that it is kept, and is about to name it."""
    kept = home.blobs.put(PROJECT, LOG)
    clock.step(ORPHAN_S)
    home.blobs.put(PROJECT, LOG)

    assert home.blobs.sweep() == 0
    assert home.blobs.size_bytes(kept.digest) == len(LOG)
    clock.step(ORPHAN_S)
    assert home.blobs.sweep() == 1


def test_a_blob_another_project_sent_lately_stays(tmp_path: Path, clock: SteppedClock) -> None:
    randomness = SeededRandomness("two")
    for project in (PROJECT, "other"):
        create_home(tmp_path / "two", randomness, project=project)
    with open_home(tmp_path / "two", clock, randomness) as home:
        kept = home.blobs.put(PROJECT, LOG)
        clock.step(ORPHAN_S)
        home.blobs.put("other", LOG)
        assert home.blobs.sweep() == 0
        name(home, kept.digest, project="other")
        clock.step(ORPHAN_S)
        assert home.blobs.sweep() == 0
        assert b"".join(home.blobs.read(kept.digest)) == LOG


def test_a_blob_an_event_is_just_being_recorded_about_is_not_swept(
    home: Home, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep looks while the event has been sealed and the log does not hold it yet."""
    kept = home.blobs.put(PROJECT, LOG)
    clock.step(ORPHAN_S)
    swept: list[int] = []
    append = home.ledger.append

    def late(*arguments: object) -> object:
        swept.append(home.blobs.sweep())
        return append(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(home.ledger, "append", late)

    index = name(home, kept.digest)

    assert swept == [0]
    assert home.reader.entry(PROJECT, index).blobs[0].stored is not None
    assert b"".join(home.blobs.read(kept.digest)) == LOG


def test_an_event_recorded_while_the_sweep_asks_the_log_keeps_its_blob(
    home: Home, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log was read before the event and the blob would go after it: the other order."""
    kept = home.blobs.put(PROJECT, LOG)
    clock.step(ORPHAN_S)
    ask = home.log.named_blobs

    def asked(stored: object) -> set[str]:
        found = ask(stored)  # type: ignore[arg-type]
        name(home, kept.digest)
        return found

    monkeypatch.setattr(home.log, "named_blobs", asked)

    assert home.blobs.sweep() == 0
    assert b"".join(home.blobs.read(kept.digest)) == LOG


def test_a_second_sweep_does_not_make_the_first_forget_what_was_held(
    home: Home, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log was asked, then an event came, then the housekeeping began a sweep of its own."""
    kept = home.blobs.put(PROJECT, LOG)
    clock.step(ORPHAN_S)
    ask = home.log.named_blobs
    others: list[threading.Thread] = []

    def asked(stored: object) -> set[str]:
        found = ask(stored)  # type: ignore[arg-type]
        if not others:
            name(home, kept.digest)
            others.append(threading.Thread(target=home.blobs.sweep))
            others[0].start()
            others[0].join(0.5)
        return found

    monkeypatch.setattr(home.log, "named_blobs", asked)

    assert home.blobs.sweep() == 0
    others[0].join()
    assert b"".join(home.blobs.read(kept.digest)) == LOG


def test_sweeping_and_recording_at_once_never_loses_a_named_blob(
    home: Home, clock: SteppedClock
) -> None:
    contents = [b"log %d" % number for number in range(40)]
    for content in contents:
        home.blobs.put(PROJECT, content)
    clock.step(ORPHAN_S)
    stop = threading.Event()

    def sweep() -> None:
        while not stop.is_set():
            home.blobs.sweep()

    sweeping = threading.Thread(target=sweep)
    sweeping.start()
    try:
        indices = [
            name(home, digest_of(content), number=number) for number, content in enumerate(contents)
        ]
    finally:
        stop.set()
        sweeping.join()
    home.blobs.sweep()
    for index, content in zip(indices, contents, strict=True):
        [blob] = home.reader.entry(PROJECT, index).blobs
        held = home.blobs.size_bytes(digest_of(content))
        # Either it was there when the event came, and then it stays; or it is a visible gap.
        assert (blob.stored is not None) == (held is not None)


def test_an_event_may_name_what_never_came(home: Home) -> None:
    index = name(home, digest_of(b"never sent"))

    assert home.reader.entry(PROJECT, index).blobs[0].stored is None


def make_poor(home: Home, quota_bytes: int) -> Blobs:
    home.blobs.quota_bytes = quota_bytes
    return home.blobs


def test_a_project_keeps_no_more_than_its_quota(home: Home) -> None:
    blobs = make_poor(home, 1_000)
    blobs.put(PROJECT, b"a" * 600)

    for ask in (lambda: blobs.put(PROJECT, b"b" * 401), lambda: _announce(blobs, 401)):
        with pytest.raises(RequestError) as refused:
            ask()
        assert refused.value.code == "blob_quota"
        assert "quota_bytes" in refused.value.message
    assert len(files(home)) == 1
    blobs.put(PROJECT, b"c" * 400)
    # What is kept already costs nothing, and another project has its own.
    assert blobs.put(PROJECT, b"a" * 600).known
    with blobs.receive(PROJECT, digest_of(b"a" * 600)) as receiving:
        receiving.announce(600)
        receiving.add(b"a" * 600)
        assert receiving.keep().known
    blobs.put("other", b"a" * 600)


def _announce(blobs: Blobs, size_bytes: int) -> None:
    with blobs.receive(PROJECT) as receiving:
        receiving.announce(size_bytes)


def test_what_is_swept_gives_its_room_back(home: Home, clock: SteppedClock) -> None:
    blobs = make_poor(home, 1_000)
    blobs.put(PROJECT, b"a" * 1_000)
    clock.step(ORPHAN_S)
    blobs.sweep()

    assert not blobs.put(PROJECT, b"b" * 1_000).known


def test_two_that_fit_one_by_one_but_not_together_do_not_both_get_in(home: Home) -> None:
    blobs = make_poor(home, 1_000)
    with blobs.receive(PROJECT) as one, blobs.receive(PROJECT) as other:
        one.add(b"a" * 600)
        other.add(b"b" * 600)
        one.keep()
        with pytest.raises(RequestError) as refused:
            other.keep()
    assert refused.value.code == "blob_quota"
    assert len(files(home)) == 1


def test_a_lost_file_is_restored_by_sending_the_blob_again(home: Home) -> None:
    """Entries name the sealed file: the same bytes under the same key are the same file."""
    content = LOG * 1_000
    kept = home.blobs.put(PROJECT, content)
    name(home, kept.digest)
    [path] = files(home)
    before = path.read_bytes()
    path.unlink()
    with pytest.raises(EvidenceError):
        home.blobs.read(kept.digest)

    home.blobs.put(PROJECT, content)

    assert path.read_bytes() == before
    assert b"".join(home.blobs.read(kept.digest)) == content


def test_a_crash_before_the_key_leaves_nothing_for_ever(
    home: Home, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(home.keys, "put_blob", lambda *_: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            home.blobs.put(PROJECT, LOG)
    [left] = files(home)

    assert home.blobs.size_bytes(digest_of(LOG)) is None
    home.blobs.put(PROJECT, LOG)
    assert not left.exists()
    assert b"".join(home.blobs.read(digest_of(LOG))) == LOG
    clock.step(ORPHAN_S)
    assert home.blobs.sweep() == 1
    assert files(home) == []


def test_a_blob_belongs_to_the_projects_that_sent_or_name_it(home: Home) -> None:
    kept = home.blobs.put(PROJECT, LOG)

    home.blobs.require(PROJECT, kept.digest)
    with pytest.raises(RequestError) as hidden:
        home.blobs.require("other", kept.digest)
    with pytest.raises(RequestError) as unknown:
        home.blobs.require("other", digest_of(b"never sent"))
    # The same words: what another project holds is no business of this one.
    assert hidden.value.message.replace(kept.digest, "") == unknown.value.message.replace(
        digest_of(b"never sent"), ""
    )
    name(home, kept.digest)
    home.state.forget_arrivals(_key(home, kept.digest).stored)
    home.blobs.require(PROJECT, kept.digest)


def test_naming_a_digest_that_another_project_sent_opens_nothing(
    directory: Path, clock: SteppedClock
) -> None:
    """Whoever knows a digest and may record would read what is not theirs."""
    create_home(directory, SeededRandomness("other"), project="other")
    with open_home(directory, clock, SeededRandomness("open")) as home:
        kept = home.blobs.put(PROJECT, LOG)

        index = name(home, kept.digest, project="other")

        with pytest.raises(RequestError) as hidden:
            home.blobs.require("other", kept.digest)
        assert hidden.value.code == "not_found"
        [entry] = home.log.kept("other", index, index + 1)
        assert "blob/0" not in read_entry(entry.entry).commit
        home.blobs.put("other", LOG)
        home.blobs.require("other", kept.digest)


def _key(home: Home, digest: str) -> BlobKey:
    found = home.keys.blob(digest)
    assert found is not None
    return found


def test_a_glance_tells_what_is_there_and_what_no_longer_opens(home: Home) -> None:
    content = b"begin" + LOG * 10_000
    kept = home.blobs.put(PROJECT, content)

    look = home.blobs.look(PROJECT, kept.digest)
    assert look is not None
    assert (look.begin, look.size_bytes, look.sound) == (content[: 64 * 1024], len(content), True)
    assert home.blobs.look(PROJECT, digest_of(b"never sent")) is None
    [path] = files(home)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:40] + b"?" + path.read_bytes()[41:])
    damaged = home.blobs.look(PROJECT, kept.digest)
    assert damaged is not None
    assert not damaged.sound
    path.unlink()
    assert home.blobs.look(PROJECT, kept.digest) is None


def test_any_part_of_a_blob_can_be_read_alone(home: Home) -> None:
    content = bytes(range(256)) * 9_000
    digest = home.blobs.put(PROJECT, content).digest
    edge = sealing.CHUNK_BYTES

    for start, length in [(0, 10), (edge - 5, 10), (edge, 1), (len(content) - 3, 10), (9**9, 5)]:
        assert home.blobs.part(digest, start, length) == content[start : start + length]
