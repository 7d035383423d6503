"""Refused requests on their way into the one counter there is (`app.refusals`).

What must hold: whatever way somebody tries something, a call, a page or a form, that they were
refused is counted: under their session or token, or under the id of the token they showed that is
over.  A visitor who is only sent to the sign-in page tried nothing.
"""

from typing import Final

from starlette.requests import Request

from counterfoil.app.actions import actions
from counterfoil.app.refusals import Attempt
from counterfoil.errors import CounterfoilError
from counterfoil.policy.access import ANONYMOUS, Credential
from counterfoil.web.api.errors import status_of
from counterfoil.web.api.route import Served

DEFAULT_PROJECT: Final = "default"
_REFUSED_READS: Final = frozenset({"token_missing", "token_invalid", "not_allowed"})
# A slow line is no attempt at anything.
_NOT_COUNTED: Final = frozenset({"request_timeout"})
# Whose words are ours and name what they are about.
_TOLD: Final = frozenset({"not_allowed", "job_token_replayed"})


def count(
    served: Served,
    request: Request,
    error: CounterfoilError,
    credential: Credential,
    *,
    method: str,
    path: str,
    project: str,
) -> None:
    """Count what somebody tried and may not, or tried to change and could not.

    Args:
        served: whose counter.
        request: what came.
        error: what it was answered with.
        credential: who it was, nobody where that was not found out.
        method: of the request.
        path: of the route, not of the request: strangers must not choose what the log says.  The
            name of an action stands in it where there is an action of that name.
        project: what it was about; `default` counts for what is not there.
    """
    served.home.meters.refused(error.code)
    changes = method not in {"GET", "HEAD"}
    if error.code not in _REFUSED_READS and (
        not changes or status_of(error) >= 500 or error.code in _NOT_COUNTED
    ):
        return
    if credential == ANONYMOUS:
        credential = served.door.ended(request) or credential
    tried = f"{method if changes else 'GET'} {_named(path, request)}"
    attempt = Attempt(
        source=tried,
        reason=error.code,
        why=error.message if error.code in _TOLD else "",
        tried=tried,
        address=served.site.address_of(request),
    )
    where = project if project in served.projects else DEFAULT_PROJECT
    served.home.recorder.refuse(where, attempt, credential)


def _named(path: str, request: Request) -> str:
    for name, value in request.path_params.items():
        if value in actions():
            path = path.replace(f"{{{name}}}", value)
    return path
