"""Receipts a producer got: checked as they come, and kept where its project is.

    .counterfoil/receipts/ORIGIN/checkpoint           the newest checkpoint of that log
    .counterfoil/receipts/ORIGIN/17.tlog-proof        a receipt, and
    .counterfoil/receipts/ORIGIN/17.opening.json      the keys that show what its entry fixed
    .counterfoil/receipts/ORIGIN/17-1016.zip          the same files of a batch

What must hold: nothing is kept that does not check.  An answer counts as one only if the path
leads from the entry to the root in its checkpoint, if the entry is that of the event that was
sent, by name and by its commitments, and if the log has not another root at a size it had before.
The signature is checked where somebody has said whose counts (`COUNTERFOIL_TRUST`): the key is
not taken from the server that is being checked.

Readable by their owner alone: an opening shows what an entry keeps closed.
"""

import base64
import contextlib
import functools
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from counterfoil.client import system
from counterfoil.errors import EvidenceError, RequestError, UnavailableError
from counterfoil.tlog.checkpoint_text import Checkpoint, parse_checkpoint
from counterfoil.tlog.note_text import parse_note
from counterfoil.tlog.proof import verify_inclusion
from counterfoil.tlog.receipt import Receipt, parse_receipt
from counterfoil.tlog.tree import TreeHead, leaf_hash

SINGLE_FILES_MAX: Final = 8
"""A batch of more goes into one archive."""
TRUST_VARIABLE: Final = "COUNTERFOIL_TRUST"
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")


def project_folder(here: Path) -> Path | None:
    """Return `.counterfoil` of the project that `here` is in; None outside of any."""
    for folder in (here, *here.parents):
        if (folder / ".counterfoil").is_dir() or (folder / ".git").exists():
            return folder / ".counterfoil"
    return None


def folder_name(origin: str) -> str:
    """Return the name of the folder for a log.

    >>> folder_name("log.example/acme")
    'log.example_acme'
    """
    return _UNSAFE.sub("_", origin)


def keep_here(
    answers: Sequence[Mapping[str, Any]],
    events: Sequence[bytes] | None = None,
    *,
    spool: Path | None = None,
) -> str:
    """Check the answers to one request, and keep their receipts where the project is.

    Args:
        answers: the elements of `entries`, in order.
        events: what was posted, in the same order; None where the server made the events.
        spool: the spool the events came from; None to look from the working directory.

    Returns:
        "", or why they could not be kept: the answers hold all the same.

    Raises:
        EvidenceError, RequestError: as of `keep`.
    """
    inside = spool is not None and spool.parent.name == ".counterfoil"
    project = spool.parent if spool is not None and inside else project_folder(Path.cwd())
    try:
        keep(project / "receipts" if project is not None else None, answers, events)
    except UnavailableError as error:
        return error.message
    return ""


def check_answer(answer: Mapping[str, Any], event: bytes | None = None) -> Receipt:
    """Check one answer by itself.

    Args:
        answer: an element of `entries`.
        event: what was posted, as JSON; None where the server made the event, from a report.

    Raises:
        EvidenceError: `note_invalid`, `entry_invalid`, `proof`, `commitment`, `damaged`: it is
            no receipt of this event.
    """
    receipt = parse_receipt(str(answer["receipt"]).encode())
    if (
        receipt.extra is None
        or receipt.index != answer["index"]
        or _id_of(receipt.extra) != answer["id"]
    ):
        raise EvidenceError("damaged", f"the receipt of {answer['id']!a:.80} is of another entry")
    checkpoint = _read_checkpoint(receipt.checkpoint)
    head = TreeHead(checkpoint.size, checkpoint.root)
    verify_inclusion(leaf_hash(receipt.extra), receipt.index, receipt.path, head)
    if event is not None:
        _check_contents(receipt.extra, event, answer.get("opening") or {})
    return receipt


def keep(
    folder: Path | None,
    answers: Sequence[Mapping[str, Any]],
    events: Sequence[bytes] | None = None,
) -> None:
    """Check the answers to one request, then keep their receipts; all or none.

    Args:
        folder: `.counterfoil/receipts` of the project; None outside of any: they are checked.
        answers: the elements of `entries`, in order.
        events: what was posted, in the same order; None where the server made the events.

    Raises:
        EvidenceError: an answer does not hold, a trusted key did not sign, or `forked`.
        RequestError: `usage`: what `COUNTERFOIL_TRUST` names is no policy and no key.
        UnavailableError: `read_only`: the folder takes no writes.

    Cost: about 60 us a receipt.
    """
    receipts = [
        check_answer(answer, None if events is None else events[at])
        for at, answer in enumerate(answers)
    ]
    # One checkpoint is under a whole batch: its signature is checked once.
    by_note = {note: _signed(note) for note in dict.fromkeys(one.checkpoint for one in receipts)}
    if folder is None:
        return
    for note, checkpoint in sorted(by_note.items(), key=lambda item: item[1].size):
        at = folder / folder_name(checkpoint.origin)
        try:
            _keep_checkpoint(at, note, checkpoint)
            _keep_files(at, [
                (answer, one) for answer, one in zip(answers, receipts, strict=True)
                if one.checkpoint == note
            ])  # fmt: skip
        except OSError as error:
            raise UnavailableError(
                "read_only", f"{at} takes no receipts: {error.strerror or error}"
            ) from error


@functools.lru_cache(maxsize=8)
def _read_checkpoint(note: bytes) -> Checkpoint:
    """Parse a checkpoint; that of a batch, which is under each of its receipts, once."""
    return parse_checkpoint(parse_note(note).text)


def _id_of(entry: bytes) -> object:
    try:
        return json.loads(entry)["id"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def _check_contents(entry: bytes, event: bytes, opening: Mapping[str, str]) -> None:
    from counterfoil.events import canonical  # noqa: PLC0415  reports need none of it
    from counterfoil.events.codec import check_event  # noqa: PLC0415  the same
    from counterfoil.events.commitments import KEY_BYTES  # noqa: PLC0415  the same
    from counterfoil.events.entry import read_entry  # noqa: PLC0415  the same

    try:
        keys = {name: base64.b64decode(key, validate=True) for name, key in opening.items()}
    except ValueError as error:
        raise EvidenceError("commitment", "an opening that is no base64") from error
    if any(len(key) != KEY_BYTES for key in keys.values()):
        raise EvidenceError("commitment", f"an opening that is not {KEY_BYTES} bytes")
    compared = check_event(read_entry(entry), canonical.read(event), keys).compared
    if "body" not in compared:
        raise EvidenceError("commitment", "the answer opens no body, so nothing was compared")


def _signed(note: bytes) -> Checkpoint:
    """Return a checkpoint, signed by whoever is trusted here, if anybody is."""
    trusted = os.environ.get(TRUST_VARIABLE)
    if not trusted:
        return _read_checkpoint(note)
    from counterfoil.tlog.keys import parse_vkey  # noqa: PLC0415  with cryptography: 30 ms
    from counterfoil.tlog.policy import Policy, parse_policy  # noqa: PLC0415  the same

    try:
        data = Path(trusted).read_bytes()
        line = data.decode("utf-8").removesuffix("\n")
        is_key = "\n" not in line and "+" in line
        policy = Policy.for_vkey(parse_vkey(line)) if is_key else parse_policy(data)
    except (OSError, UnicodeDecodeError, EvidenceError) as error:
        said = error.message if isinstance(error, EvidenceError) else str(error)
        raise RequestError("usage", f"{TRUST_VARIABLE}={trusted}: {said}") from error
    return policy.verify_checkpoint(note)


def _keep_checkpoint(at: Path, note: bytes, checkpoint: Checkpoint) -> None:
    """Keep the newest checkpoint.

    Raises:
        EvidenceError: `forked`; `note_invalid` if what is kept is none.
    """
    at.mkdir(mode=0o700, parents=True, exist_ok=True)
    ignore = at.parent.parent / ".gitignore"
    if at.parent.parent.name == ".counterfoil" and not ignore.exists():
        ignore.write_text("*\n", "utf-8")
    path = at / "checkpoint"
    with contextlib.suppress(FileNotFoundError):
        known = _kept_checkpoint(path)
        if known.size == checkpoint.size and known.root != checkpoint.root:
            raise EvidenceError(
                "forked",
                f"log {checkpoint.origin} had another root at {known.size} entries; keep {path} "
                "and the answer, tell a person, and run verify --against both",
            )
        if known.size >= checkpoint.size:
            return
    # On the disk before it counts: the only word against another history of this log.
    system.write_whole(path, note)


def _kept_checkpoint(path: Path) -> Checkpoint:
    """Read the checkpoint kept before; naming its file, for the answer is not to blame."""
    data = path.read_bytes()
    try:
        return _read_checkpoint(data)
    except EvidenceError as error:
        raise EvidenceError(
            error.code,
            f"{path}, kept before, is no checkpoint any more: {error.message};"
            " move it away to begin with the newest",
        ) from error


def _keep_files(at: Path, kept: Sequence[tuple[Mapping[str, Any], Receipt]]) -> None:
    files = {}
    for answer, receipt in kept:
        files[f"{receipt.index}.tlog-proof"] = str(answer["receipt"]).encode()
        if opening := answer.get("opening"):
            files[f"{receipt.index}.opening.json"] = json.dumps(opening, indent=1).encode()
    if len(kept) <= SINGLE_FILES_MAX:
        for name, content in files.items():
            # Not waited for: `receipt` gets it from the server again.
            system.write_whole(at / name, content, sync=False)
        return
    indices = sorted(receipt.index for _, receipt in kept)
    import io  # noqa: PLC0415  10 ms that single events need not wait
    import zipfile  # noqa: PLC0415  the same

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    path = at / f"{indices[0]}-{indices[-1]}.zip"
    system.write_whole(path, packed.getvalue(), sync=False)
