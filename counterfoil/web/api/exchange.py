"""POST /v1/token/exchange: a job of a CI brings its own token and gets a session.

The form and the answer are those of RFC 8693; the proof that the job holds its key stands in the
`DPoP` header (RFC 9449).  What is refused is answered as a problem document, as everywhere here.
"""

import urllib.parse
from typing import Annotated, Final

import msgspec
from starlette.concurrency import run_in_threadpool

from counterfoil.errors import RequestError
from counterfoil.web.api.events import RECORD_ERRORS
from counterfoil.web.api.route import Body, Call, Route
from counterfoil.web.security import media_type, read_body

PATH: Final = "/v1/token/exchange"
FORM: Final = "application/x-www-form-urlencoded"
LIMIT_BYTES: Final = 32 * 1024
GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  a name
SUBJECTS: Final = (
    "urn:ietf:params:oauth:token-type:jwt",
    "urn:ietf:params:oauth:token-type:id_token",
)
_KNOWN: Final = frozenset(
    {"grant_type", "subject_token", "subject_token_type", "requested_token_type"}
)


class Exchanged(msgspec.Struct, frozen=True, kw_only=True):
    """A session, as RFC 8693 section 2.2.1 has it."""

    access_token: Annotated[str, msgspec.Meta(description="the session, shown this once")]
    issued_token_type: str = ACCESS_TOKEN
    token_type: str = "Bearer"  # noqa: S105  a name
    expires_in: Annotated[int, msgspec.Meta(ge=1, le=900, description="seconds it lasts")]
    scope: Annotated[str, msgspec.Meta(description="verbs it is good for, with spaces between")]
    session: Annotated[str, msgspec.Meta(description="its id, `recordedby` of what it records")]
    rule: Annotated[str, msgspec.Meta(description="the trust rule that lets it in")]


async def post_exchange(call: Call) -> Exchanged:
    """Open a session for whoever brings a job's token and holds its key."""
    # What checks tokens is loaded when the first job comes.
    from counterfoil.app.exchange import Brought, exchange  # noqa: PLC0415

    if media_type(call.request) != FORM:
        raise RequestError("content_type", f"an exchange takes {FORM}")
    form = _read_form(await read_body(call.request, LIMIT_BYTES, call.served.pace))
    proofs = call.request.headers.getlist("dpop")
    if len(proofs) != 1:
        raise RequestError("proof_invalid", "an exchange carries one DPoP header (RFC 9449)")
    brought = Brought(
        token=form["subject_token"].encode(),
        proof=proofs[0].encode("latin-1"),
        url=_address(call) + PATH,
        project=call.project,
    )
    opened = await run_in_threadpool(exchange, call.home, brought)
    return Exchanged(
        access_token=opened.token,
        expires_in=opened.lasts_s,
        scope=" ".join(opened.verbs),
        session=opened.id,
        rule=opened.rule,
    )


def _read_form(body: bytes) -> dict[str, str]:
    """Return the members of the form, each once.

    Raises:
        RequestError: `exchange_invalid`.
    """
    try:
        pairs = urllib.parse.parse_qsl(
            body.decode("ascii"), strict_parsing=True, max_num_fields=20, errors="strict"
        )
    except ValueError as error:
        raise RequestError("exchange_invalid", "the body is no form") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise RequestError("exchange_invalid", "a member of the form stands twice")
    if unknown := form.keys() - _KNOWN:
        raise RequestError(
            "exchange_invalid",
            f"{min(unknown)[:40]!a} is not taken here: the trust rule says what a session is for",
        )
    for name, allowed in (
        ("grant_type", (GRANT,)),
        ("subject_token_type", SUBJECTS),
        ("requested_token_type", (ACCESS_TOKEN, "")),
    ):
        if form.get(name, "") not in allowed:
            raise RequestError("exchange_invalid", f"{name} is {allowed[0]}")
    if not form.get("subject_token"):
        raise RequestError("exchange_invalid", "subject_token is the job's own token")
    return form


def _address(call: Call) -> str:
    """Return the address a request was made to, as whoever made it wrote it."""
    request, site = call.request, call.served.site
    host = request.headers.get("host", "")
    if site.trusts(request.client.host if request.client else ""):
        host = request.headers.get("x-forwarded-host", host)
    if site.is_public(host):
        return site.public_url
    return f"{request.url.scheme}://{host.lower()}"


ROUTES: Final = (
    Route(
        method="POST",
        path=PATH,
        handler=post_exchange,
        verb=None,
        summary="Exchange a CI job's own token for a session",
        doc=(
            "The form is that of RFC 8693: `grant_type`, `subject_token` (the job's OpenID token),"
            " `subject_token_type`. The `DPoP` header proves the job's key (RFC 9449): made for"
            " this address, with `ath` the SHA-256 of the job's token. The first exchange binds the"
            " token to that key; another key is refused and counted. `project` says where the job"
            " records; a trust rule (`counterfoil admin trust`) says whether it may."
        ),
        body=Body(
            media={
                FORM: {
                    "type": "object",
                    "required": ["grant_type", "subject_token", "subject_token_type"],
                    "properties": {
                        "grant_type": {"type": "string", "const": GRANT},
                        "subject_token": {"type": "string", "minLength": 1},
                        "subject_token_type": {"type": "string", "enum": list(SUBJECTS)},
                        "requested_token_type": {"type": "string", "const": ACCESS_TOKEN},
                    },
                    "additionalProperties": False,
                }
            },
            limit_bytes=LIMIT_BYTES,
            doc="a form, as RFC 8693 section 2.1 has it",
        ),
        answer=Exchanged,
        errors=(
            *(code for code in RECORD_ERRORS if code not in {"id_conflict", "erased", "not_allowed"}),
            "exchange_invalid", "issuer_unreachable", "job_token_invalid", "job_token_refused",
            "job_token_replayed", "proof_invalid",
        ),
    ),
)  # fmt: skip
