"""GET /log/{project}/...: the log itself, in files any C2SP tlog-tiles client reads.

Checkpoint and hash tiles are open to everyone: without them nobody could check a receipt against
what others see.  Entry bundles hold the entries and need `read`, unless `[log] public` says
otherwise.  A partial tile is a byte prefix of a fuller one, so every partial of every signed
size is served by slicing, and may be cached for good.

Source: C2SP tlog-tiles.
"""

import dataclasses
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from counterfoil.errors import EvidenceError, RequestError
from counterfoil.policy.access import LOG as ACCESS_LOG
from counterfoil.tlog.tile import ENTRIES_LEVEL, Tile, parse_path
from counterfoil.verifier.aggregate import AGGREGATE
from counterfoil.web.api.dispatch import require
from counterfoil.web.api.route import PROJECT, Call, Param, Raw, Route

_CHECKPOINT_CACHE: Final = "public, max-age=1, must-revalidate"
_TILE_CACHE: Final = "public, max-age=31536000, immutable"
_BUNDLE_CACHE: Final = "private, max-age=31536000, immutable"
_OCTETS: Final = "application/octet-stream"


async def get_checkpoint(call: Call) -> Response:
    """Answer with the latest signed checkpoint."""
    note = await run_in_threadpool(call.home.outside.checkpoint, call.project)
    headers = {"cache-control": _CHECKPOINT_CACHE}
    return Response(note, headers=headers, media_type="text/plain; charset=utf-8")


async def get_tile(call: Call) -> Response:
    """Answer with one tile of hashes or one bundle of entries."""
    tile = _parse(f"tile/{call.text('tile')}")
    project = call.project
    ledger = call.home.outside.log_of(project)
    # The aggregate log holds checkpoints, which everybody may read one by one.
    public = project == AGGREGATE or (call.home.config.log.public and project != ACCESS_LOG)
    if tile.level == ENTRIES_LEVEL:
        if not public:
            caller = await call.served.door.caller(call.request)
            require(call.home.access.decide, caller.credential, "read", project)
        content = await run_in_threadpool(ledger.bundle, project, tile.n, tile.width)
        cache = _TILE_CACHE if public else _BUNDLE_CACHE
    else:
        content = await run_in_threadpool(ledger.tile, project, tile.level, tile.n, tile.width)
        cache = _TILE_CACHE
    return Response(content, headers={"cache-control": cache}, media_type=_OCTETS)


def _parse(path: str) -> Tile:
    """Read a tile's name.  Names are parsed, never joined to a directory."""
    try:
        return parse_path(path)
    except EvidenceError as error:
        raise RequestError("not_found", error.message) from error


_PROJECT: Final = dataclasses.replace(
    PROJECT,
    where="path",
    doc="a project name, or `_aggregate`",
    pattern=rf"{PROJECT.pattern}|{AGGREGATE}|{ACCESS_LOG}",
)
_LOG_ERRORS: Final = ("project_invalid", "project_unknown")

ROUTES: Final = (
    Route(
        method="GET",
        path="/log/{project}/checkpoint",
        handler=get_checkpoint,
        verb=None,
        summary="The latest signed checkpoint",
        doc=(
            "Open to everyone: compare it with what others were given.  Where witnesses are asked"
            " it carries their cosignatures and is at most a few seconds behind."
        ),
        params=(_PROJECT,),
        answer=Raw(media_type="text/plain; charset=utf-8", doc="a C2SP signed checkpoint"),
        errors=_LOG_ERRORS,
    ),
    Route(
        method="GET",
        path="/log/{project}/tile/{tile:path}",
        handler=get_tile,
        verb=None,
        summary="A tile of the log",
        doc=(
            "`LEVEL/N`, `LEVEL/N.p/WIDTH` for hashes, open to everyone; `entries/N`,"
            " `entries/N.p/WIDTH` for entries, which need `read` unless `[log] public = true`."
        ),
        params=(
            _PROJECT,
            Param(
                name="tile",
                where="path",
                doc="the path of a tile or entry bundle below `tile/`",
                example="0/000.p/1",
            ),
        ),
        answer=Raw(media_type=_OCTETS, doc="hashes of 32 bytes, or length-prefixed entries"),
        errors=(*_LOG_ERRORS, "not_found", "token_missing", "token_invalid", "missing"),
    ),
)
