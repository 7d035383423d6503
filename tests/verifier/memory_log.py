"""An exported log in memory: what the exporter would write, as a dictionary of files."""

from collections.abc import Iterable, Mapping, Sequence

from counterfoil.tlog.checkpoint import sign_checkpoint
from counterfoil.tlog.entries import write_bundle
from counterfoil.tlog.keys import SignerKey
from counterfoil.tlog.policy import Policy
from counterfoil.tlog.tile import TILE_WIDTH, entries_path, hash_tile, tile_path
from counterfoil.tlog.tree import HASH_SIZE, TreeHead, leaf_hash, root_from_leaves
from counterfoil.verifier.log import LogVerdict, check_log
from counterfoil.verifier.report import Findings

ORIGIN = "log.example/shop"
SIGNER = SignerKey.from_seed(ORIGIN, b"\x07" * 32)
POLICY = Policy.for_vkey(SIGNER.vkey)


def make_entries(size: int) -> list[bytes]:
    """Return `size` short entries; the tree does not care what they say."""
    return [f"e{index}".encode() for index in range(size)]


def make_files(entries: Sequence[bytes], signer: SignerKey = SIGNER) -> dict[str, bytes]:
    """Return every file of the exported log of these entries."""
    leaves = [leaf_hash(entry) for entry in entries]
    head = TreeHead(len(entries), root_from_leaves(leaves))
    files = {"checkpoint": sign_checkpoint(ORIGIN, head, signer)}
    for n in range(-(-len(entries) // TILE_WIDTH)):
        part = entries[n * TILE_WIDTH : (n + 1) * TILE_WIDTH]
        files[entries_path(n, len(part))] = write_bundle(part)
    return {**files, **make_tiles(leaves)}


def make_tiles(leaves: Sequence[bytes]) -> dict[str, bytes]:
    """Return every tile over these leaf hashes."""
    files: dict[str, bytes] = {}
    level, row = 0, list(leaves)
    while row:
        above = []
        for n in range(-(-len(row) // TILE_WIDTH)):
            part = row[n * TILE_WIDTH : (n + 1) * TILE_WIDTH]
            files[tile_path(level, n, len(part))] = b"".join(part)
            if len(part) == TILE_WIDTH:
                above.append(hash_tile(b"".join(part)))
        level, row = level + 1, above
    return files


class MemoryLog:
    """A log reader over a dictionary of files."""

    def __init__(self, files: Mapping[str, bytes], *, listed: bool = True) -> None:
        self.files = files
        self.listed = listed

    def checkpoint(self) -> bytes | None:
        """Return the file `checkpoint`."""
        return self.files.get("checkpoint")

    def tile(self, level: int, n: int, width: int) -> bytes | None:
        """Return the file of exactly this tile."""
        return self.files.get(tile_path(level, n, width))

    def bundle(self, n: int, width: int) -> bytes | None:
        """Return the file of exactly this bundle."""
        return self.files.get(entries_path(n, width))

    def names(self) -> Iterable[str] | None:
        """Return every name, or None as a server would."""
        return sorted(self.files) if self.listed else None


def check(files: Mapping[str, bytes], policy: Policy = POLICY) -> tuple[LogVerdict, Findings]:
    """Check an exported log; return the verdict and what was found."""
    findings = Findings()
    verdict = check_log(MemoryLog(files), policy, findings, lambda path: path)
    return verdict, findings


def flip(data: bytes, at: int) -> bytes:
    """Return `data` with one byte changed."""
    return data[:at] + bytes([data[at] ^ 0x5A]) + data[at + 1 :]


def entries_under(path: str, at: int) -> tuple[int, int]:
    """Return the first and last entry that byte `at` of a file speaks about."""
    level, _, number = path.removeprefix("tile/").partition("/")
    n = int(number.split(".")[0])
    if level == "entries":
        return n * TILE_WIDTH, n * TILE_WIDTH + TILE_WIDTH - 1
    unit = TILE_WIDTH ** int(level)
    start = (n * TILE_WIDTH + at // HASH_SIZE) * unit
    return start, start + unit - 1
