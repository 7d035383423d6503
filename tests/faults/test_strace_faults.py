"""Every distinct system call of an append and of an export fails once, or is the last one made.

First, middle and last occurrence; `python -m bench.strace_faults` takes all of them.
"""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.faults.straced import (
    BACKUP,
    FAMILIES,
    KILL,
    OTHERS,
    THREADS,
    Driver,
    Injection,
    family_of,
    some_injections,
)
from tests.tools import needs_tool

pytestmark = pytest.mark.strace


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """Return the process that runs the programs."""
    driver = Driver(tmp_path_factory.mktemp("straced"), needs_tool("strace"))
    yield driver
    driver.close()


@pytest.fixture(scope="module")
def calls(driver: Driver) -> dict[tuple[str, str], Counter[str]]:
    """Return what each thread calls, and how often, when nothing fails.

    Of an export that completes tiles, which takes longer to judge: what others do not call.
    """
    made = {(program, thread): driver.calls(program, thread) for program, thread in THREADS}
    for call in made["export", "driven"]:
        made["export-border", "driven"].pop(call, None)
    return made


@pytest.fixture(scope="module")
def backup_calls(driver: Driver) -> Counter[str]:
    """Return how often a backup makes each call when nothing fails."""
    return driver.calls(*BACKUP)


@pytest.mark.parametrize("family", [*FAMILIES, OTHERS])
@pytest.mark.parametrize(("program", "thread"), THREADS, ids=map(" in ".join, THREADS))
def test_whatever_call_fails_nothing_acknowledged_is_lost_and_the_next_start_is_whole(
    driver: Driver,
    calls: dict[tuple[str, str], Counter[str]],
    program: str,
    thread: str,
    family: str,
) -> None:
    made = calls[program, thread]
    for call in sorted(call for call in made if family_of(call) == family):
        for injection in some_injections(call, made[call]):
            outcome = driver.strike(program, thread, injection)
            assert outcome.struck or injection.occurrence > 1, f"{injection} was never met"


def test_the_calls_that_make_evidence_durable_are_among_those_that_fail(
    calls: dict[tuple[str, str], Counter[str]],
) -> None:
    """If the ledger stopped making one of these, the test above would have nothing to break."""
    assert calls["append", "counterfoil-writer"].keys() >= {"pwrite64", "fdatasync", "pread64"}
    assert calls["append", "driven"].keys() >= {"fsync", "rename", "fdatasync", "write"}
    assert calls["export", "driven"].keys() >= {"fsync", "rename", "write", "mkdir"}
    assert "unlinkat" in calls["export-border", "driven"], "partial tiles are removed"


@pytest.mark.parametrize(
    ("injected", "at"),
    [
        ("fsync,fdatasync", "error=EIO"),
        ("pwrite64", "error=ENOSPC"),
        ("mkdir,rename", "error=ENOSPC"),
    ],
    ids=["no sync succeeds", "the disk is full", "no name can be made"],
)
def test_a_start_on_a_disk_that_goes_on_failing_is_told_by_name_and_loses_nothing(
    driver: Driver, injected: str, at: str
) -> None:
    told = driver.start_on_a_failing_disk(injected, at)

    assert told
    assert all(line.startswith(("error storage", "error read_only")) for line in told), told


def test_a_fault_is_injected_where_it_is_aimed_and_an_error_is_told_by_name(driver: Driver) -> None:
    """The first sync of the writer is that of the keys; the second is the commit itself."""
    at_keys = driver.strike("append", "counterfoil-writer", Injection("fdatasync", "error=EIO", 1))
    at_commit = driver.strike(
        "append", "counterfoil-writer", Injection("fdatasync", "error=EIO", 2)
    )
    killed = driver.strike("append", "counterfoil-writer", Injection("fdatasync", KILL, 2))

    assert "erasable.db" in at_keys.said[0]
    assert "ledger.db" in at_commit.said[0]
    assert (at_keys.answered, at_commit.answered, killed.answered) == ([], [], [])
    assert killed.killed


@pytest.mark.parametrize(
    ("call", "fault", "at"),
    [
        ("fsync", KILL, "first"),
        ("rename", KILL, "last"),
        ("linkat", KILL, "first"),
        ("fsync", "error=EIO", "last"),
        ("flock", "error=EIO", "first"),
        ("pwrite64", "error=ENOSPC", "first"),
        ("write", "error=ENOSPC", "last"),
    ],
)
def test_a_backup_that_a_call_breaks_off_leaves_those_before_and_the_next_is_whole(
    driver: Driver, backup_calls: Counter[str], call: str, fault: str, at: str
) -> None:
    occurrence = 1 if at == "first" else backup_calls[call]

    outcome = driver.strike(*BACKUP, Injection(call, fault, occurrence))

    assert outcome.struck
    assert outcome.killed or outcome.said[0].startswith(("error storage", "error read_only"))
