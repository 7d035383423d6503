"""The function behind `counterfoil verify`: say what the evidence is, and whether it is whole.

It reads a ledger directory, an exported log (in a directory, an archive or behind a URL) or a
receipt; it needs no server, no account and no lock, and writes nothing.

What is wrong with the evidence is in the report.  An error is only raised when there is nothing
to report on: `RequestError` when the caller named something else, `UnavailableError` when it
could not be read.
"""

import base64
import binascii
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from counterfoil.client.evidence_against import hold_against, token_for
from counterfoil.client.evidence_archive import is_archive, open_archive
from counterfoil.client.evidence_files import DirectoryLog, read_named, unreadable
from counterfoil.client.evidence_http import HttpLog
from counterfoil.client.evidence_ledger import aggregate_notes, check_ledger, log_held
from counterfoil.client.evidence_timestamps import StampOf, check_timestamps, read_roots
from counterfoil.errors import EvidenceError, RequestError
from counterfoil.events import canonical
from counterfoil.events.canonical import JSON
from counterfoil.prooffile.make import make_page
from counterfoil.tlog.checkpoint import Checkpoint
from counterfoil.tlog.keys import parse_vkey
from counterfoil.tlog.policy import Policy, parse_policy
from counterfoil.verifier.anchor import Held, compare, read_anchor
from counterfoil.verifier.log import LogReader, check_log
from counterfoil.verifier.proof_file import PROOF_FILE_MAX_BYTES, is_page
from counterfoil.verifier.proof_verdict import NOT_OURS, ProofVerdict, check_proof_file
from counterfoil.verifier.receipt import MAGIC, RECEIPT_MAX_BYTES, check_receipt
from counterfoil.verifier.report import Findings, LogSeen, ReceiptVerdict, Report, Trust

_NO_LOG = LogSeen("", "", 0, "", "")
_LEDGER_FILES = ("ledger.db", "counterfoil.toml", "erasable.db")


@dataclasses.dataclass(frozen=True, slots=True)
class _Given:
    """Whom the caller said to trust."""

    policy: Policy
    trust: Trust


def verify_path(
    target: str,
    *,
    trust: Path | None = None,
    vkey: Path | None = None,
    against: tuple[str, ...] = (),
    event: Path | None = None,
    opening: Path | None = None,
    project: str | None = None,
    tsa: Path | None = None,
) -> Report | ReceiptVerdict | ProofVerdict:
    """Verify whatever `target` is.

    Args:
        target: a ledger directory, a `public/PROJECT` directory, a zip or tar of one, an
            http(s) URL of one, a receipt (`.tlog-proof`), or a proof file (HTML).
        trust: a tlog-policy file; its keys and witnesses count, and no key found beside the
            evidence.
        vkey: a file of one verifier key, in the place of a policy.
        against: what was kept elsewhere; its forms stand in `evidence_against`.
        event: the event as posted, to compare with the receipt.
        opening: the `opening` of the answer to that post.
        project: which log of several.
        tsa: roots of a time-stamping authority in PEM: check the stamps of a ledger directory.

    Raises:
        RequestError: `dir_missing`, `not_a_ledger`, `project_unknown`, or `usage`: a file
            named beside the target is not what it has to be.
        UnavailableError: `storage` or `unreachable`: it cannot be read just now.
    """
    given = _given(trust, vkey)
    stamp_of = read_roots(tsa) if tsa is not None else None
    if stamp_of is not None and _form(Path(target)) != "ledger":
        raise RequestError("usage", "--tsa goes with a ledger directory, which keeps time stamps")
    if "://" in target:
        _refuse_contents(event, opening)
        reader = HttpLog(target, token=token_for(target))
        try:
            return _verify_exported(target, reader, _required(given, target), against)
        finally:
            reader.close()
    path = Path(target)
    form = _form(path)
    if form == "absent":
        raise RequestError("dir_missing", f"{target} does not exist; name a ledger or a receipt")
    if form == "file":
        return _verify_file(path, given, against, event, opening, project)
    _refuse_contents(event, opening)
    if form == "ledger":
        return _verify_ledger(path, given, against, project, stamp_of)
    if form == "log":
        return _verify_exported(target, DirectoryLog(path), _required(given, target), against)
    raise RequestError(
        "not_a_ledger", f"{target} is neither a ledger directory nor an exported log"
    )


def _form(path: Path) -> Literal["absent", "file", "ledger", "log", "other"]:
    """Say what stands at a path, by the names in it."""
    try:
        if not path.exists():
            return "absent"
        if not path.is_dir():
            return "file"
        if any((path / name).exists() for name in _LEDGER_FILES):
            return "ledger"
        exported = (path / "checkpoint").exists() or (path / "tile").is_dir()
    except OSError as error:
        raise unreadable(path, error) from error
    return "log" if exported else "other"


def _verify_file(
    path: Path,
    given: _Given | None,
    against: tuple[str, ...],
    event: Path | None,
    opening: Path | None,
    project: str | None,
) -> Report | ReceiptVerdict | ProofVerdict:
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise unreadable(path, error) from error
    if head.startswith(MAGIC):
        if against:
            raise RequestError("usage", "--against goes with a log; a receipt stands for itself")
        if opening is not None and event is None:
            raise RequestError("usage", "--opening opens an event; give --event FILE as well")
        known = _required(given, str(path))
        return check_receipt(
            read_named(path, RECEIPT_MAX_BYTES),
            known.policy,
            _read_event(event) if event is not None else None,
            _read_opening(opening) if opening is not None else None,
            target=str(path),
            trust=known.trust,
        )
    if is_page(head):
        _refuse_contents(event, opening)
        if against:
            raise RequestError("usage", "--against goes with a log; a proof file stands for itself")
        return _verify_page(path, given)
    if is_archive(head):
        _refuse_contents(event, opening)
        known = _required(given, str(path))
        with open_archive(path, project) as reader:
            return _verify_exported(str(path), reader, known, against)
    raise RequestError(
        "not_a_ledger", f"{path} is no receipt, no proof file and no zip or tar of an exported log"
    )


def _verify_page(path: Path, given: _Given | None) -> ProofVerdict:
    """Judge a proof file by its data; that its code is another is said, and never run."""
    if given is None:
        raise RequestError(
            "usage",
            f"{path} carries only a key of its own, which proves itself to anybody;"
            " give --trust POLICY or --vkey FILE",
        )
    page = read_named(path, PROOF_FILE_MAX_BYTES)
    verdict = check_proof_file(page, given.policy, target=str(path), trust=given.trust)
    if verdict.held is not None and make_page(verdict.held.proof) != page:
        return dataclasses.replace(verdict, notes=(NOT_OURS,))
    return verdict


def _verify_ledger(
    path: Path, given: _Given | None, against: tuple[str, ...], project: str | None,
    stamp_of: StampOf | None,
) -> Report:  # fmt: skip
    findings = Findings()
    policy = given.policy if given is not None else None
    with check_ledger(path, policy, project, findings) as result:
        notes = list(result.notes)
        policy = result.trusted
        held = {log.origin: log.held for log in result.logs}
        notes += hold_against(against, policy, held, findings)
        if stamp_of is not None:
            notes += _check_stamps(path, stamp_of, result.aggregate, held, findings)
    return Report(
        target=str(path),
        logs=tuple(log.seen for log in result.logs) or (_NO_LOG,),
        trust=given.trust if given is not None else "self",
        checked=result.checked,
        findings=tuple(findings),
        uncounted=findings.uncounted,
        notes=tuple(notes),
    )


def _check_stamps(
    path: Path, stamp_of: StampOf, policy: Policy | None, held: Mapping[str, Held | None],
    findings: Findings,
) -> list[str]:  # fmt: skip
    """Check the time stamps of a ledger; their checkpoints have to be of its aggregate log."""
    if policy is None:
        return ["time stamps were not looked at: there is no aggregate log that is trusted here"]

    def check(name: str, note: bytes) -> Checkpoint | None:
        try:
            anchor = read_anchor(name, note, policy)
        except EvidenceError as error:
            findings.add("damaged", name, f"does not hold by itself: {error.message}")
            return None
        here = held.get(anchor.checkpoint.origin)
        if here is None:
            findings.add("damaged", name, "of a log that is not here, or not whole")
            return None
        compare(anchor, here, findings)
        return anchor.checkpoint

    return check_timestamps(path, stamp_of, check, findings)


def _verify_exported(
    target: str, reader: LogReader, given: _Given, against: tuple[str, ...]
) -> Report:
    findings = Findings()
    verdict = check_log(reader, given.policy, findings, lambda path: path)
    notes = []
    if verdict.beyond:
        notes.append(
            f"{len(verdict.beyond)} files lie beyond the checkpoint and are no part of this"
            f" verdict: an export under way ({verdict.beyond[0]}, ...)"
        )
    if reader.names() is None:
        notes.append("a server lists no files: what else it keeps was not looked at")
    if verdict.aggregate is not None:
        notes += aggregate_notes(verdict.aggregate)
    trust = verdict.trust or given.policy
    if verdict.succession is not None:
        notes += verdict.succession.said(trust)
    seen = LogSeen("", "", verdict.entries, "", "")
    checkpoint = verdict.checkpoint
    if checkpoint is not None:
        root = checkpoint.root.hex()
        seen = LogSeen("", checkpoint.origin, checkpoint.size, root, verdict.fingerprint)
        held = log_held("tile/entries", reader, verdict)
        notes += hold_against(against, trust, {checkpoint.origin: held}, findings)
    elif against:
        notes.append("nothing was compared with --against: no checkpoint here can be trusted")
    checked = {
        "checkpoints": int(checkpoint is not None),
        "entries": verdict.entries,
        "tiles": verdict.tiles,
        "further_files": verdict.files,
    }
    return Report(
        target, (seen,), given.trust, checked, tuple(findings), findings.uncounted, tuple(notes)
    )


def _given(trust: Path | None, vkey: Path | None) -> _Given | None:
    if trust is not None and vkey is not None:
        raise RequestError("usage", "give --trust or --vkey, not both")
    try:
        if trust is not None:
            return _Given(parse_policy(read_named(trust)), "policy")
        if vkey is not None:
            text = read_named(vkey).decode("utf-8", "replace").removesuffix("\n")
            return _Given(Policy.for_vkey(parse_vkey(text)), "vkey")
    except EvidenceError as error:
        raise RequestError("trust_invalid", f"{trust or vkey}: {error.message}") from error
    return None


def _required(given: _Given | None, target: str) -> _Given:
    if given is None:
        raise RequestError(
            "usage", f"{target} carries no key of its own; give --trust POLICY or --vkey FILE"
        )
    return given


def _refuse_contents(event: Path | None, opening: Path | None) -> None:
    if event is not None or opening is not None:
        raise RequestError("usage", "--event and --opening go with a receipt (.tlog-proof)")


def _read_event(path: Path) -> dict[str, JSON]:
    value = _read_json(path)
    if not isinstance(value, dict):
        raise RequestError("usage", f"{path} holds no event; an event is a JSON object")
    return value


def _read_json(path: Path) -> JSON:
    try:
        return canonical.read(read_named(path), str(path))
    except RequestError as error:
        raise RequestError("usage", error.message) from error


def _read_opening(path: Path) -> dict[str, bytes]:
    """Read the openings of one event: the object itself, or the answer that holds it."""
    value = _read_json(path)
    if isinstance(value, dict) and isinstance(value.get("opening"), dict):
        value = value["opening"]
    opening: dict[str, bytes] = {}
    for name, text in value.items() if isinstance(value, dict) else ():
        try:
            opening[name] = base64.b64decode(text if isinstance(text, str) else "", validate=True)
        except (binascii.Error, ValueError):
            opening[name] = b""
        if len(opening[name]) != 32:
            raise RequestError("usage", f"{path}: {name[:64]!a} is not 32 bytes in base64")
    if not opening:
        raise RequestError("usage", f'{path} holds no opening such as {{"body": "BASE64"}}')
    return opening
