"""One entry: who, what, when, how, its exact bytes, and its proof step by step.

The server computes nothing for the reader here: the page carries the bytes, the receipt and the
key, every step is a broken ring, and static/proof.js fills them in as it computes them.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.answers import ActorView
from counterfoil.app.answers import EntryView as Opened
from counterfoil.app.blobs import Look
from counterfoil.app.entries import UNLOGGED
from counterfoil.errors import RequestError
from counterfoil.tlog.checkpoint import Checkpoint, parse_checkpoint
from counterfoil.tlog.note import VerifierKey, parse_note
from counterfoil.tlog.receipt import Receipt, parse_receipt
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.attachments import FILES_MAX, Attachments, attachments
from counterfoil.web.pages.frame import frame_of, links_of
from counterfoil.web.pages.parts import (
    NOT_CLAIMED,
    Banner,
    Links,
    Mark,
    RefChip,
    Who,
    mark,
    ref_chip,
    who,
)
from counterfoil.web.pages.releases import via_words
from counterfoil.web.pages.render import render
from counterfoil.web.pages.unknown import unknown_page

REFS_MAX: Final = 24
EVENT_MAX: Final = 20_000
HEX_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the proof: `name` is what proof.js calls it, "" for what it cannot compute."""

    name: str
    claim: str
    rest: str
    note: str
    value: str


@dataclass(frozen=True, slots=True)
class Knot:
    """One neighbour in the drawing of the path: where the spine and the neighbour stand."""

    x: float
    y: float
    other_x: float
    other_y: float


@dataclass(frozen=True, slots=True)
class Path:
    """The drawing: from the leaf on the left to the root on the right."""

    width: float
    height: float
    start: tuple[float, float]
    label_y: float
    end: tuple[float, float]
    knots: tuple[Knot, ...]
    spine: str


@dataclass(frozen=True, slots=True)
class Truth:
    """One of the three truths about who did it: known by what, and who."""

    by: str
    who: str


@dataclass(frozen=True, slots=True)
class EntryPage:
    """The page of one entry."""

    index: int
    number: str
    title: str
    say: str
    banner: Banner | None
    who: Who
    truths: tuple[Truth, ...]
    what: str
    refs: tuple[RefChip, ...]
    refs_more: str
    type: str
    time: str
    recorded: str
    how: str
    how_detail: str
    source: str
    demo: bool
    halves: str
    steps: tuple[Step, ...]
    witnessed: bool
    path: Path
    hashes: tuple[str, ...]
    size: str
    bytes_text: str
    bytes_words: str
    hex_text: str
    hex_href: str
    event_text: str
    event_words: str
    erased_words: str
    files: Attachments
    mark: Mark
    before_href: str
    before_text: str
    after_href: str
    after_text: str
    receipt_href: str
    prove_href: str
    then_href: str
    about: RefChip | None
    about_href: str | None
    data_entry: str
    data_receipt: str
    data_leaf: str
    data_vkey: str
    verify_command: str


_NO_LOOKS: Final[Mapping[str, Look]] = MappingProxyType({})


def truths(actor: ActorView) -> tuple[Truth, ...]:
    """Return what is claimed, proven and matched about who did it: never one in another's place."""
    matched = actor.matched or "nobody"
    if actor.behalf:
        matched += f", on behalf of {actor.behalf}"
    return (
        Truth("claimed by the sender", actor.handle if actor.ref else "nobody"),
        Truth("proven by the credential", actor.prover or "nobody: it is no actor's here"),
        Truth("matched by the directory", matched),
    )


def build_entry(
    opened: Opened, vkey: VerifierKey, size: int, *, as_hex: bool, links: Links,
    looks: Mapping[str, Look] = _NO_LOOKS, witnessed_by: Sequence[str] = (),
) -> EntryPage:  # fmt: skip
    """Build the page of one entry.

    Args:
        opened: the entry with everything that can be opened of it.
        vkey: the log's key, which the page hands to the reader's own computation.
        size: entries in the log now.
        as_hex: show the bytes in hexadecimal.
        links: addresses.
        looks: how the evidence files begin that are kept here, by digest.
        witnessed_by: the witnesses under the receipt that can be downloaded.
    """
    receipt = parse_receipt(opened.receipt)
    checkpoint = parse_checkpoint(parse_note(receipt.checkpoint).text)
    entry, shown = opened.entry, words.number(opened.index)
    refs = entry.refs
    happened = words.full_time(entry.time)
    text, said = event_text(opened)
    subject = entry.subject
    return EntryPage(
        index=opened.index,
        number=shown,
        title=f"{who(opened.actor).handle} {opened.sentence}",
        say=f"Entry {shown} of a log of {words.number(size)}. "
        "Nothing on this page is taken from a verdict of the server: see each step below.",
        banner=_erased_banner(opened),
        who=who(opened.actor),
        truths=truths(opened.actor),
        what=opened.sentence,
        refs=tuple(ref_chip(each.ref, links) for each in refs[:REFS_MAX]),
        refs_more=f"and {words.number(len(refs) - REFS_MAX)} more refs"
        if len(refs) > REFS_MAX
        else "",
        type=entry.type,
        time=happened,
        recorded=_recorded(entry.time, entry.recordedtime) if opened.time_claimed else NOT_CLAIMED,
        how=f"by {via_words(entry.via)}",
        how_detail=entry.recordedby,
        source=entry.source,
        demo=opened.demo,
        halves=f"Our half: leaf {shown}, tree size {words.number(checkpoint.size)}",
        steps=_steps(opened, receipt, checkpoint, vkey, witnessed_by),
        witnessed=bool(witnessed_by),
        path=_path(receipt, checkpoint.size),
        hashes=tuple(each.hex() for each in receipt.path),
        size=words.number(checkpoint.size),
        bytes_text=opened.bytes.decode("utf-8", "replace"),
        bytes_words=f"{words.number(len(opened.bytes))} bytes · canonical JSON",
        hex_text=_hex(opened.bytes) if as_hex else "",
        hex_href=links.to(f"/entries/{opened.index}", bytes=None if as_hex else "hex"),
        event_text=text,
        event_words=said,
        erased_words=_erased_words(opened),
        files=attachments(opened, looks, links),
        mark=mark(opened.index, links, state="erased" if "body" in opened.erased else "recorded"),
        before_href=links.entry(opened.index - 1) if opened.index else "",
        before_text=words.number(max(opened.index - 1, 0)),
        after_href=links.entry(opened.index + 1) if opened.index + 1 < size else "",
        after_text=words.number(opened.index + 1),
        receipt_href=links.at(None).to(f"/v1/entries/{opened.index}/receipt"),
        prove_href=links.at(None).to("/v1/prove", entry=opened.index),
        then_href=links.at(opened.index).to("/"),
        about=ref_chip(subject, links) if subject else None,
        about_href=links.at(opened.index).ref(subject) if subject else None,
        data_entry=base64.b64encode(opened.bytes).decode("ascii"),
        data_receipt=base64.b64encode(opened.receipt).decode("ascii"),
        data_leaf=opened.leaf_hash.hex(),
        data_vkey=str(vkey),
        verify_command=f"counterfoil verify entry-{opened.index}.tlog-proof "
        f"--vkey {links.project}.vkey",
    )


def _recorded(time: str, recordedtime: str) -> str:
    happened, recorded = words.moment(time), words.moment(recordedtime)
    said = f"recorded {words.full_time(recordedtime)} UTC"
    if happened is None or recorded is None:
        return f"{said}; the sender's own time cannot be read"
    apart = (recorded - happened).total_seconds()
    if apart < 0:
        return f"{said}, {words.duration(-apart)} before the sender's own clock"
    return f"{said}, {words.duration(apart)} later" if apart >= 1 else f"{said}, within a second"


def _erased_banner(opened: Opened) -> Banner | None:
    """Say what is absent: by which event, or that none says so, which is an alarm."""
    if not opened.gone:
        return None
    by: dict[str, list[str]] = {}
    for name, how in opened.gone:
        by.setdefault(how, []).append(words.plain_visible(name, 60))
    said = "; ".join(f"{words.listing(names)}: {how}" for how, names in by.items())
    if UNLOGGED in by:
        return Banner(
            "fail", "fail", f"{said[:1].upper()}{said[1:]}.", "Run verify; see docs/trust.md."
        )
    return Banner(
        "note", "ticket-erased", f"{said[:1].upper()}{said[1:]}.",
        "The entry and its proof stand; what was erased can be opened by nobody.",
    )  # fmt: skip


def event_text(opened: Opened) -> tuple[str, str]:
    """Return the event as JSON, cut where it is very long, and what that text is, in words."""
    whole = json.dumps(opened.event, ensure_ascii=False, indent=2, sort_keys=True)
    cut = len(whole) > EVENT_MAX
    if cut:
        return f"{whole[:EVENT_MAX]}\n…", f"the first {words.number(EVENT_MAX)} characters"
    return whole, "as posted, as far as it can be opened"


def closed_words(opened: Opened) -> str:
    """Return what is there and not shown to this reader, as a sentence after others; "" for nothing."""
    if not opened.closed:
        return ""
    names = words.listing([words.plain_visible(name, 60) for name in opened.closed])
    return f" Closed to you: {names}; the verb personal opens it."


def _erased_words(opened: Opened) -> str:
    named, erased = len(opened.entry.commit), len(opened.erased)
    return (
        f"Personal fields and the body stand in the entry as commitments. "
        f"{words.number(named - erased)} of {words.number(named)} can still be opened; "
        + (f"{words.number(erased)} erased." if erased else "none was erased.")
        + closed_words(opened)
    )


def _steps(
    opened: Opened, receipt: Receipt, checkpoint: Checkpoint, vkey: VerifierKey,
    witnessed_by: Sequence[str],
) -> tuple[Step, ...]:  # fmt: skip
    neighbours = words.count(len(receipt.path), "neighbour")
    return (
        Step("leaf", "The bytes make the leaf", "",
             f"SHA-256 of 00 and {words.number(len(opened.bytes))} bytes", "not checked yet"),
        Step("root", f"The leaf and {neighbours} make the root",
             f"of a tree of {words.number(checkpoint.size)}",
             "from the receipt", "not checked yet"),
        Step("signature", "The log signed that root", f"as {checkpoint.origin}",
             f"Ed25519, key {vkey.key_id.hex()}", "not checked yet"),
        Step("", f"{words.listing([*witnessed_by])} cosigned that root", "in this receipt",
             "verify it with a policy that names the witnesses", "not checked here")
        if witnessed_by
        else Step("", "No witness has signed it", "yet, or none is set up",
                  "not part of this receipt", "none"),
    )  # fmt: skip


def _path(receipt: Receipt, size: int) -> Path:
    """Lay out the path: a rising spine with each neighbour on its own side of it."""
    count = len(receipt.path)
    width, height, left, right = 620.0, 150.0, 46.0, 560.0
    step = (right - left) / max(count, 1)
    knots: list[Knot] = []
    node, last = receipt.index, size - 1
    for place in range(count):
        on_left = bool(node & 1 or node == last)
        x, y = left + step * place, 108.0 - 62.0 * place / max(count, 1)
        if on_left:
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        node, last = node >> 1, last >> 1
        # A left neighbour stands below the spine, a right one above.
        other_y = y + 28 if on_left else y - 34
        knots.append(Knot(round(x, 1), round(y, 1), round(x, 1), round(other_y, 1)))
    end_y = 108.0 - 62.0 if count else 108.0
    points = [*((knot.x, knot.y) for knot in knots), (right, end_y)]
    spine = "M" + "L".join(f"{x} {y}" for x, y in points)
    # The number of the entry stands where its first neighbour does not.
    label_y = 134.0 if knots and knots[0].other_y < knots[0].y else 92.0
    return Path(width, height, (left, 108.0), label_y, (right, end_y), tuple(knots), spine)


def _hex(data: bytes) -> str:
    """Return a dump of 16 bytes a line with their offsets."""
    return "\n".join(
        f"{at:06x}  {data[at : at + HEX_BYTES].hex(' ')}" for at in range(0, len(data), HEX_BYTES)
    )


def entry_page(request: Request, context: Context) -> Response:
    """Answer GET /entries/{index}.

    Raises:
        RequestError: `not_found` for a number the log does not hold.
    """
    reader = context.home.reader
    frame = frame_of(request, context, "/log")
    index, size = index_of(request), reader.health(context.project).size
    if index >= size:
        raise RequestError("not_found", f"entry {index} is not in the log: it holds {size} entries")
    if context.as_of is not None and index > context.as_of:
        return unknown_page(request, context, f"entry {words.number(index)}", "/log")
    opened = reader.entry(context.project, index, personal=context.opens_personal)
    context.note_read("entry")
    view = build_entry(
        opened,
        signer_of(context, opened),
        size,
        as_hex=request.query_params.get("bytes") == "hex",
        links=links_of(context),
        looks=looks_of(context, opened),
        witnessed_by=context.home.outside.witnesses.names_for(context.project, index),
    )
    return render(request, "entry.html", frame=frame, view=view)


def signer_of(context: Context, opened: Opened) -> VerifierKey:
    """Return the key of the log that signed the checkpoint of an entry's receipt."""
    ledger = context.home.ledger
    signer = ledger.trust(context.project).signer(parse_receipt(opened.receipt).checkpoint)
    return ledger.vkey(context.project) if signer is None else signer


def looks_of(context: Context, opened: Opened) -> dict[str, Look]:
    """Return how the evidence files of an entry begin that are kept here, by digest."""
    digests = {blob.name.digest for blob in opened.blobs[:FILES_MAX]}
    found = {digest: context.home.blobs.look(context.project, digest) for digest in digests}
    return {digest: look for digest, look in found.items() if look is not None}


def index_of(request: Request) -> int:
    """Return the entry number in the path.

    Raises:
        RequestError: `not_found`.
    """
    text: str = request.path_params["index"]
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise RequestError("not_found", f"{text[:40]!r} is no entry number")
    return int(text)
