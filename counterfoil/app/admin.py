"""What the owner of a ledger's files may do to it: rebuild, sign-in links, webhook senders."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from counterfoil.app.config import ServerConfig, read_config
from counterfoil.app.home import open_home
from counterfoil.app.naming import check_ledger, check_project, require_log
from counterfoil.app.place import real_place
from counterfoil.app.serving import serving_address
from counterfoil.app.signin import make_link
from counterfoil.clock import SystemClock
from counterfoil.errors import RequestError
from counterfoil.ids import SystemRandomness
from counterfoil.policy.directory import PROVIDER
from counterfoil.stores.erasable import ErasableStore
from counterfoil.stores.files import os_errors_translated
from counterfoil.stores.sqlite import SqliteLogStore
from counterfoil.stores.state import State

SOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def rebuild(directory: Path) -> dict[str, int]:
    """Drop the derived tables of every project and fold its log again; return the sizes.

    Raises:
        UnavailableError: `locked`: a server follows the log at this moment; stop it first.
    """
    with open_home(directory, SystemClock(), SystemRandomness()) as home:
        return {log.project: home.follower.rebuild(log.project) for log in home.log.projects()}


def sign_in_link(directory: Path, url: str | None, handle: str = "") -> str:
    """Make a one-time link for the server of this directory.

    Args:
        directory: of the ledger.
        url: where the server is reached; where it says it serves if None.
        handle: whom it lets in; "" for nobody by name, which works until people are enrolled.

    Raises:
        RequestError: `actor_unknown`.
    """
    address = url.rstrip("/") if url else public_url(directory)
    with _state(directory) as state:
        if not handle:
            return make_link(state, SystemClock(), SystemRandomness(), address)
        actor = _pseudonym(directory, handle)
        return make_link(state, SystemClock(), SystemRandomness(), address, handle, actor)


def _pseudonym(directory: Path, handle: str) -> str:
    keys = ErasableStore(directory / "erasable.db", SystemRandomness(), write=False)
    try:
        account = f"{PROVIDER}:{handle}"
        known = keys.known_people([account]).get(account)
    finally:
        keys.close()
    if known is None:
        raise RequestError(
            "actor_unknown", f"nobody is known by the handle {handle[:80]!a}; add them first"
        )
    return known.pseudonym


def add_source(directory: Path, name: str, kind: str, project: str) -> dict[str, str]:
    """Set up a webhook sender with a fresh secret.

    Raises:
        RequestError: `usage` when the name is taken or no name; `project_unknown`.
    """
    check_project(project)
    if not SOURCE_NAME.fullmatch(name):
        raise RequestError(
            "usage", f"{name[:80]!r} is no source name: lower-case letters, digits and hyphens"
        )
    secret = SystemRandomness().token(24).hex()
    with _state(directory) as state:
        _check_log(directory, project)
        state.add_webhook_source(name, kind, project, secret.encode())
    return _shown(directory, name, project, secret)


def rotate_source(directory: Path, name: str) -> dict[str, str]:
    """Give a sender another secret."""
    secret = SystemRandomness().token(24).hex()
    with _state(directory) as state:
        state.rotate_webhook_secret(name, secret.encode())
        source = state.webhook_source(name)
    return _shown(directory, name, source.project if source else "default", secret)


def remove_source(directory: Path, name: str) -> None:
    """Forget a sender.

    Raises:
        RequestError: `source_unknown`.
    """
    with _state(directory) as state:
        if state.webhook_source(name) is None:
            raise RequestError("source_unknown", f"no webhook source {name!r} is set up")
        state.remove_webhook_source(name)


def list_sources(directory: Path) -> list[dict[str, str | int]]:
    """Return the senders that are set up, without their secrets."""
    with _state(directory) as state:
        return [
            {
                "name": source.name,
                "kind": source.kind,
                "project": source.project,
                "live_secrets": len(source.secrets),
            }
            for source in state.webhook_sources()
        ]


@contextlib.contextmanager
def _state(directory: Path) -> Iterator[State]:
    """Open state.db beside a running server: it is not evidence, and takes short writes."""
    check_ledger(directory)
    with os_errors_translated(directory):
        state = State(real_place(directory) / "state.db", upgrade=False)
        try:
            yield state
        finally:
            state.close()


def _check_log(directory: Path, project: str) -> None:
    """Refuse a project without a log; reads only, so a server may run."""
    log = SqliteLogStore(directory / "ledger.db", write=False)
    try:
        require_log(log, project)
    finally:
        log.close()


def public_url(directory: Path, server: ServerConfig | None = None) -> str:
    """Return what people reach the server under: as it serves, or as the settings say."""
    server = server or read_config(directory).server
    stated = serving_address(directory, "public_url") or server.public_url
    return (stated or f"http://localhost:{server.port}").rstrip("/")


def _shown(directory: Path, name: str, project: str, secret: str) -> dict[str, str]:
    base = public_url(directory)
    query = "" if project == "default" else f"?project={project}"
    return {"name": name, "url": f"{base}/v1/webhooks/{name}{query}", "secret": secret}
