"""Time stamps beside a ledger, against the roots of an authority that the caller trusts.

A token holds when the authority's chain leads to such a root, it is over the text of the
checkpoint beside it, and that checkpoint is one of the aggregate log.  The library that reads
tokens comes with the server install alone.

Source: RFC 3161 section 2.4.2; docs/trust.md.
"""

import re
from collections.abc import Callable
from pathlib import Path

from counterfoil.client.evidence_files import NAMED_FILE_MAX_BYTES, read_bounded, read_named
from counterfoil.errors import EvidenceError, RequestError
from counterfoil.tlog.checkpoint import Checkpoint
from counterfoil.tlog.note_text import parse_note
from counterfoil.verifier.report import Findings

FOLDER = "timestamps"
_NAME = re.compile(r"(0|[1-9][0-9]{0,18})\.tsr")

Check = Callable[[str, bytes], Checkpoint | None]
"""Given the name and bytes of a checkpoint, it returns it if it is one of the aggregate log, and
reports it otherwise."""

StampOf = Callable[[bytes, bytes], str]
"""Given a text and a token, it returns the moment; EvidenceError `signature` otherwise."""


def read_roots(path: Path) -> StampOf:
    """Read the roots of a time-stamping authority and return what checks a token by them.

    Args:
        path: one or more certificates in PEM.

    Raises:
        RequestError: `usage`: no certificates, or no library to check tokens with.
    """
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415  only asked for here

    try:
        from rfc3161_client import (  # noqa: PLC0415  comes with [server] only
            VerificationError,
            VerifierBuilder,
            decode_timestamp_response,
        )
    except ModuleNotFoundError as error:
        raise RequestError(
            "usage", "--tsa needs rfc3161-client: pip install 'counterfoil[server]'"
        ) from error
    try:
        roots = load_pem_x509_certificates(read_named(path))
    except ValueError as error:
        raise RequestError("usage", f"{path} holds no certificate in PEM") from error
    builder = VerifierBuilder()
    for root in dict.fromkeys(roots):
        builder = builder.add_root_certificate(root)
    verifier = builder.build()

    def stamp_of(text: bytes, token: bytes) -> str:
        try:
            response = decode_timestamp_response(token)
            verifier.verify_message(response, text)
            return response.tst_info.gen_time.isoformat()
        except (VerificationError, ValueError) as error:
            why = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise EvidenceError("signature", f"the time stamp does not hold: {why}") from None

    return stamp_of


def check_timestamps(
    directory: Path, stamp_of: StampOf, check: Check, findings: Findings
) -> list[str]:
    """Check every token of a ledger directory; return what was proved, a line each.

    Args:
        directory: the ledger.
        stamp_of: from `read_roots`.
        check: compares a checkpoint with the aggregate log.
        findings: where findings go.
    """
    folder = directory / FOLDER
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    notes = []
    for name in names:
        if name.startswith(".") or name.endswith(".checkpoint"):
            continue
        shown = f"{FOLDER}/{name}"
        if not _NAME.fullmatch(name):
            findings.add("damaged", shown, "no time stamp of a checkpoint")
            continue
        try:
            token = read_bounded(folder / name, NAMED_FILE_MAX_BYTES) or b""
            beside = f"{name.removesuffix('.tsr')}.checkpoint"
            note = read_bounded(folder / beside, NAMED_FILE_MAX_BYTES)
            if note is None:
                findings.add(
                    "missing", f"{FOLDER}/{beside}", "the checkpoint it is of is not there"
                )
                continue
            checkpoint = check(f"{FOLDER}/{beside}", note)
            if checkpoint is None:
                continue
            moment = stamp_of(parse_note(note).text, token)
        except EvidenceError as error:
            findings.add("damaged", shown, error.message)
            continue
        notes.append(
            f"{checkpoint.origin} held {checkpoint.size} entries by {moment},"
            " by the word of the authority given"
        )
    if not notes and not len(findings):
        notes.append("no time stamp is kept here")
    return notes
