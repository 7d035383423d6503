"""An exported log: every file of it against the signed checkpoint.

What must hold: the checkpoint is signed by a trusted key, or by one that the entries lead to from
a trusted key; every bundle and tile of the tree is there, whole; nothing else is.  A file is named
by its path below the log's prefix.

Where no trusted key signed, size and root are taken as claimed until the entries have been read:
they say which key follows which (`verifier.succession`), and the signature decides then.

Source: C2SP tlog-tiles (paths, partial tiles, "may fall back to the full tile").
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol

from counterfoil.errors import EvidenceError
from counterfoil.tlog.checkpoint import Checkpoint, parse_checkpoint
from counterfoil.tlog.entries import read_bundle, write_bundle
from counterfoil.tlog.note import parse_note
from counterfoil.tlog.policy import Policy
from counterfoil.tlog.tile import (
    ENTRIES_LEVEL,
    TILE_WIDTH,
    ReadTile,
    Tile,
    entries_path,
    parse_path,
    root_from_tiles,
    tile_path,
)
from counterfoil.tlog.tree import EMPTY_ROOT, HASH_SIZE
from counterfoil.verifier.aggregate import AggregateCheck, is_aggregate
from counterfoil.verifier.depth import Enter, unmetered
from counterfoil.verifier.report import Findings
from counterfoil.verifier.succession import Succession
from counterfoil.verifier.tree import TreeCheck

CHECKPOINT = "checkpoint"
CHECKPOINT_MAX_BYTES = 1 << 20
TILE_MAX_BYTES = TILE_WIDTH * HASH_SIZE
BUNDLE_MAX_BYTES = TILE_WIDTH * (2 + 65_535)
_NOTHING: Mapping[tuple[int, int], bytes] = MappingProxyType({})


class LogReader(Protocol):
    """Where the files of one log come from: a directory, an archive, a server.

    Reading returns None for what is not there and raises EvidenceError `damaged` for what is
    there but cannot be read: too large, no file, cut off.  Sizes are bounded by the reader.
    """

    def checkpoint(self) -> bytes | None:
        """Return the signed checkpoint."""
        ...

    def tile(self, level: int, n: int, width: int) -> bytes | None:
        """Return the file of exactly this tile."""
        ...

    def bundle(self, n: int, width: int) -> bytes | None:
        """Return the file of exactly this entry bundle."""
        ...

    def names(self) -> Iterable[str] | None:
        """Return the path of every file below the prefix; None where they cannot be listed."""
        ...


@dataclass(frozen=True, slots=True)
class LogVerdict:
    """What checking an exported log led to.

    Args:
        checkpoint: as signed; None when no trusted key signed what stands there.
        fingerprint: of the key that signed; "" when none did.
        whole: whether entries and tiles lead to the signed root.
        entries: how many were read.
        tiles: how many were compared whole.
        files: how many further files were compared or named.
        beyond: files of tiles that start after the signed tree: an export under way.
        aggregate: what an aggregate log holds of others; None for every other log.
        mended: what tiles that are wrong would have to hold, see `TreeCheck`.
        trust: the policy, with every key the entries lead to; None without one.
        succession: what the entries say of the log's keys; None where nobody was to be trusted.
    """

    checkpoint: Checkpoint | None
    fingerprint: str
    whole: bool
    entries: int
    tiles: int
    files: int
    beyond: tuple[str, ...]
    aggregate: AggregateCheck | None = None
    mended: Mapping[tuple[int, int], bytes] = field(default_factory=dict)
    trust: Policy | None = None
    succession: Succession | None = None


def check_log(
    reader: LogReader, policy: Policy | None, findings: Findings, name: Callable[[str], str],
    *, start: int = 0, enter: Enter = unmetered,
) -> LogVerdict:  # fmt: skip
    """Check an exported log.

    Args:
        reader: where its files come from.
        policy: whose signatures count; None where there is no usable key, which is a finding
            already: then the files are compared with each other.
        findings: where findings go.
        name: turns a path below the log's prefix into the name used in findings.
        start: bundles of entries before it are not read; a multiple of 256.
        enter: told of the stages: bundles, leaves, tiles, signature.

    Cost: one pass over everything from `start` on; memory stays flat.
    """
    with enter("signature"):
        claim = _read_claim(reader, policy, findings, name(CHECKPOINT))
    if claim.checkpoint is None:
        # Nobody vouches for a size: what can be said is whether the files agree with each other.
        size, root = _largest(reader), None
    else:
        size, root = claim.checkpoint.size, claim.checkpoint.root
    tree = ExportedTree(reader, findings, name, enter)
    check = TreeCheck(tree, size, root, findings, min(start, size) // TILE_WIDTH * TILE_WIDTH)
    aggregate, succession = None, None
    if policy is not None and claim.checkpoint is not None:
        if is_aggregate(claim.checkpoint.origin):
            keys = [log.key for log in policy.logs]
            aggregate = AggregateCheck(keys, findings, lambda index: name(f"entry {index}"))
        else:
            succession = Succession(claim.checkpoint.origin)
    beside = aggregate or succession
    with enter("leaves"):
        whole = check.run(beside.bundle if beside else None)
    with enter("tiles"):
        files, beyond = _check_names(tree, reader, size, findings, name)
    if succession is not None and policy is not None:
        policy = succession.extend(policy)
        read = exported_tiles(reader, size, check.mended)
        for end, why in succession.contradicted(lambda at: _root_at(read, at, size)):
            findings.add("forked", name(CHECKPOINT), why, 0, max(end - 1, 0))
    with enter("signature"):
        checkpoint = _settle(claim, policy, findings, name(CHECKPOINT))
    signer = None if policy is None or checkpoint is None else policy.signer(claim.note)
    return LogVerdict(
        checkpoint, "" if signer is None else signer.fingerprint(), whole, check.entries,
        check.tiles, files, beyond, aggregate, check.mended, policy, succession,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Claim:
    """A checkpoint as it stands there.

    Args:
        checkpoint: what it says; None where nothing may be taken from it.
        note: its bytes.
        span: the entries it concerns, where no trusted key vouches for it yet.
    """

    checkpoint: Checkpoint | None = None
    note: bytes = b""
    span: tuple[int, int] | tuple[()] = ()


def _read_claim(reader: LogReader, policy: Policy | None, findings: Findings, name: str) -> _Claim:
    try:
        note = reader.checkpoint()
    except EvidenceError as error:
        _refuse(error, findings, name, _all_entries(reader))
        return _Claim()
    if note is None:
        findings.add("missing", name, "there is no checkpoint", *_all_entries(reader))
    if note is None or policy is None:
        return _Claim()
    try:
        return _Claim(policy.verify_checkpoint(note), note)
    except EvidenceError as error:
        span = _all_entries(reader)
        if error.code in {"key_unknown", "key_retired"}:
            with suppress(EvidenceError):
                claimed = parse_checkpoint(parse_note(note).text)
                if any(log.key.name == claimed.origin for log in policy.logs):
                    return _Claim(claimed, note, span)
        _refuse(error, findings, name, span)
        return _Claim()


def _settle(
    claim: _Claim, policy: Policy | None, findings: Findings, name: str
) -> Checkpoint | None:
    """Return the checkpoint if it is signed by a key in force at its size, all entries read."""
    if claim.checkpoint is None or policy is None:
        return None
    try:
        checkpoint = policy.verify_checkpoint(claim.note)
        policy.require_led(claim.note)
    except EvidenceError as error:
        _refuse(error, findings, name, claim.span)
        return None
    return checkpoint


def _refuse(
    error: EvidenceError, findings: Findings, name: str, span: tuple[int, int] | tuple[()]
) -> None:
    # A key that was retired and signs on is two histories: that of its log, and this one.
    kind: Literal["forked", "damaged"] = "forked" if error.code == "key_retired" else "damaged"
    findings.add(kind, name, f"not what a trusted key signed: {error.message}", *span)


def _root_at(read: ReadTile, at: int, size: int) -> bytes | None:
    """Return the root at an earlier size; None where it is later, or tiles are missing."""
    if at > size:
        return None
    try:
        return root_from_tiles(at, read) if at else EMPTY_ROOT
    except EvidenceError:
        return None


def signer_fingerprint(policy: Policy, note: bytes) -> str:
    """Return the fingerprint, in hex, of the log key that signed a note `policy` accepts."""
    signer = policy.signer(note)
    return "" if signer is None else signer.fingerprint()


class ExportedTree:
    """The tree as its exported files hold it; `counterfoil.verifier.tree.StoredTree`."""

    def __init__(
        self, reader: LogReader, findings: Findings, name: Callable[[str], str],
        enter: Enter = unmetered,
    ) -> None:  # fmt: skip
        self._reader = reader
        self._findings = findings
        self._name = name
        self._enter = enter

    def entries(self, n: int, width: int) -> Sequence[bytes | None]:
        """Return bundle `n`; all None when the file is absent or no bundle of that width."""
        with self._enter("bundles"):
            return self._entries(n, width)

    def _entries(self, n: int, width: int) -> Sequence[bytes | None]:
        path, span = entries_path(n, width), _span(-1, n, width)
        try:
            data = self._reader.bundle(n, width)
            if data is None and width < TILE_WIDTH:
                data = self._reader.bundle(n, TILE_WIDTH)
                entries = read_bundle(data)[:width] if data is not None else None
            else:
                entries = read_bundle(data) if data is not None else None
        except EvidenceError as error:
            self._findings.add("damaged", self._name(path), error.message, *span)
            return [None] * width
        if entries is None:
            self._findings.add("missing", self._name(path), "the bundle is not there", *span)
            return [None] * width
        if len(entries) != width:
            message = f"the bundle holds {len(entries)} entries, not {width}"
            self._findings.add("damaged", self._name(path), message, *span)
            return [None] * width
        return entries

    def tile(self, level: int, n: int, width: int) -> bytes | None:
        """Return a tile, cut out of the full one if only that is there."""
        with self._enter("tiles"):
            return self._tile(level, n, width)

    def _tile(self, level: int, n: int, width: int) -> bytes | None:
        path, span = tile_path(level, n, width), _span(level, n, width)
        try:
            data = self._reader.tile(level, n, width)
            if data is None and width < TILE_WIDTH:
                data = self._reader.tile(level, n, TILE_WIDTH)
                data = data[: width * HASH_SIZE] if data is not None else None
        except EvidenceError as error:
            self._findings.add("damaged", self._name(path), error.message, *span)
            return None
        if data is None:
            self._findings.add("missing", self._name(path), "the tile is not there", *span)
            return None
        if len(data) != width * HASH_SIZE:
            message = f"the tile is {len(data)} bytes, not {width * HASH_SIZE}"
            self._findings.add("damaged", self._name(path), message, *span)
            return None
        return data

    def blame_entries(self, n: int, width: int, positions: Sequence[int], message: str) -> None:
        """Report entries of a bundle."""
        first, last = n * TILE_WIDTH + positions[0], n * TILE_WIDTH + positions[-1]
        self._findings.add("damaged", self._name(entries_path(n, width)), message, first, last)

    def blame_tile(self, level: int, n: int, width: int, span: tuple[int, int], why: str) -> None:
        """Report a tile."""
        self._findings.add("damaged", self._name(tile_path(level, n, width)), why, *span)

    def blame_root(self, message: str) -> None:
        """Report a tree that is rewritten as a whole."""
        self._findings.add("damaged", self._name("tile"), message)


def _check_names(
    tree: ExportedTree,
    reader: LogReader,
    size: int,
    findings: Findings,
    name: Callable[[str], str],
) -> tuple[int, tuple[str, ...]]:
    """Name what does not belong, and compare the partial tiles of earlier sizes.

    Returns:
        How many files were looked at here, and those that lie beyond the tree.
    """
    count, beyond = 0, []
    for path in reader.names() or ():
        if path == CHECKPOINT:
            continue
        try:
            tile = parse_path(path)
        except EvidenceError:
            findings.add("damaged", name(path), "a file that is no part of a log")
            continue
        expected = _expected_width(tile, size)
        if tile.width == expected:
            continue
        count += 1
        if tile.width > expected:
            beyond.append(path)
        elif not _is_prefix(reader, tree, tile, expected):
            span = _span(tile.level, tile.n, tile.width)
            findings.add("damaged", name(path), "not the beginning of the wider tile", *span)
    return count, tuple(beyond)


def exported_tiles(
    reader: LogReader, size: int, mended: Mapping[tuple[int, int], bytes] = _NOTHING
) -> ReadTile:
    """Return what `tlog.tile` reads tiles of the tree of `size` with: EvidenceError if absent.

    Those of `mended` are taken in the place of files that were found to be wrong.
    """

    def read(level: int, n: int) -> bytes:
        if (level, n) in mended:
            return mended[level, n]
        width = _expected_width(Tile(level, n, TILE_WIDTH), size)
        data = reader.tile(level, n, width) if width else None
        if data is None and 0 < width < TILE_WIDTH:
            data = reader.tile(level, n, TILE_WIDTH)
        if data is None:
            raise EvidenceError("missing", f"{tile_path(level, n)} is not there")
        return data

    return read


def _expected_width(tile: Tile, size: int) -> int:
    """Return how wide the tree of `size` makes the tile of that place; 0 where it has none."""
    unit: int = TILE_WIDTH ** max(tile.level, 0)
    return max(0, min(TILE_WIDTH, size // unit - tile.n * TILE_WIDTH))


def _is_prefix(reader: LogReader, tree: ExportedTree, tile: Tile, expected: int) -> bool:
    try:
        if tile.level == ENTRIES_LEVEL:
            partial = reader.bundle(tile.n, tile.width)
            wider = [entry for entry in tree.entries(tile.n, expected) if entry is not None]
            # A wider bundle that cannot be read is a finding of its own already, and a partial
            # one that is gone by now was removed because the full one stands there.
            return partial is None or not wider or partial == write_bundle(wider[: tile.width])
        data = tree.tile(tile.level, tile.n, expected)
        part = reader.tile(tile.level, tile.n, tile.width)
        return part is None or data is None or part == data[: tile.width * HASH_SIZE]
    except EvidenceError:
        return False


def _largest(reader: LogReader) -> int:
    """Return the size the widest bundle speaks for, where no checkpoint says it."""
    size = 0
    for path in reader.names() or ():
        try:
            tile = parse_path(path)
        except EvidenceError:
            continue
        if tile.level == ENTRIES_LEVEL:
            size = max(size, tile.n * TILE_WIDTH + tile.width)
    return size


def _all_entries(reader: LogReader) -> tuple[int, int] | tuple[()]:
    """Return the first and last entry that stand there: a checkpoint concerns every one."""
    size = _largest(reader)
    return (0, size - 1) if size else ()


def _span(level: int, n: int, width: int) -> tuple[int, int]:
    """Return the first and last entry under a tile or bundle."""
    unit = TILE_WIDTH ** max(level, 0)
    return n * TILE_WIDTH * unit, (n * TILE_WIDTH + width) * unit - 1
