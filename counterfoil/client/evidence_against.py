"""What somebody kept outside, in whatever form, held against the logs that are here: `--against`.

A form is known by what stands there:

- a file: a receipt, a checkpoint, or a zip or tar of an exported log;
- a directory: an exported log, a whole ledger (its `public/` counts), or a witness's own;
- an address: of an exported log, or of a witness.

A copy of an aggregate log speaks for every log it holds checkpoints of.  Nothing kept is believed
but what a key trusted here has signed, and nothing of a directory but what leads to that.

Source: C2SP tlog-witness for `seen/HEX/checkpoint` and `/HEX/checkpoint`; docs/trust.md.
"""

import datetime
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from counterfoil.client.address import split_address
from counterfoil.client.evidence_archive import is_archive, open_archive
from counterfoil.client.evidence_files import DirectoryLog, read_bounded, read_named, unreadable
from counterfoil.client.evidence_http import HttpLog
from counterfoil.clock import format_time
from counterfoil.errors import EvidenceError, RequestError
from counterfoil.tlog.checkpoint_text import parse_checkpoint
from counterfoil.tlog.cosignature import cosignature_time_s
from counterfoil.tlog.note_text import parse_note
from counterfoil.tlog.policy import Policy
from counterfoil.tlog.receipt import parse_receipt
from counterfoil.tlog.tile import node_from_tiles
from counterfoil.verifier.aggregate import is_aggregate
from counterfoil.verifier.anchor import (
    Anchor,
    Held,
    compare,
    compare_growth,
    older_than_seen,
    read_anchor,
)
from counterfoil.verifier.log import (
    CHECKPOINT,
    CHECKPOINT_MAX_BYTES,
    LogReader,
    check_log,
    exported_tiles,
)
from counterfoil.verifier.receipt import MAGIC
from counterfoil.verifier.report import Findings

PUBLISHED_WITHIN_S = 60
"""An entry is published, and shown to witnesses, seconds after it was recorded; clocks differ."""

_LAST_MOMENT_S = 253_402_300_799  # 9999-12-31T23:59:59Z

Logs = Mapping[str, Held | None]
"""The logs that are here, by origin; None for one that does not agree with itself."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """One signed thing somebody kept.

    Args:
        name: as given.
        data: a receipt or a checkpoint.
        log: the copy of the log it stands in, if it does.
        whole_ledger: it is one log of several, and may be of none that is here.
    """

    name: str
    data: bytes
    log: LogReader | None = None
    whole_ledger: bool = False


def hold_against(named: Sequence[str], policy: Policy, logs: Logs, findings: Findings) -> list[str]:
    """Compare what somebody kept with the logs it is about.

    Args:
        named: files, directories and addresses.
        policy: whose signatures count.
        logs: the logs that are here.
        findings: where findings go.

    Returns:
        Notes: what could not be compared, and why.

    Raises:
        RequestError: `usage`: one of them is no evidence, or of no log that is here.
        UnavailableError: `storage`, `unreachable`: it cannot be read just now.
    """
    with ExitStack() as opened:
        found = [one for each in named for one in _open(each, logs, opened)]
        read = [(one, anchor) for one in found if (anchor := _read(one, policy, logs, findings))]
        # From the smallest on: each that agrees narrows down what the next one can contradict.
        read.sort(key=lambda pair: pair[1].checkpoint.size)
        notes = []
        agreed: dict[str, int] = {}
        for one, anchor in read:
            origin = anchor.checkpoint.origin
            if origin in logs:
                held = logs[origin]
                if held is None:
                    notes.append(
                        f"not compared with {anchor.name}: the log here does not agree with itself"
                    )
                elif compare(anchor, held, findings, agreed.get(origin, 0)):
                    agreed[origin] = anchor.checkpoint.size
                    notes += _older_than_seen(one, anchor, held, policy)
            if one.log is not None and is_aggregate(origin):
                notes += _hold_aggregated(one.name, one.log, policy, logs, findings)
        return notes


def token_for(url: str) -> str:
    """Return the token of the environment if `url` is of the server it is meant for, else "".

    `COUNTERFOIL_URL` says which server that is; no other host ever sees the token.
    """
    server = os.environ.get("COUNTERFOIL_URL", "")
    if not server or split_address(server)[:2] != split_address(url)[:2]:
        return ""
    return os.environ.get("COUNTERFOIL_TOKEN", "")


def _read(one: _Kept, policy: Policy, logs: Logs, findings: Findings) -> Anchor | None:
    """Check one thing by itself; None when it is reported, or of no log that is here."""
    origin, size = _claimed(one)
    trusted = any(log.key.name == origin for log in policy.logs)
    if origin not in logs and not (is_aggregate(origin) and trusted):
        if one.whole_ledger:
            return None
        hint = (
            "give --trust with a policy that names its key"
            if is_aggregate(origin)
            else "give another"
        )
        raise RequestError(
            "usage", f"{one.name} is of the log {origin!a}, which is not here; {hint}"
        )
    node = node_from_tiles(exported_tiles(one.log, size)) if one.log is not None else None
    try:
        return read_anchor(one.name, one.data, policy, node)
    except EvidenceError as error:
        held = logs.get(origin)
        if error.code == "key_unknown" and trusted and held is not None and size > held.size:
            # The later key may be named in entries that are not here: no word of another history.
            findings.add(
                "missing", one.name,
                f"of {size} entries, and {held.size} are here; signed by a key that nothing here"
                " knows: it may be from after a rotation, and --trust with a policy that names its"
                " key tells",
            )  # fmt: skip
        elif error.code in {"key_unknown", "key_retired"}:
            message = f"signed for this log by a key that is not trusted here: {error.message}"
            findings.add("forked", one.name, message)
        else:
            findings.add("damaged", one.name, f"does not hold by itself: {error.message}")
        return None


def _claimed(one: _Kept) -> tuple[str, int]:
    """Return origin and size that a receipt or checkpoint claims, before anything is checked."""
    try:
        data = one.data
        note = parse_receipt(data).checkpoint if data.startswith(MAGIC) else data
        checkpoint = parse_checkpoint(parse_note(note).text)
    except EvidenceError as error:
        raise RequestError(
            "usage", f"{one.name} is no receipt and no checkpoint: {error.message}"
        ) from error
    return checkpoint.origin, checkpoint.size


def _older_than_seen(one: _Kept, anchor: Anchor, held: Held, policy: Policy) -> list[str]:
    """Say which later entries claim to be older than the moment a trusted witness saw the log.

    It is no finding: what a full disk kept from being published for long looks the same.
    """
    data = one.data
    note = parse_note(parse_receipt(data).checkpoint if data.startswith(MAGIC) else data)
    moments = [
        (cosignature_time_s(line.signature), witness.name)
        for line in note.signatures
        for witness in policy.witnesses
        if (line.name, line.key_id) == (witness.key.name, witness.key.key_id)
    ]
    if not moments:
        return []
    at_s, witness_name = max(moments)
    seen_s = min(max(0, at_s - PUBLISHED_WITHIN_S), _LAST_MOMENT_S)
    moment = datetime.datetime.fromtimestamp(seen_s, datetime.UTC)
    span = older_than_seen(anchor, held, format_time(moment))
    if span is None:
        return []
    told = (
        f"{held.name}: entries {span[0]} to {span[1]} say they were recorded before {witness_name}"
        f" saw the log without them, by {one.name}: back-dated, or not published for so long"
    )
    return [told]


def _hold_aggregated(
    name: str, log: LogReader, policy: Policy, logs: Logs, findings: Findings
) -> list[str]:
    """Compare the logs that are here with every checkpoint a copy of an aggregate log holds."""
    verdict = check_log(log, policy, findings, lambda path: f"{name} {path}")
    if verdict.aggregate is None:
        return []
    notes = []
    for origin, growth in verdict.aggregate.growth.items():
        held = logs.get(origin)
        if held is not None:
            compare_growth(growth, held, findings, lambda index: f"{name} entry {index}")
        elif origin in logs:
            notes.append(f"not compared with {name}: {origin} does not agree with itself")
    return notes


def _open(name: str, logs: Logs, opened: ExitStack) -> Iterator[_Kept]:
    if "://" in name:
        return _of_address(name, logs, opened)
    path = Path(name)
    return _of_directory(path, logs) if path.is_dir() else _of_file(path, opened)


def _of_file(path: Path, opened: ExitStack) -> Iterator[_Kept]:
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RequestError("usage", f"{path} is no file; name one that exists") from error
    except OSError as error:
        raise unreadable(path, error) from error
    if is_archive(head):
        log = opened.enter_context(open_archive(path, None))
        yield _copy(str(path), log)
    else:
        yield _Kept(str(path), read_named(path))


def _of_directory(path: Path, logs: Logs) -> Iterator[_Kept]:
    if (path / CHECKPOINT).exists():
        yield _copy(str(path), DirectoryLog(path))
    elif (path / "seen").is_dir():
        yield from _of_witness(
            str(path), logs, lambda name: _bounded(path / "seen" / name / CHECKPOINT)
        )
    elif (path / "public").is_dir():
        for public in sorted((path / "public").iterdir()):
            if (public / CHECKPOINT).exists():
                yield _copy(str(public), DirectoryLog(public), whole_ledger=True)
    else:
        raise RequestError(
            "usage", f"{path} is no exported log, no ledger and no directory of a witness"
        )


def _of_address(url: str, logs: Logs, opened: ExitStack) -> Iterator[_Kept]:
    def reader(address: str) -> HttpLog:
        log = HttpLog(address, token=token_for(url))
        opened.callback(log.close)
        return log

    log = reader(url)
    try:
        data = log.checkpoint()
    except EvidenceError as error:
        raise RequestError("usage", f"{url} serves no checkpoint: {error.message}") from error
    if data is not None:
        yield _Kept(url, data, log)
    else:
        yield from _of_witness(url, logs, lambda name: reader(f"{log.url}/{name}").checkpoint())


def _of_witness(name: str, logs: Logs, seen: Callable[[str], bytes | None]) -> Iterator[_Kept]:
    """Yield what a witness cosigned last of each log that is here."""
    count = 0
    for origin in logs:
        data = seen(hashlib.sha256(origin.encode()).hexdigest())
        if data is not None:
            count += 1
            yield _Kept(name, data)
    if not count:
        raise RequestError(
            "usage", f"{name} has no checkpoint of a log that is here; give the address of one,"
            " or a witness that watches one",
        )  # fmt: skip


def _copy(name: str, log: LogReader, *, whole_ledger: bool = False) -> _Kept:
    try:
        data = log.checkpoint()
    except EvidenceError as error:
        raise RequestError("usage", f"{name} has no usable checkpoint: {error.message}") from error
    if data is None:
        raise RequestError("usage", f"{name} has no checkpoint; give a copy of a log")
    return _Kept(name, data, log, whole_ledger)


def _bounded(path: Path) -> bytes | None:
    try:
        return read_bounded(path, CHECKPOINT_MAX_BYTES)
    except EvidenceError as error:
        raise RequestError("usage", f"{path}: {error.message}") from error
