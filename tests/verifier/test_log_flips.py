"""Every byte of an exported log, changed one at a time."""

from counterfoil.verifier.report import Finding
from tests.verifier.memory_log import check, entries_under, flip, make_entries, make_files

# One full tile, one partial tile beside it, one tile above: every place a hash can stand.
FILES = make_files(make_entries(259))


def test_an_untouched_log_is_whole() -> None:
    verdict, findings = check(FILES)

    assert not list(findings)
    assert verdict.whole
    assert (verdict.entries, verdict.tiles, verdict.files) == (259, 3, 0)


def test_every_changed_byte_of_every_file_is_found_and_named() -> None:
    """100 %: a verifier that misses one byte cannot be told from one that misses many."""
    missed = [
        (path, at)
        for path, data in FILES.items()
        for at in range(len(data))
        if not _is_named(path, at, list(check({**FILES, path: flip(data, at)})[1]))
    ]

    assert missed == []


def _is_named(path: str, at: int, found: list[Finding]) -> bool:
    """Whether one finding names the file and the entries concerned, and none blames another."""
    if [one.object for one in found] != [path] or found[0].klass != "damaged":
        return False
    if path == "checkpoint":
        return (found[0].first, found[0].last) == (0, 258)
    first, last = entries_under(path, at)
    named_first, named_last = found[0].first, found[0].last
    return (
        named_first is not None and named_last is not None and first <= named_first <= named_last
    ) and named_last <= last
