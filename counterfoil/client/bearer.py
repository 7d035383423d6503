"""What a verb shows a server: a token it was given, or a session got for a job's own token.

Imports next to nothing: this stands in front of every command, and most have a token or none.
"""

from collections.abc import Mapping
from typing import Final

TOKEN: Final = "COUNTERFOIL_TOKEN"  # noqa: S105  a variable's name
JOB_TOKEN: Final = "COUNTERFOIL_OIDC_TOKEN"  # noqa: S105  the same
GITHUB_URL: Final = "ACTIONS_ID_TOKEN_REQUEST_URL"
GITHUB_TOKEN: Final = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105  the same
CIRCLECI_TOKEN: Final = "CIRCLE_OIDC_TOKEN_V2"  # noqa: S105  the same


def bearer(url: str, project: str, variables: Mapping[str, str], timeout_s: float = 10.0) -> str:
    """Return the token to bring to a server, "" if there is none.

    Args:
        url: the server's address.
        project: what will be recorded into.
        variables: the environment.  `COUNTERFOIL_TOKEN` comes first; where it is absent or
            empty, a job's own token is exchanged for a session.
        timeout_s: how long each call of an exchange may take.

    Raises:
        RequestError, UnavailableError: the exchange was refused, or nobody answered.

    Cost: two look-ups where nothing is to be exchanged; one small file while a session lasts.
    """
    if (token := variables.get(TOKEN, "")) or not in_a_job(variables):
        return token
    from counterfoil.client.exchange import session  # noqa: PLC0415  jobs alone

    return session(url, project, variables, timeout_s=timeout_s)


def in_a_job(variables: Mapping[str, str]) -> bool:
    """Whether a CI gives this job a token of its own."""
    if variables.get(JOB_TOKEN) or variables.get(CIRCLECI_TOKEN):
        return True
    return bool(variables.get(GITHUB_URL) and variables.get(GITHUB_TOKEN))
