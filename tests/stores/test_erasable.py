import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from counterfoil.ids import SeededRandomness
from counterfoil.ledger.store import BlobKey, Person
from counterfoil.stores.erasable import ErasableStore


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[ErasableStore]:
    keys = ErasableStore(tmp_path / "erasable.db", SeededRandomness("keys"), create=True)
    yield keys
    keys.close()


def _keys(first: int, count: int) -> list[bytes]:
    return [bytes([number]) * 32 for number in range(first, first + count)]


def test_event_keys_are_kept_by_project_and_index(keys: ErasableStore) -> None:
    keys.put_event_keys("default", 3, _keys(3, 4))
    keys.put_event_keys("other", 3, _keys(9, 1))

    assert keys.event_key("default", 4) == b"\x04" * 32
    assert keys.event_key("default", 7) is None
    assert keys.event_keys("default", 5, 99) == {5: b"\x05" * 32, 6: b"\x06" * 32}
    assert keys.event_key("other", 3) == b"\x09" * 32


def test_keys_a_failed_transaction_left_are_overwritten(keys: ErasableStore) -> None:
    keys.put_event_keys("default", 0, _keys(0, 3))

    keys.put_event_keys("default", 1, _keys(7, 1))

    assert keys.event_keys("default", 0, 9) == {0: b"\0" * 32, 1: b"\x07" * 32, 2: b"\x02" * 32}


def test_an_overwritten_key_is_not_left_in_the_file(keys: ErasableStore, tmp_path: Path) -> None:
    orphan, kept = b"orphan-orphan-orphan-orphan-orph", b"kept-kept-kept-kept-kept-kept-ke"
    keys.put_event_keys("default", 0, [orphan])
    keys.put_event_keys("default", 0, [kept])
    keys.close()

    data = (tmp_path / "erasable.db").read_bytes()
    assert kept in data
    assert orphan not in data


def test_a_person_is_made_at_first_sight_and_stays(keys: ErasableStore) -> None:
    ana = keys.person("ana@example.com")

    assert re.fullmatch(r"actor:[0-9a-z]{16}", ana.pseudonym)
    assert len(ana.key) == 32
    assert keys.person("ana@example.com") == ana
    assert keys.person_by_pseudonym(ana.pseudonym) == ana
    assert keys.person_by_pseudonym("actor:0000000000000000") is None


def test_people_come_by_account_and_differ_in_everything(keys: ErasableStore) -> None:
    ana = keys.person("ana")

    people = keys.people(["bo", "ana", "bo", "cy"])

    assert set(people) == {"ana", "bo", "cy"}
    assert people["ana"] == ana
    assert len({person.pseudonym for person in people.values()}) == 3
    assert len({person.key for person in people.values()}) == 3


def test_threads_that_meet_the_same_person_first_agree(keys: ErasableStore) -> None:
    barrier = threading.Barrier(8)
    seen: list[Person] = []

    def meet() -> None:
        barrier.wait()
        seen.extend(keys.people([f"person-{number}" for number in range(5)]).values())

    threads = [threading.Thread(target=meet) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 5


def test_a_blob_is_found_by_both_its_names_and_its_first_key_stays(keys: ErasableStore) -> None:
    keys.put_blob("sha256:aa", "sha256:bb", b"\x01" * 32)
    keys.put_blob("sha256:aa", "sha256:cc", b"\x02" * 32)

    first = BlobKey("sha256:bb", b"\x01" * 32)
    assert keys.blob("sha256:aa") == keys.blob_by_stored("sha256:bb") == first
    assert keys.blob("sha256:bb") is None
    assert keys.blob_by_stored("sha256:cc") is None


def test_everything_outlives_a_restart(keys: ErasableStore, tmp_path: Path) -> None:
    ana = keys.person("ana")
    keys.put_event_keys("default", 0, _keys(1, 1))
    keys.close()

    again = ErasableStore(tmp_path / "erasable.db", SeededRandomness("another"))
    assert again.person("ana") == ana
    assert again.event_key("default", 0) == b"\x01" * 32
    again.close()
