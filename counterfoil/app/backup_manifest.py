"""What a backup holds: one manifest, with the size and SHA-256 of every file.

    manifest.json     what of which ledger, when, by which version, and every file
    manifest.sha256   the digest of the manifest, as `sha256sum --check` reads it

What must hold: a folder with both is whole as far as its files have these digests; without them
it is no backup.  The digests tell damage, not forgery: whoever can write the folder can write a
manifest.  What was forged shows as it does in a ledger: by signatures, and by what is kept
elsewhere.

Source: docs/adr/0034.
"""

import hashlib
import os
import stat
from pathlib import Path, PurePosixPath
from typing import IO, Annotated, Final

import msgspec

from counterfoil.errors import EvidenceError, RequestError
from counterfoil.stores.files import os_errors_translated

FORMAT: Final = "counterfoil-backup/1"
KEYS_FORMAT: Final = "counterfoil-backup-keys/1"
MANIFEST: Final = "manifest.json"
DIGEST: Final = "manifest.sha256"
STEP_BYTES: Final = 1 << 20
_MANIFEST_MAX_BYTES: Final = 1 << 30

Sha256 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Count = Annotated[int, msgspec.Meta(ge=0)]


class BackedUpLog(msgspec.Struct, frozen=True):
    """One log as it was backed up.

    Attributes:
        project: whose log.
        origin: its name for life.
        size: how many entries.
        root: over them, in hex.
        checkpoint: the published checkpoint, which may be of fewer entries; "" before the first.
    """

    project: str
    origin: str
    size: Count
    root: Sha256
    checkpoint: str


class BackedUpFile(msgspec.Struct, frozen=True):
    """One file: where it is below the folder, its length, the SHA-256 of its bytes."""

    path: str
    size_bytes: Count
    sha256: Sha256


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a folder of a backup holds.

    Attributes:
        format: `FORMAT`, or `KEYS_FORMAT` where the folder holds what has a short life.
        stamp: names the backup; its two folders have the same.
        taken: when, RFC 3339.
        version: of the program.
        logs: every log of the ledger, as far as it was backed up.
        files: all but the manifest itself, by path.
        signing_keys: whether the keys that sign are among them.
    """

    format: str
    stamp: str
    taken: str
    version: str
    logs: tuple[BackedUpLog, ...]
    files: tuple[BackedUpFile, ...]
    signing_keys: bool = False

    def log(self, project: str) -> BackedUpLog | None:
        """Return one log."""
        return next((one for one in self.logs if one.project == project), None)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a manifest and its digest; their bytes are durable on return, their names are not."""
    data = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
    digest = f"{hashlib.sha256(data).hexdigest()}  {MANIFEST}\n".encode()
    for name, content in ((MANIFEST, data), (DIGEST, digest)):
        with os_errors_translated(folder / name), made_file(folder / name) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())


def read_manifest(folder: Path, form: str = FORMAT) -> Manifest:
    """Read the manifest of a backup.

    Raises:
        RequestError: `backup_invalid`: it is no backup, or of another form.
        EvidenceError: `damaged`: the manifest is not what it was.
        UnavailableError: `storage`.
    """
    data, digest = _bounded(folder / MANIFEST), _bounded(folder / DIGEST)
    if data is None or digest is None:
        raise RequestError(
            "backup_invalid",
            f"{folder} holds no {MANIFEST} with its {DIGEST}: it is no backup, or one that was cut"
            " off; name another one",
        )
    manifest = parse_manifest(data, digest, str(folder))
    if manifest.format != form:
        raise RequestError(
            "backup_invalid", f"{folder} is a {manifest.format[:80]!a}, and a {form} is needed here"
        )
    return manifest


def parse_manifest(data: bytes, digest: bytes, name: str) -> Manifest:
    """Return a manifest from its bytes and the line of its digest.

    Raises:
        RequestError: `backup_invalid`: another form, or a name that leads out of the folder.
        EvidenceError: `damaged`: the bytes have another digest.
    """
    if digest.split()[:1] != [hashlib.sha256(data).hexdigest().encode()]:
        raise EvidenceError(
            "damaged", f"{name}: {MANIFEST} is not what {DIGEST} says: take another backup"
        )
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    # RecursionError, UnicodeDecodeError: bytes that are no manifest in yet another way.
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise RequestError(
            "backup_invalid", f"{name}: {MANIFEST}: {error}; read it with the version that wrote it"
        ) from error
    for one in manifest.files:
        _require_below(name, one.path)
    return manifest


def copy_checked(folder: Path, one: BackedUpFile, to: Path) -> None:
    """Copy a file of a backup and compare it with its digest on the way; durable on return.

    Raises:
        EvidenceError: `missing`: it is not there; `damaged`: it is not what was backed up.
        UnavailableError: `storage`, `read_only`.
    """
    digest, size_bytes = hashlib.sha256(), 0
    with os_errors_translated(to):
        make_folders(to)
        source = _open_regular(folder / one.path)
        with source, made_file(to) as target:
            while data := source.read(STEP_BYTES):
                digest.update(data)
                size_bytes += len(data)
                target.write(data)
            target.flush()
            os.fsync(target.fileno())
    if size_bytes != one.size_bytes or digest.hexdigest() != one.sha256:
        raise EvidenceError(
            "damaged",
            f"{folder / one.path} is not what was backed up ({size_bytes} bytes, and"
            f" {one.size_bytes} were written): take another backup",
        )


def make_folders(path: Path) -> None:
    """Make the folders above a file, each its owner's alone."""
    missing = [one for one in path.parents if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700)


def made_file(path: Path) -> IO[bytes]:
    """Open a file that is absent, to be written: mode 0600, no link followed."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "wb")


def _open_regular(path: Path) -> IO[bytes]:
    """Open a file, and neither a link nor a pipe in its place."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise EvidenceError(
            "missing", f"{path} is not there: the backup is cut; take another one"
        ) from None
    except OSError as error:
        if path.is_symlink():
            raise EvidenceError(
                "damaged", f"{path} is a link, and nothing in a backup is one"
            ) from error
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise EvidenceError("damaged", f"{path} is no file: take another backup")
    return os.fdopen(handle, "rb")


def _require_below(where: str, name: str) -> None:
    """Refuse a name that leads out of the folder: it would be written there."""
    path = PurePosixPath(name)
    plain = name == str(path) and not path.is_absolute() and ".." not in path.parts
    if not plain or name in {"", "."} or "\x00" in name:
        raise RequestError(
            "backup_invalid", f"{where}: {MANIFEST} names {name[:80]!a}, which no backup holds"
        )


def _bounded(path: Path) -> bytes | None:
    with os_errors_translated(path):
        try:
            with _open_regular(path) as file:
                return file.read(_MANIFEST_MAX_BYTES)
        except EvidenceError:
            return None
