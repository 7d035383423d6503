"""GET /v1/prove: one HTML file that proves an entry or the chain of a ref, and opens offline."""

from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from counterfoil.app.prove import ProofFile, prove
from counterfoil.errors import RequestError
from counterfoil.web.api.listing import moment
from counterfoil.web.api.route import AS_OF, INDEX_MAX, Call, Param, Raw, Route

PAGE_MEDIA_TYPE: Final = "text/html; charset=utf-8"


async def get_proof(call: Call) -> Response:
    """Answer with the proof file, to be saved: it is never shown as a page of this server."""

    def make() -> ProofFile:
        ref, index = call.text("ref"), call.number("entry")
        if bool(ref) == (index is not None):
            raise RequestError("query_invalid", "name one thing to prove: ref=REF or entry=N")
        what = ref or f"entry:{index}"
        people = bool(call.text("people"))
        if people:
            call.home.access.require(call.credential, "personal", call.project)
        file = prove(call.home, call.project, what, as_of=moment(call), with_people=people)
        call.home.recorder.export(
            call.project, call.credential, f"proof of {what}", len(file.content), people=people
        )
        return file

    made = await run_in_threadpool(make)
    headers = {"content-disposition": f'attachment; filename="{made.name}"'}
    return Response(made.content, media_type=PAGE_MEDIA_TYPE, headers=headers)


ROUTES: Final = (
    Route(
        method="GET",
        path="/v1/prove",
        handler=get_proof,
        verb="read",
        summary="A proof file",
        doc="One HTML file that recomputes its own proof, offline; see docs/proof-file.md.",
        params=(
            Param(
                name="ref",
                doc="a ref, such as release:shop@1.4.2; or give `entry`",
                example="release:shop@1.4.2",
            ),
            Param(
                name="entry",
                doc="an entry number, from 0; or give `ref`",
                number=True,
                maximum=INDEX_MAX,
            ),
            Param(
                name="people",
                doc="`yes` opens personal values too; they stay closed when left out",
                pattern="yes",
                maximum=3,
            ),
            AS_OF,
        ),
        answer=Raw(media_type=PAGE_MEDIA_TYPE, doc="a proof file"),
        errors=("ref_invalid", "not_found", "busy", "missing", "damaged"),
    ),
)
