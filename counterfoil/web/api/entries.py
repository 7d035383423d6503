"""GET /v1/entries/{index}, its receipt, and the receipt of an event by its source and id."""

import base64
from typing import Annotated, Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from counterfoil.app.answers import ActorView
from counterfoil.errors import RequestError
from counterfoil.events.entry import Entry
from counterfoil.web.api.route import AS_OF, INDEX, Call, Param, Raw, Route

RECEIPT_MEDIA_TYPE: Final = "text/plain; charset=utf-8"


class BlobAnswer(msgspec.Struct):
    """Evidence an event names; `kept` is false when its bytes are not here: a gap."""

    digest: str
    name: str
    mediatype: str
    kept: bool


class OneEntry(msgspec.Struct):
    """One entry with everything that can be opened of it."""

    index: Annotated[int, msgspec.Meta(ge=0, description="entry number, from 0")]
    entry: Annotated[Entry, msgspec.Meta(description="the public envelope")]
    bytes: Annotated[str, msgspec.Meta(description="base64 of the exact entry bytes: the leaf")]
    leaf_hash: Annotated[str, msgspec.Meta(description="hex of its leaf hash")]
    event: Annotated[
        dict[str, Any], msgspec.Meta(description="as posted, as far as it can be opened")
    ]
    erased: Annotated[list[str], msgspec.Meta(description="parts whose key was destroyed")]
    gone: Annotated[
        dict[str, str],
        msgspec.Meta(description="of each absent part, when it was erased and under which request"),
    ]
    closed: Annotated[
        list[str],
        msgspec.Meta(description="personal values of the data that only `personal` opens"),
    ]
    actor: ActorView
    sentence: str
    outcome: str | None
    blobs: list[BlobAnswer]
    receipt: Annotated[str, msgspec.Meta(description="a C2SP tlog-proof")]


class OneReceipt(msgspec.Struct):
    """Where an event stands, and its receipt under the checkpoint that most witnesses cosigned."""

    index: Annotated[int, msgspec.Meta(ge=0, description="entry number, from 0")]
    receipt: Annotated[str, msgspec.Meta(description="a C2SP tlog-proof")]


async def get_entry(call: Call) -> OneEntry:
    """Answer with one entry."""

    def read() -> OneEntry:
        may = call.home.access.decide(call.credential, "personal", call.project)
        view = call.home.reader.entry(call.project, _index(call), personal=may.allowed)
        call.home.recorder.readings.note(call.project, call.credential, "entry")
        return OneEntry(
            index=view.index,
            entry=view.entry,
            bytes=base64.b64encode(view.bytes).decode(),
            leaf_hash=view.leaf_hash.hex(),
            event=dict(view.event),
            erased=list(view.erased),
            gone=dict(view.gone),
            closed=list(view.closed),
            actor=view.actor,
            sentence=view.sentence,
            outcome=view.outcome,
            blobs=[
                BlobAnswer(
                    blob.name.digest, blob.name.name, blob.name.mediatype, blob.stored is not None
                )
                for blob in view.blobs
            ],
            receipt=view.receipt.decode(),
        )

    return await run_in_threadpool(read)


async def get_entry_receipt(call: Call) -> Response:
    """Answer with the receipt itself: a file to keep."""
    index = _index(call)

    def read() -> bytes:
        _check_known(call, index)
        return call.home.outside.receipt(call.project, index)

    receipt = await run_in_threadpool(read)
    return Response(
        receipt,
        media_type=RECEIPT_MEDIA_TYPE,
        headers={
            "content-disposition": f'inline; filename="{call.project}-{index}.tlog-proof"',
        },
    )


async def get_receipt(call: Call) -> OneReceipt:
    """Answer with the receipt of an event, found by what makes it unique."""

    def read() -> OneReceipt:
        source, id_ = call.text("source"), call.text("id")
        index = call.home.log.find(call.project, source, id_)
        if index is None:
            raise RequestError("not_found", f"no event {id_!r} of {source!r} is recorded")
        _check_known(call, index)
        return OneReceipt(index, call.home.outside.receipt(call.project, index).decode())

    return await run_in_threadpool(read)


def _check_known(call: Call, index: int) -> None:
    """Refuse an entry that was not there yet at `?as_of=`; what a receipt says never changes."""
    text = call.text("as_of")
    if text and index > (then := call.home.reader.position(call.project, text)):
        raise RequestError(
            "not_found", f"entry {index} was not recorded yet: the last one then was {then}"
        )


def _index(call: Call) -> int:
    index = call.number("index")
    assert index is not None, "the path has one"
    return index


ROUTES: Final = (
    Route(
        method="GET",
        path="/v1/entries/{index}",
        handler=get_entry,
        verb="read",
        summary="One entry",
        params=(INDEX,),
        answer=OneEntry,
        errors=("not_found", "missing", "damaged"),
    ),
    Route(
        method="GET",
        path="/v1/entries/{index}/receipt",
        handler=get_entry_receipt,
        verb="read",
        summary="The receipt of an entry",
        doc=(
            "Keep it: it verifies offline, for ever, without this server.  It is under the"
            " checkpoint that most witnesses cosigned: asked for again later, it may carry more."
        ),
        params=(INDEX, AS_OF),
        answer=Raw(media_type=RECEIPT_MEDIA_TYPE, doc="a C2SP tlog-proof"),
        errors=("not_found", "missing"),
    ),
    Route(
        method="GET",
        path="/v1/receipts",
        handler=get_receipt,
        verb="read",
        summary="The receipt of an event",
        params=(
            Param(name="source", doc="the event's source", required=True, example="urn:ci"),
            Param(name="id", doc="the event's id", required=True, example="42"),
            AS_OF,
        ),
        answer=OneReceipt,
        errors=("not_found", "missing"),
    ),
)
