"""This server and a provider that says what a test wants, with a browser between them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app.config import OidcConfig
from counterfoil.app.oidc import Oidc, Proven
from counterfoil.clock import SteppedClock
from counterfoil.errors import RequestError, UnavailableError
from counterfoil.ids import SeededRandomness
from counterfoil.stores.state import State
from tests.lying_provider import CLIENT, Provider

HERE = "https://foil.example"
BROWSER = "the secret of a browser"


class Place:
    """This server and one provider, with a browser between them."""

    def __init__(self, provider: Provider, state: State, directory: Path) -> None:
        self.provider = provider
        self.clock = SteppedClock()
        provider.now_s = int(self.clock.now().timestamp())
        self.state = state
        self.directory = directory
        self.oidc = self.make()

    def make(self, **settings: Any) -> Oidc:
        """Return this server as its settings may be."""
        plain: dict[str, Any] = {"issuer": self.provider.issuer, "client_id": CLIENT}
        providers = {"acme": OidcConfig(**{**plain, **settings})}
        return Oidc(
            self.directory, providers, HERE, self.state.sign_in, self.clock, SeededRandomness("o")
        )

    def begin(self) -> str:
        """Return where the browser is sent."""
        return self.oidc.begin("acme", holder=BROWSER, purpose="sign-in", detail="/runs")

    def sign_in(self, **answer: str | None) -> Proven:
        """Go there and come back; members of `answer` replace those of the query."""
        query = {**self.provider.send(self.begin()), **answer}
        plain = {name: value for name, value in query.items() if value is not None}
        return self.oidc.finish("acme", plain, holder=BROWSER)


def reason(work: Callable[[], object]) -> str:
    """Return why `work` was refused."""
    with pytest.raises(RequestError) as refused:
        work()
    assert refused.value.code == "sign_in_refused"
    assert "\n" not in refused.value.message
    return str(refused.value.facts["reason"])


def unreachable(work: Callable[[], object]) -> str:
    """Return what is said where a provider cannot be had."""
    with pytest.raises(UnavailableError) as refused:
        work()
    assert refused.value.code == "unreachable"
    return refused.value.message
