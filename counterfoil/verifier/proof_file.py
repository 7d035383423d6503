"""The proof file: its embedded data, read strictly, and whether it holds.

A proof file is one HTML page that carries evidence and the code that checks it.  Here the code
is passed over: only the data counts.  What must hold: the data have one spelling, so that this
reader and the page's own never see two different files; every member is either recomputed from
the signed tree, tied to something that is, or named in docs/proof-file.md as the writer's word.

Source: docs/proof-file.md, format `counterfoil-proof-file` version 1.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from counterfoil.errors import EvidenceError, RequestError
from counterfoil.events import canonical
from counterfoil.events.canonical import JSON
from counterfoil.events.commitments import KEY_BYTES, commit
from counterfoil.events.entry import Entry, read_entry
from counterfoil.tlog.checkpoint import Checkpoint
from counterfoil.tlog.keys import VerifierKey, parse_vkey
from counterfoil.tlog.policy import Policy
from counterfoil.tlog.receipt import Receipt, write_receipt
from counterfoil.tlog.strict import read_base64, read_hash
from counterfoil.verifier.receipt import check_inclusion

FORMAT = "counterfoil-proof-file"
VERSION = 1
PROOF_FILE_MAX_BYTES = 32 << 20
DATA_OPEN = b'<script type="application/json" id="proof-data">'
DATA_CLOSE = b"</script>"
# Stands behind the data: a file that was cut anywhere before it is not whole.
DATA_END = b'<p id="end" hidden>'
ENTRY_SUBJECT = "entry:"

_BLOCK = b'<script type="application/json"'
Count = Annotated[int, msgspec.Meta(ge=0, le=canonical.SAFE_INTEGER_MAX)]


class Shown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A committed value that is opened.

    Attributes:
        name: of the commitment: `body`, `authid`, a JSON Pointer.
        opening: base64 of the 32 bytes.
        content: the RFC 8785 text that was committed to.
    """

    name: str
    opening: str
    content: str


class EntryProof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry with its way to the root; the checkpoint is shared.

    Attributes:
        index: entry number, from 0.
        entry: the bytes of the leaf, as text.
        path: base64 of the sibling hashes, from the leaf upwards.
        shown: what is opened of it.
    """

    index: Count
    entry: str
    path: tuple[str, ...]
    shown: tuple[Shown, ...]


class StepSaid(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the statement; `what`, `lane` and `outcome` are the writer's words.

    Attributes:
        entry: the entry that says so.
        ended: the entry that says it ended, or None.
        lane: which part of the way it belongs to, "" without one.
        what: what was done to what.
        outcome: how it went, or None.
    """

    entry: Count
    ended: Count | None
    lane: str
    what: str
    outcome: str | None


class GapSaid(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that is missing, in the writer's words.

    Attributes:
        rule: the rule that found it (docs/gaps.md).
        what: what is missing.
        why: whom or what that leaves out, "" where `what` says it all.
        entries: those of its entries that are in the file.
    """

    rule: str
    what: str
    why: str
    entries: tuple[Count, ...]


class Statement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the ledger concluded from the log up to one entry.

    Attributes:
        as_of: that entry; it is in the file.
        steps: by time.
        gaps: what is missing.
        left_out: entries the steps and gaps rest on that did not fit into the file.
        cut: the chain was followed up to a limit and may be longer.
    """

    as_of: Count
    steps: tuple[StepSaid, ...]
    gaps: tuple[GapSaid, ...]
    left_out: Count
    cut: bool


class Proof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a proof file embeds.

    Attributes:
        format, version: `FORMAT`, `VERSION`.
        subject: the ref it is about, or `entry:N`.
        project: the project's name, as the writer calls it.
        written: RFC 3339, by the writer's clock.
        vkey: the verifier key the page checks itself with.
        checkpoint: the signed note all paths lead to, with its cosignatures.
        entries: ascending by index.
        statement: what was concluded from them.
        digest: hex of SHA-256 over the RFC 8785 bytes of everything else.
    """

    format: str = FORMAT
    version: int = VERSION
    subject: str
    project: str
    written: str
    vkey: str
    checkpoint: str
    entries: tuple[EntryProof, ...]
    statement: Statement
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """One entry that holds.

    Args:
        index: entry number, from 0.
        entry: the envelope.
        values: the values that were opened and match, by name.
    """

    index: int
    entry: Entry
    values: dict[str, JSON]


@dataclass(frozen=True, slots=True)
class Held:
    """A proof file whose data hold under the key it carries.

    Args:
        proof: the data.
        key: the carried key.
        checkpoint: what that key signed.
        entries: every entry, ascending.
    """

    proof: Proof
    key: VerifierKey
    checkpoint: Checkpoint
    entries: tuple[Opened, ...]


def is_page(head: bytes) -> bool:
    """Say whether a file begins as HTML does; `head` is its first bytes."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html"))


def write_data(proof: Proof) -> bytes:
    """Return the data as they stand in the page, digest included; `<` is escaped."""
    members: dict[str, JSON] = msgspec.to_builtins(proof)
    members["digest"] = _digest(members)
    return _escape(canonical.write(members))


def find_data(page: bytes) -> bytes:
    """Return the data element of a page, nothing of it read.

    Raises:
        EvidenceError: `proof_file_invalid`: there is none, more than one, or the file is cut off.
    """
    if page.count(_BLOCK) > 1:
        raise _invalid("it holds two data elements: two readers could read two proofs")
    _, opened, rest = page.partition(DATA_OPEN)
    if not opened and FORMAT.encode() in page:
        raise _invalid("it is cut off before its data; fetch it again")
    if not opened:
        raise _invalid("it holds no proof data; name a file that `counterfoil prove` wrote")
    data, closed, tail = rest.partition(DATA_CLOSE)
    if not closed or DATA_END not in tail:
        raise _invalid("it is cut off: the end of its data is not there; fetch it again")
    return data


def read_data(data: bytes) -> Proof:
    """Read the data of a page; nothing of it is checked against the log.

    Raises:
        EvidenceError: `proof_file_invalid`: not in its one spelling, of another version, with a
            member too many or too few, or changed since its digest was written.
    """
    try:
        members = canonical.read(data, "the data of the proof file")
        written = canonical.write(members)
    except RequestError as error:
        raise _invalid(error.message) from error
    if _escape(written) != data:
        raise _invalid("its data are not in their one canonical spelling")
    if isinstance(members, dict) and (
        members.get("format") != FORMAT or members.get("version") != VERSION
    ):
        raise _invalid(f"it is not {FORMAT} version {VERSION}; use the release that wrote it")
    try:
        proof = msgspec.convert(members, Proof, strict=True)
    except msgspec.ValidationError as error:
        raise _invalid(f"its data break their form: {error}") from error
    assert isinstance(members, dict), "a Proof came out of it"
    if not hmac.compare_digest(_digest(members).encode(), proof.digest.encode()):
        raise _invalid("its data are not those their digest was made of")
    return proof


def check_proof(proof: Proof) -> Held:
    """Check the data by the key they carry: what the page itself does.

    Raises:
        EvidenceError: `note_invalid`, `signature`, `key_unknown`: the checkpoint; `proof`: an
            entry is not in its tree; `entry_invalid`; `commitment`: what is shown is not what
            the entry fixed; `proof_file_invalid`: the statement rests on what is not there.
    """
    key = parse_vkey(proof.vkey)
    policy = Policy.for_vkey(key)
    note = proof.checkpoint.encode()
    checkpoint = policy.verify_checkpoint(note)
    entries = []
    for one in proof.entries:
        path = tuple(read_hash(text, "proof", "a hash of the path") for text in one.path)
        if not one.entry:
            raise EvidenceError("entry_invalid", f"entry {one.index} is empty")
        receipt = write_receipt(Receipt(one.index, one.entry.encode(), path, note))
        entry = read_entry(check_inclusion(receipt, policy).data)
        entries.append(Opened(one.index, entry, _open(one, entry)))
    _check_ties(proof, entries)
    return Held(proof, key, checkpoint, tuple(entries))


def _open(one: EntryProof, entry: Entry) -> dict[str, JSON]:
    values: dict[str, JSON] = {}
    for shown in one.shown:
        opening = read_base64(shown.opening, "commitment", "an opening")
        stated = entry.commit.get(shown.name)
        content = shown.content.encode()
        if stated is None or shown.name in values or len(opening) != KEY_BYTES:
            raise EvidenceError(
                "commitment", f"entry {one.index} has no such opening: {shown.name[:64]!a}"
            )
        made = base64.b64encode(commit(opening, content)).decode()
        if not hmac.compare_digest(made, stated):
            raise EvidenceError(
                "commitment", f"{shown.name[:64]!a} is not what entry {one.index} fixed"
            )
        try:
            values[shown.name] = canonical.read(content, shown.name[:64])
        except RequestError as error:
            raise EvidenceError("commitment", f"entry {one.index}: {error.message}") from error
    return values


def _check_ties(proof: Proof, entries: Sequence[Opened]) -> None:
    """Tie the statement to the entries: it may not rest on, or be about, what is not there."""
    said = proof.statement
    indices = [one.index for one in entries]
    there = set(indices)
    if sorted(there) != indices:
        raise _invalid("its entries do not stand in their order, each once")
    named = {said.as_of}.union(*(gap.entries for gap in said.gaps))
    for step in said.steps:
        named |= {step.entry} | ({step.ended} if step.ended is not None else set())
    if absent := named - there:
        raise _invalid(f"its statement rests on entry {min(absent)}, which it does not hold")
    if indices[-1] > said.as_of:
        raise _invalid(f"it holds entry {indices[-1]}, later than the moment it is about")
    if not any(is_about(proof.subject, one.index, one.entry) for one in entries):
        raise _invalid(f"no entry in it names its subject {proof.subject[:80]!a}")


def is_about(subject: str, index: int, entry: Entry) -> bool:
    """Say whether an entry names the subject of a file, a ref or `entry:N`."""
    if subject.startswith(ENTRY_SUBJECT):
        return subject == f"{ENTRY_SUBJECT}{index}"
    return subject == entry.subject or any(subject == named.ref for named in entry.refs)


def _digest(members: dict[str, JSON]) -> str:
    rest = {name: value for name, value in members.items() if name != "digest"}
    return hashlib.sha256(canonical.write(rest)).hexdigest()


def _escape(data: bytes) -> bytes:
    """Write `<` so that nothing in the data can end, or begin, an element of the page."""
    return data.replace(b"<", b"\\u003c")


def _invalid(message: str) -> EvidenceError:
    return EvidenceError("proof_file_invalid", message)
