"""A ledger with something for every call of the API to find, and requests that name it.

What is drawn from the OpenAPI document alone names nothing that exists, so it never sees a good
answer of a call that asks for one entry, blob or ref.

    fill(web)
    KNOWN["GET /v1/runs"].requests(OPERATIONS["GET /v1/runs"])
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.schemas import APIOperation

from tests.web_server import Running, event

CDEVENTS = Path(__file__).parent / "vectors" / "cdevents" / "v0.5.1"
REPORT = b"""<?xml version="1.0"?>
<testsuite name="shop" tests="2" failures="1">
<testcase classname="cart" name="adds"/>
<testcase classname="cart" name="removes"><failure message="expected 1, got 2"/></testcase>
</testsuite>"""
SAMPLES = ("change_merged", "service_deployed", "artifact_published", "build_finished")
CONTENT = b"a line of a log\n"
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
SOURCE, ID = "https://ci.example/acme/shop", "known"
RUN, RELEASE = "run:acme/shop/1874", "release:shop@1.4.2"
COMMIT = "commit:acme/shop@" + "9fceb02" * 5 + "9fceb"


@dataclass(frozen=True, kw_only=True)
class Known:
    """Parts of a request that name what exists; what is left out stays as it was drawn."""

    path: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    media_type: str = ""

    def requests(
        self, operation: APIOperation[Any, Any, Any, Any]
    ) -> SearchStrategy[schemathesis.Case[Any]]:
        """Return requests that name what exists; whatever else may be sent is drawn."""
        body = {"body": self.body, "media_type": self.media_type} if self.media_type else {}
        return operation.as_strategy(
            generation_mode=GenerationMode.POSITIVE,
            path_parameters=dict(self.path),
            query=dict(self.query),
            **body,
        )


def fill(web: Running) -> None:
    """Record what the requests of `KNOWN` name."""
    web.call("PUT", f"/v1/blobs/{DIGEST}", CONTENT)
    blobs = [{"digest": DIGEST, "name": "log.txt", "mediatype": "text/plain"}]
    refs = [{"ref": RELEASE, "role": "subject"}, {"ref": COMMIT, "role": "commit"}]
    for made in (
        web.call("POST", "/v1/events", event(source=SOURCE, id=ID, data={"blobs": blobs})),
        web.call("POST", "/v1/events", event(data={"refs": refs})),
        web.call(
            "POST",
            f"/v1/reports?run={RUN}&commit={COMMIT}&environment=env:ci",
            REPORT,
            {"Content-Type": "application/xml"},
        ),
        *(web.call("POST", "/v1/webhooks/cdevents", sample(name)) for name in SAMPLES),
    ):
        assert made.status == 201, made.body
    web.settle()


def sample(name: str) -> dict[str, Any]:
    """Return a CDEvents document; the samples share an id, so it gets one of its own."""
    document: dict[str, Any] = json.loads((CDEVENTS / f"{name}.json").read_bytes())
    return {**document, "context": {**document["context"], "id": name}}


_HERE = {"project": "default"}

KNOWN = {
    "POST /v1/events": Known(query=_HERE, body=event(id="again"), media_type="application/json"),
    "POST /v1/reports": Known(
        query={**_HERE, "run": "run:acme/shop/1875", "commit": COMMIT, "allow_empty": "false"},
        body=REPORT,
        media_type="application/xml",
    ),
    "POST /v1/webhooks/{source}": Known(
        path={"source": "cdevents"},
        query=_HERE,
        body=sample("change_merged"),
        media_type="application/json",
    ),
    "POST /v1/actions/{verb}": Known(
        path={"verb": "actor-describe"},
        query=_HERE,
        body={"handle": "dana", "name": "Dana Dev"},
        media_type="application/json",
    ),
    "GET /v1/entries/{index}": Known(path={"index": 0}, query=_HERE),
    "GET /v1/entries/{index}/receipt": Known(path={"index": 0}, query=_HERE),
    "GET /v1/receipts": Known(query={**_HERE, "source": SOURCE, "id": ID}),
    "PUT /v1/blobs/{digest}": Known(
        path={"digest": DIGEST},
        query=_HERE,
        body=CONTENT.decode(),
        media_type="application/octet-stream",
    ),
    "GET /v1/blobs/{digest}": Known(path={"digest": DIGEST}, query=_HERE),
    "GET /v1/runs": Known(query={**_HERE, "ref": RUN}),
    **{
        f"GET /v1/{what}": Known(query=_HERE)
        for what in ("tests", "changes", "releases", "deployments")
    },
    "GET /v1/search": Known(query={**_HERE, "q": "shop"}),
    "GET /v1/search/everywhere": Known(query={"q": "shop"}),
    "GET /v1/search.csv": Known(query={**_HERE, "q": "shop"}),
    "GET /v1/trace": Known(query={**_HERE, "ref": RELEASE}),
    "GET /v1/changed": Known(query={**_HERE, "ref": RUN}),
    "GET /v1/prove": Known(query={**_HERE, "entry": 0}),
    "GET /log/{project}/checkpoint": Known(path=_HERE),
    "GET /log/{project}/tile/{tile}": Known(path={**_HERE, "tile": "entries/000.p/1"}),
    "GET /healthz": Known(),
    "GET /readyz": Known(),
    "GET /v1/health": Known(),
    "GET /metrics": Known(),
}
"""By the name of a call.

What a job brings to be let in is signed by its CI, for one use: tests/web/test_token_exchange.py.
"""
