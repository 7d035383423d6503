"""One server a module; its tests use ids of their own."""

from collections.abc import Iterator

import pytest

from tests.web_server import Running, running


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("web") / "ledger") as server:
        yield server
