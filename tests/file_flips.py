"""Every byte of every file of a ledger that is no database, one at a time: who names it, and how.

Bundles, tiles and checkpoints are named by what reads the exported log alone, with the entries
they hold, and by what reads the directory; blobs with the entries that name them; key files first.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from counterfoil.client.evidence import verify_path
from counterfoil.verifier.report import Finding, Report
from tests.flips import Outcome, changed_byte

FOLDERS = ("public", "blobs", "keys")
BLOB_PROJECT, BLOB_ENTRY = "second", 1
"""A project whose entries name the blobs, and which entry it is."""


def places(directory: Path) -> Iterator[tuple[Path, int]]:
    """Yield every file with every offset from 0, in order."""
    for folder in FOLDERS:
        for path in sorted(path for path in (directory / folder).rglob("*") if path.is_file()):
            for at in range(path.stat().st_size):
                yield path, at


def flip_files(directory: Path, policy: Path, numbers: Iterable[int]) -> Outcome:
    """Change these of the `places`, one at a time; what is not named in full is a third outcome.

    Args:
        directory: a ledger made by `tests.everything`; its bytes are left as they were.
        policy: trusts its logs.
        numbers: which places, from 0.
    """
    all_places = list(places(directory))
    outcome = Outcome()
    for number in numbers:
        path, at = all_places[number]
        path.chmod(0o600)
        with changed_byte(path, at, path.read_bytes()[at]):
            said = unnamed(directory, path, policy)
        if said is None:
            outcome.found += 1
        else:
            outcome.third.append((at, [str(path.relative_to(directory)), *said]))
    return outcome


def unnamed(directory: Path, path: Path, policy: Path) -> list[str] | None:
    """Return what was found instead of a changed file's name; None when it is named in full."""
    name = str(path.relative_to(directory))
    folder, first = path.relative_to(directory).parts[:2]
    if folder == "public":
        alone = verify(directory / "public" / first, policy)
        beside = verify(directory, policy, first)
        if is_exported_named(alone, first, str(path.relative_to(directory / "public" / first))):
            if ("damaged", name) in whose(beside, first, f"public/{first}/"):
                return None
            return [one.line() for one in beside]
        return [one.line() for one in alone]
    if folder == "blobs":
        found = verify(directory, project=BLOB_PROJECT)
        named = is_blob_named(found, name)
    else:
        found = verify(directory, project=path.stem)
        named = is_key_named(found, name)
    return None if named else [one.line() for one in found]


def verify(target: Path, trust: Path | None = None, project: str | None = None) -> list[Finding]:
    """Return the findings."""
    report = verify_path(str(target), trust=trust, project=project)
    assert isinstance(report, Report)
    return list(report.findings)


def is_exported_named(found: Sequence[Finding], log: str, name: str) -> bool:
    """Whether a file of an exported log is named with its entries, and no other file."""
    return whose(found, log) == {("damaged", name)} and all(one.first is not None for one in found)


def is_blob_named(found: Sequence[Finding], name: str) -> bool:
    """Whether a blob is named with the entry that names it, and nothing else."""
    objects = {(one.klass, one.object) for one in found}
    return objects == {("damaged", name)} and {one.first for one in found} == {BLOB_ENTRY}


def is_key_named(found: Sequence[Finding], name: str) -> bool:
    """Whether a key file is named before what follows from it."""
    return bool(found) and (found[0].klass, found[0].object) == ("damaged", name)


def whose(found: Sequence[Finding], log: str, prefix: str = "") -> set[tuple[str, str]]:
    """Return class and object of findings, without what an aggregate's bad entry leads to."""
    said = {(one.klass, one.object) for one in found}
    return {
        (klass, name)
        for klass, name in said
        if log != "_aggregate" or not name.startswith(f"{prefix}entry ")
    }
