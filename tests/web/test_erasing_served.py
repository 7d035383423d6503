"""An erasure through a server whose workers and rows of pages live in processes of their own."""

import json
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app.founding import create_home
from counterfoil.ids import SystemRandomness
from tests.client.verifying import verify
from tests.erasing_story import holding
from tests.served_process import ServerProcess, server_process
from tests.web_server import event

LOGIN = "zebulonqx"


def post(server: ServerProcess, path: str, body: Any) -> Any:
    """Make one call and return its answer."""
    asked = urllib.request.Request(
        server.url + path,
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return json.load(answer)


def test_workers_and_rows_elsewhere_keep_nothing_of_what_is_erased(tmp_path: Path) -> None:
    """Events of the person go on coming in: each is sealed under a key that stays."""
    directory = tmp_path / "ledger"
    create_home(directory, SystemRandomness())
    stop = threading.Event()
    failed: list[BaseException] = []
    with server_process(directory, 1) as server:

        def record() -> None:
            while not stop.is_set():
                try:
                    post(server, "/v1/events", event(authid="new:somebody"))
                except BaseException as error:  # noqa: BLE001  told below
                    failed.append(error)
                    return

        first = event(authid=f"new:{LOGIN}", data={"text": f"by {LOGIN}"})
        post(server, "/v1/events", first)
        recording = [threading.Thread(target=record) for _ in range(2)]
        for one in recording:
            one.start()
        why = {"reason": "asked for", "request_id": "R-1"}
        for subject in (f"new:{LOGIN}", "new:somebody", "new:somebody"):
            done = post(server, "/v1/actions/erase", {"subject": subject, **why})
            assert done["done"]
        # Its repeat is refused, and does not bring back who was in it.
        with pytest.raises(urllib.error.HTTPError, match="409"):
            post(server, "/v1/events", first)
        left = holding(directory, LOGIN)
        stop.set()
        for one in recording:
            one.join()
        assert server.stop() == 0

    assert failed == []
    assert left == []
    assert holding(directory, LOGIN) == []
    assert verify(directory).ok
