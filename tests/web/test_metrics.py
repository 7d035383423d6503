"""/metrics: every figure is there, true, bounded, and for those alone who may read."""

import time
from collections.abc import Callable, Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from counterfoil.app.acting_tokens import Issued
from counterfoil.app.actions import act
from counterfoil.web.tally import TELL_EVERY_S
from tests.signing_in import OWNER
from tests.web_server import Running, event, running


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with a worker, two logs, and one of everything that is counted."""
    with running(tmp_path_factory.mktemp("metrics") / "ledger", workers=1) as web:
        yield web


def samples(web: Running, token: str = "") -> list[Sample]:
    reply = web.call("GET", "/metrics", token=token)
    assert reply.status == 200, reply.body
    families = text_string_to_metric_families(reply.body.decode())
    return [sample for family in families for sample in family.samples]


def value(found: list[Sample], name: str, **labels: str) -> float:
    """Return the one sample of a name with these labels."""
    [one] = [
        one.value for one in found if one.name == name and labels.items() <= one.labels.items()
    ]
    return one


def token_for(web: Running, project: str) -> str:
    handle = f"s-{project}"
    act(web.home, OWNER, "actor-describe", {"handle": handle, "kind": "service"}, "api")
    act(web.home, OWNER, "role-grant", {"to": handle, "role": "viewer", "project": project}, "api")
    given = {"name": "t", "holder": handle, "projects": [project], "verbs": ["read"]}
    made = act(web.home, OWNER, "token-issue", given, "api")
    assert isinstance(made, Issued)
    return made.token


def test_what_is_posted_is_counted_in_every_stage(place: Running) -> None:
    before = samples(place)
    posted = event()
    for _ in range(2):
        assert place.call("POST", "/v1/events", posted).status == 201
    place.home.ledger.export_now()
    after = samples(place)

    def grown(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    log = {"log": "default"}
    assert grown("counterfoil_log_entries", stage="committed", **log) == 1
    assert grown("counterfoil_log_entries", stage="exported", **log) == 1
    assert grown("counterfoil_log_entries", stage="rows", **log) == 1
    assert grown("counterfoil_replays_total") == 1
    assert grown("counterfoil_commit_entries_sum") >= 1
    assert grown("counterfoil_commit_stage_seconds_count", stage="commit") >= 1
    assert grown("counterfoil_commit_stage_seconds_sum", stage="commit") > 0
    assert value(after, "counterfoil_log_reached_timestamp_seconds", stage="exported", **log) > 1e9


def test_what_a_worker_answered_is_counted_too(place: Running) -> None:
    """It answers alone, and tells once a second; what it refused to answer is counted once."""
    labels = {"route": "/v1/events", "method": "POST", "status": "201"}

    def answered() -> float:
        found = samples(place)
        name = "counterfoil_http_requests_total"
        return sum(one.value for one in found if one.name == name and one.labels == labels)

    place.call("POST", "/v1/events", event())
    before = wait_until_still(answered)
    for _ in range(3):
        assert place.call("POST", "/v1/events", event()).status == 201

    assert wait_until_still(answered) == before + 3
    assert value(samples(place), "counterfoil_workers") == 1


def wait_until_still(count: Callable[[], float]) -> float:
    """Return a count once a worker's last word about it is in."""
    seen = count()
    for _ in range(10):
        time.sleep(TELL_EVERY_S * 1.3)
        now = count()
        if now == seen:
            return now
        seen = now
    raise AssertionError("it goes on counting")


def test_nobody_sees_figures_of_logs_they_may_not_read(place: Running) -> None:
    token = token_for(place, "other")
    found = samples(place, token)
    logs = {one.labels["log"] for one in found if "log" in one.labels}

    assert logs == {"other", "_aggregate"}
    assert place.call("GET", "/metrics", token=None).status == 401


def test_a_label_holds_patterns_and_never_what_a_stranger_chose(place: Running) -> None:
    for path in ("/v1/entries/77?project=default", "/secret-path-here", "/entries/5/raw"):
        place.call("GET", path, headers={"X-Secret": "secret-header"})
    place.call("PROPFIND", "/healthz")
    reply = place.get("/metrics").body.decode()

    assert 'route="/v1/entries/{index}"' in reply
    assert 'route="(none)"' in reply
    assert 'method="other"' in reply
    assert "secret" not in reply


def test_a_refusal_is_counted_by_its_code(place: Running) -> None:
    before = samples(place)
    place.call("GET", "/v1/runs", token="nobody-has-this-one")
    place.call("GET", "/v1/runs", headers={"Host": "elsewhere.example"})
    after = samples(place)

    for code in ("token_invalid", "host_refused"):
        name = "counterfoil_refusals_total"
        assert value(after, name, code=code) == value(before, name, code=code) + 1
