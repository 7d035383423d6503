"""A ledger goes on from a backup: copied, checked, held against what others saw, then opened.

    every file against its digest -> the whole ledger verified -> evidence from outside
          -> names (`ledger.db` last) -> opened: what was erased is erased again -> an event

What must hold: nothing stands in the directory as a ledger before all of that held; a backup that
somebody outside saw more than is refused, for a log that goes on from it has two histories.

What cannot be known is said: that nobody named any evidence, and that nothing is known of
erasures behind the last entry of the backup.

Source: docs/adr/0034; docs/how-to/backup.md.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from counterfoil.app.acting_backup import SUBJECT, note_milestones
from counterfoil.app.actions import Acting
from counterfoil.app.backup import TOKEN_FILE
from counterfoil.app.backup_manifest import (
    FORMAT,
    KEYS_FORMAT,
    MANIFEST,
    Manifest,
    copy_checked,
    made_file,
    make_folders,
    read_manifest,
)
from counterfoil.app.backup_place import free_bytes, generations, keys_place
from counterfoil.app.config import FILE_NAME, Config, read_config
from counterfoil.app.home import Home, open_home
from counterfoil.app.record import LOCAL
from counterfoil.app.resting import chain_at_rest
from counterfoil.app.restore_erasures import erase_again, erasures_behind
from counterfoil.app.restore_outside import Compared, Outside, compare_outside
from counterfoil.app.restore_place import prepare_directory, put_in_place
from counterfoil.client.evidence_ledger import LedgerResult, check_ledger
from counterfoil.clock import Clock, format_time
from counterfoil.errors import EvidenceError, RequestError, UnavailableError
from counterfoil.ids import Randomness
from counterfoil.stores.files import os_errors_translated
from counterfoil.stores.state import State
from counterfoil.tlog.keys import VerifierKey, parse_signer_key, parse_vkey
from counterfoil.tlog.policy import Policy
from counterfoil.verifier.anchor import Held
from counterfoil.verifier.report import Findings

_SETTINGS: Final = "settings"
"""Folder the settings wait in: until all is checked, the keys are those of the backup."""
_FOLDERS: Final = ("blobs", "public", "spool", "keys")


@dataclass(frozen=True, slots=True)
class Asked:
    """What to restore.

    Args:
        backup: a generation, or the folder they lie in, for the latest of it.
        directory: where to: absent or empty, but for `public/` of the ledger that was lost.
        keys: the other half, or the folder of those; beside the backup if None.
        signing_keys: a folder of PROJECT.key files, where the backup has none.
        against: evidence somebody kept: files, folders, addresses.
        need_witnesses: whether a witness of the settings that does not answer stops it.
        with_findings: put it in place as it is, whatever is wrong in itself.
        erasures: those that came after the backup: see `restore_erasures`; None where nobody
            knows of any.
    """

    backup: Path
    directory: Path
    keys: Path | None = None
    signing_keys: Path | None = None
    against: Sequence[str] = ()
    need_witnesses: bool = True
    with_findings: bool = False
    erasures: Path | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The two halves of a backup, by their manifests."""

    folder: Path
    manifest: Manifest
    keys_folder: Path
    keys: Manifest


@dataclass(slots=True)
class Restored:
    """A ledger that goes on.

    Attributes:
        manifest: of the backup.
        compared: what outside of it was compared, and what there was none of.
        findings: what it was put in place with.
        entries: numbers of the entries in `_access` that say so.
        erased: how many erasures that came after it were done again; None where none were named.
    """

    manifest: Manifest
    compared: Compared
    findings: tuple[str, ...] = ()
    entries: tuple[int, ...] = ()
    erased: int | None = None


def find_backup(backup: Path, keys: Path | None) -> Found:
    """Read the manifests of a backup's two halves.

    Raises:
        RequestError: `backup_invalid`: no backup; or its keys are not there.
        EvidenceError: `damaged`.
        UnavailableError: `storage`.
    """
    folder = generation_of(backup)
    manifest = read_manifest(folder, FORMAT)
    named = keys or keys_place(folder.parent)
    keys_folder = named / manifest.stamp if (named / manifest.stamp).is_dir() else named
    try:
        half = read_manifest(keys_folder, KEYS_FORMAT)
    except RequestError as error:
        raise RequestError(
            "backup_invalid",
            f"what opens the contents of {manifest.stamp} is not at {named}: name its place with"
            f" --keys. Where it had its time, the backup still proves every entry and opens none:"
            f" counterfoil verify {folder}",
        ) from error
    if half.stamp != manifest.stamp:
        raise RequestError(
            "backup_invalid",
            f"{keys_folder} is of backup {half.stamp}, and {folder} is {manifest.stamp}: halves of"
            " two backups make no ledger",
        )
    return Found(folder, manifest, keys_folder, half)


def restore(asked: Asked, clock: Clock, randomness: Randomness) -> Restored:
    """Put a backup in place and open it once.

    Raises:
        RequestError: `backup_invalid`, `dir_exists`, `usage`: evidence of another ledger, or no
            key that signs; `config_invalid`, `network_storage`, `unsafe_access`.
        EvidenceError: `damaged`, `missing`: the backup is not what it was; `rolled_back`,
            `forked`: somebody outside saw more, or something else.
        UnavailableError: `storage`, `read_only`, `unreachable`: nothing stands there yet.

    Cost: every byte of the backup once, and what `verify` takes.
    """
    found = find_backup(asked.backup, asked.keys)
    named = asked.erasures
    erasures = erasures_behind(named, found.manifest) if named is not None else []
    directory = asked.directory
    with os_errors_translated(directory):
        aside = prepare_directory(directory, _names(found))
    try:
        findings, compared = _put(found, asked, aside, randomness)
    except BaseException:
        # Nothing of it is a ledger, and all of it is secret.
        shutil.rmtree(aside, ignore_errors=True)
        raise
    with os_errors_translated(directory):
        put_in_place(directory)
    restored = Restored(found.manifest, compared, tuple(one.line() for one in findings))
    with open_home(directory, clock, randomness) as home:
        if named is not None:
            restored.erased = erase_again(home, erasures)
        restored.entries = _record(home, restored)
    return restored


def _put(
    found: Found, asked: Asked, aside: Path, randomness: Randomness
) -> tuple[Findings, Compared]:
    """Copy, check and compare a backup, and add what a ledger needs besides."""
    copy_out(found, aside)
    config = _settings(aside)
    with checked(aside, found.manifest) as (result, findings):
        _refuse_findings(findings, with_findings=asked.with_findings)
        public = asked.directory / "public"
        outside = Outside(
            public if public.is_dir() else None,
            asked.against,
            config.witness,
            asked.need_witnesses,
        )
        compared = compare_outside(outside, *_held(result))
    with os_errors_translated(asked.directory):
        _place_keys(asked, aside, config)
        _finish(aside, randomness)
    return findings, compared


def copy_out(found: Found, aside: Path) -> None:
    """Copy both halves into a folder, every file compared with its digest.

    Raises:
        EvidenceError: `damaged`, `missing`.
        UnavailableError: `storage`, `read_only`.
    """
    needed = sum(one.size_bytes for half in (found.manifest, found.keys) for one in half.files)
    if free_bytes(aside) < needed:
        raise UnavailableError(
            "storage", f"{aside.parent} has less free than the {needed} bytes of the backup:"
            " make room; nothing was changed",
        )  # fmt: skip
    for folder, half in ((found.folder, found.manifest), (found.keys_folder, found.keys)):
        for one in half.files:
            name = f"{_SETTINGS}/{FILE_NAME}" if one.path == FILE_NAME else one.path
            copy_checked(folder, one, aside / name)
            if name.startswith(("public/", "keys/")) and not name.endswith(".key"):
                (aside / name).chmod(0o444 if name.startswith("public/") else 0o644)


@contextmanager
def checked(folder: Path, manifest: Manifest) -> Iterator[tuple[LedgerResult, Findings]]:
    """Verify a restored folder; the databases stay open for the block, to compare further.

    Args:
        folder: with no settings in it, so that the keys are those of the backup.
        manifest: what it has to hold.
    """
    findings = Findings()
    with check_ledger(folder, None, None, findings) as result:
        seen = {log.seen.project: log.seen for log in result.logs}
        for one in manifest.logs:
            log = seen.get(one.project)
            if log is None or (log.origin, log.size) != (one.origin, one.size):
                findings.add(
                    "damaged", MANIFEST, f"{one.project} is not as large as the manifest says"
                )
        yield result, findings


def generation_of(backup: Path) -> Path:
    """Return the generation that is meant: itself, or the latest of the folder they lie in."""
    if (backup / MANIFEST).exists():
        return backup
    found = generations(backup)
    return found[-1] if found else backup


def _names(found: Found) -> frozenset[str]:
    """Return the names a restore puts into a directory."""
    files = [*found.manifest.files, *found.keys.files]
    return frozenset({one.path.split("/")[0] for one in files} | {*_FOLDERS, TOKEN_FILE, _SETTINGS})


def _settings(aside: Path) -> Config:
    folder = aside / _SETTINGS
    return read_config(folder) if folder.exists() else Config()


def _held(result: LedgerResult) -> tuple[Policy, dict[str, Held | None]]:
    return result.trusted, {log.origin: log.held for log in result.logs}


def _refuse_findings(findings: Findings, *, with_findings: bool) -> None:
    if not len(findings) or with_findings:
        return
    first = next(iter(findings))
    raise EvidenceError(
        first.klass if first.klass in {"damaged", "missing", "forked"} else "damaged",
        f"the backup is not whole: {len(findings)} findings, first {first.line()}; take another"
        " one, or this one as it is with --with-findings",
    )


def _place_keys(asked: Asked, aside: Path, config: Config) -> None:
    """Have every key that signs where the settings say, and refuse where one is missing.

    Raises:
        RequestError: `usage`.
    """
    directory, staged = asked.directory.absolute(), aside / "keys"
    named = Path(os.path.normpath(directory / config.keys.directory))
    inside = named.is_relative_to(directory)
    folders = [staged, named]
    if asked.signing_keys is not None:
        folders.append(asked.signing_keys)
    for path in sorted(staged.glob("*.vkey")):
        if path.stem in config.keys.source:
            continue  # it comes from elsewhere, and the opening asks for it
        vkey = parse_vkey(path.read_text("ascii").strip())
        # The log says who signs; a copy of keys/ may be of before or after that was so.
        chain = chain_at_rest(aside / "ledger.db", staged, path.stem, vkey)
        key = _held_by(folders, path.stem, chain.current)
        if key is None:
            raise RequestError(
                "usage",
                f"the key that signs {vkey.name} is not in {folders[-1]}: name its folder with"
                " --signing-keys; without it nobody can go on with this log",
            )
        if inside and key.parent != staged:
            _copy_key(key, staged / f"{path.stem}.key")
            before = chain.overlapping
            beside = None if before is None else _held_by(folders, path.stem, before)
            if beside is not None and beside.parent != staged:
                # It signs as well until its overlap ends.
                _copy_key(beside, staged / f"{path.stem}.earlier.key")
    if not inside:
        shutil.rmtree(staged)
    elif named != directory / "keys":
        target = aside / named.relative_to(directory)
        make_folders(target)
        staged.rename(target)


def _held_by(folders: Sequence[Path], project: str, vkey: VerifierKey) -> Path | None:
    """Return the file of a log's key, under any of the names that a rotation gives it."""
    names = (f"{project}{suffix}.key" for suffix in ("", ".later", ".earlier"))
    found = (folder / name for name in names for folder in folders)
    return next((one for one in found if _signs(one, vkey)), None)


def _copy_key(key: Path, to: Path) -> None:
    with made_file(to) as file:
        file.write(key.read_bytes())
        file.flush()
        os.fsync(file.fileno())


def _signs(path: Path, vkey: VerifierKey) -> bool:
    try:
        return parse_signer_key(path.read_text("ascii").strip()).vkey == vkey
    except (FileNotFoundError, NotADirectoryError, EvidenceError, UnicodeDecodeError):
        return False


def _finish(aside: Path, randomness: Randomness) -> None:
    """Add what a ledger has and a backup has not."""
    for name in ("blobs", "public", "spool"):
        (aside / name).mkdir(mode=0o700, exist_ok=True)
    for folder, _, _ in os.walk(aside / "public"):
        Path(folder).chmod(0o755)  # anybody may be let in to read it
    if not (aside / TOKEN_FILE).exists():
        with made_file(aside / TOKEN_FILE) as file:
            file.write(f"cf_{randomness.token(24).hex()}\n".encode())
            file.flush()
            os.fsync(file.fileno())
    state = State(aside / "state.db")
    try:
        # Who was sent away since the backup has not to come back with it.
        state.end_all_sessions()
    finally:
        state.close()
    if (aside / _SETTINGS).exists():
        (aside / _SETTINGS / FILE_NAME).rename(aside / FILE_NAME)
        (aside / _SETTINGS).rmdir()


def _record(home: Home, restored: Restored) -> tuple[int, ...]:
    """Say in the ledger that it goes on from a backup."""
    logs = {one.project: one.size for one in restored.manifest.logs}
    acting = Acting(home=home, credential=LOCAL, given=None, via="cli")
    entries = acting.enact(
        "backup.restored",
        SUBJECT,
        {
            "stamp": restored.manifest.stamp,
            "logs": dict(logs),
            "compared": list(restored.compared.agreed),
            "absent": list(restored.compared.absent),
            "findings": len(restored.findings),
            "erasures": restored.erased,
        },
    )
    note_milestones(acting, "restored", logs, format_time(home.clock.now()))
    return entries
