"""One call to an address of the settings: whole answers only, and no waiting for ever."""

import time
from collections.abc import Iterator

import pytest

from counterfoil.app.outbound import NotFetchedError, ask
from tests.issuer import Issuer, issuing


@pytest.fixture
def server() -> Iterator[Issuer]:
    with issuing(Issuer()) as started:
        yield started


def test_an_answer_that_we_ended_ourselves_is_none(server: Issuer) -> None:
    """Without a length it ends where the connection does: cut by our own clock, it looks whole."""
    server.instead["/x"] = server.slow
    begun = time.monotonic()
    with pytest.raises(NotFetchedError):
        ask("GET", server.url + "/x", None, {}, private=True, timeout_s=0.3)

    assert time.monotonic() - begun < 5
