"""The health page and its JSON: what was not looked at is unknown, and no stage is well that lags."""

import datetime
from collections.abc import Iterator
from dataclasses import replace

import pytest

from counterfoil.app.acting_tokens import Issued
from counterfoil.app.actions import act
from counterfoil.app.answers import WitnessStatus
from counterfoil.app.follow import signed_head
from counterfoil.app.health import State, health_of, worst
from counterfoil.app.standing import Reach, Stage, Standing
from counterfoil.stores.state_scrub import Damage
from counterfoil.tlog.keys import parse_vkey
from counterfoil.web.pages.health import build_health
from tests.signing_in import OWNER, enrolled
from tests.web_server import Running, event, running

NOW = datetime.datetime(2026, 11, 20, 12, 0, tzinfo=datetime.UTC)
WHOLE: dict[Stage, Reach] = {
    stage: Reach(7, NOW - datetime.timedelta(minutes=1))
    for stage in ("committed", "exported", "rows", "aggregated", "witnessed", "stamped",
                  "backed_up", "drilled", "verified")
}  # fmt: skip
DAMAGE = Damage("x/entries/0", "x", "damaged", "entries", 0, 3, "entry 2 is damaged", "2026")


def reached(stage: Stage, size: int, hours: float) -> Standing:
    """Return a log of 7 entries, recorded so long ago, of which a stage covers `size`."""
    ago = NOW - datetime.timedelta(hours=hours)
    reaches = {**WHOLE, "committed": Reach(7, ago), stage: Reach(size, ago)}
    return Standing("x", {one: reach for one, reach in reaches.items() if reach.size >= 0})


def lacking(stage: Stage) -> Standing:
    return Standing("x", {one: reach for one, reach in WHOLE.items() if one != stage})


def witness(problem: str, alarm: str) -> WitnessStatus:
    key = parse_vkey("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    return WitnessStatus("w", key, 7, None, problem, alarm)


@pytest.mark.parametrize(
    ("standing", "stage", "state"),
    [
        pytest.param(Standing("x", WHOLE), "exported", "level", id="all of it is level"),
        pytest.param(reached("exported", 6, 0.01), "exported", "behind", id="a moment's lag is none"),
        pytest.param(reached("exported", 6, 1), "exported", "late", id="an hour's lag is late"),
        pytest.param(reached("backed_up", 6, 20), "backed_up", "behind", id="last night's backup"),
        pytest.param(reached("backed_up", 7, 40), "backed_up", "late", id="an old backup of all"),
        pytest.param(reached("verified", 7, 31 * 24), "verified", "late", id="read a month ago"),
        pytest.param(
            replace(Standing("x", {**WHOLE, "committed": Reach(60_000, NOW)})), "rows", "late",
            id="too many entries wait, however busy the log is",
        ),
        pytest.param(lacking("backed_up"), "backed_up", "unknown", id="nobody took a backup"),
        pytest.param(lacking("witnessed"), "witnessed", "unknown", id="no witness is set up"),
        pytest.param(lacking("stamped"), "stamped", "unknown", id="no authority is set up"),
        pytest.param(lacking("verified"), "verified", "unknown", id="nobody read it through"),
        pytest.param(
            replace(Standing("x", WHOLE), stopped="frozen"), "committed", "failing", id="a frozen log"
        ),
        pytest.param(
            replace(Standing("x", WHOLE), export_failed="disk"), "exported", "failing", id="no export"
        ),
        pytest.param(
            replace(Standing("x", WHOLE), rows_stopped="defect"), "rows", "failing", id="stopped rows"
        ),
        pytest.param(
            replace(Standing("x", WHOLE), damages=(DAMAGE,)), "verified", "failing", id="damage"
        ),
        pytest.param(
            replace(Standing("x", WHOLE), witnesses=(witness("", "knows another"),)), "witnessed",
            "failing", id="a witness that alarms",
        ),
        pytest.param(
            replace(Standing("x", WHOLE), witnesses=(witness("silent", ""),)), "witnessed", "late",
            id="a silent witness",
        ),
        pytest.param(
            replace(Standing("x", WHOLE), clock="behind"), "committed", "late", id="a clock in doubt"
        ),
    ],
)  # fmt: skip
def test_a_stage_is_judged(standing: Standing, stage: Stage, state: State) -> None:
    found = health_of(standing, NOW)
    [one] = [each for each in found.stages if each.stage == stage]

    assert one.state == state
    assert found.state == worst((state, *(each.state for each in found.stages)))
    # Whatever is not as it should be says what to do; what goes as things go, nothing.
    assert bool(one.do) == (state not in {"level", "behind"}) or stage == "committed"


def test_green_is_only_what_was_looked_at_and_lacks_nothing() -> None:
    view = build_health([health_of(lacking("backed_up"), NOW)], NOW)
    tones = {one.name: one.state.tone for one in view.logs[0].stages}

    assert tones["Backed up"] == "none"
    assert {tone for name, tone in tones.items() if name != "Backed up"} == {"pass"}
    assert view.state.tone == "none"
    assert "1 stage unknown" in view.say


def test_only_a_ledger_that_lacks_nothing_is_said_to_lack_nothing() -> None:
    view = build_health([health_of(Standing("x", WHOLE), NOW)], NOW)

    assert (view.say, view.state.tone) == (
        "Every log takes entries, and no stage lacks one.", "pass",
    )  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("health") / "ledger") as web:
        web.call("POST", "/v1/events", event())
        web.home.ledger.export_now()
        yield web


def log_of(web: Running, name: str = "default") -> dict[str, object]:
    found = web.get("/v1/health").json()
    [one] = [log for log in found["logs"] if log["log"] == name]
    return {stage["stage"]: (stage["state"], stage["size"]) for stage in one["stages"]}


def test_a_real_ledger_says_what_it_has_and_that_nobody_looked_at_the_rest(place: Running) -> None:
    size = place.home.ledger.status("default").size
    stages = log_of(place)

    assert stages["committed"] == ("level", size)
    assert stages["exported"] == ("level", size)
    assert stages["rows"] == ("level", size)
    assert stages["witnessed"] == ("unknown", None)
    assert stages["backed_up"] == ("unknown", None)


@pytest.mark.parametrize(
    ("log", "left"),
    [("default", "nothing"), ("default", "an earlier one"), ("default", "no checkpoint"),
     ("_aggregate", "nothing")],
)  # fmt: skip
def test_an_export_that_does_not_stand_any_more_is_no_export(
    place: Running, log: str, left: str
) -> None:
    """What was published once is not what somebody outside can check now."""
    ledger = place.home.outside.log_of(log)
    checkpoint = place.home.directory / "public" / log / "checkpoint"
    earlier = checkpoint.read_bytes()
    earlier_size = signed_head(earlier).size
    place.call("POST", "/v1/events", event())
    aggregate = place.home.outside.aggregate
    assert aggregate is not None
    place.home.outside._aggregate_once(aggregate)
    ledger.export_now()
    with ledger._export_lock:  # nobody publishes again meanwhile
        stood = checkpoint.read_bytes()
        checkpoint.unlink()
        if left != "nothing":
            checkpoint.write_bytes(earlier if left == "an earlier one" else b"not signed")
        figures = place.get("/metrics").body.decode().splitlines()
        stages = log_of(place, log)
        checkpoint.unlink(missing_ok=True)
        checkpoint.write_bytes(stood)
        size = earlier_size if left == "an earlier one" else 0

        assert stages["exported"] == ("failing", size)
        assert f'counterfoil_log_export_failing{{log="{log}"}} 1.0' in figures
        assert f'counterfoil_log_entries{{log="{log}",stage="exported"}} {size}.0' in figures
        assert log_of(place, log)["exported"] == ("level", signed_head(stood).size)


def test_what_was_backed_up_and_read_through_is_said_with_its_size(place: Running) -> None:
    now = place.home.clock.now().strftime("%Y-%m-%dT%H:%M:%S.000Z")
    place.home.state.milestones.note("backed_up", "default", 1, now)
    place.home.scrub.read_through()
    stages = log_of(place)
    size = place.home.ledger.status("default").size

    assert stages["backed_up"][1] == 1  # type: ignore[index]
    assert stages["verified"] == ("level", size)
    assert log_of(place, "_aggregate")["verified"][0] != "unknown"  # type: ignore[index]


def test_the_page_says_the_same(place: Running) -> None:
    reader = enrolled(place, "health-reader")
    page = reader.get("/health").body.decode()

    assert "Tried out from a backup" in page
    assert "nobody looked yet" in page
    assert "docs/how-to/backup.md" in page
    assert place.call("GET", "/v1/health", token=None).status == 401


def test_the_worst_of_all_logs_is_what_the_page_says() -> None:
    stopped = health_of(replace(Standing("b", WHOLE), stopped="x"), NOW)
    view = build_health([health_of(Standing("a", WHOLE), NOW), stopped], NOW)

    assert (view.say, view.state.tone) == ("A log takes no entries.", "fail")


def test_nothing_is_said_of_a_log_its_reader_may_not_read(place: Running) -> None:
    act(place.home, OWNER, "actor-describe", {"handle": "s-o", "kind": "service"}, "api")
    given = {"to": "s-o", "role": "viewer", "project": "other"}
    act(place.home, OWNER, "role-grant", given, "api")
    wanted = {"name": "t", "holder": "s-o", "projects": ["other"], "verbs": ["read"]}
    made = act(place.home, OWNER, "token-issue", wanted, "api")
    assert isinstance(made, Issued)

    found = place.call("GET", "/v1/health", token=made.token).json()
    assert [log["log"] for log in found["logs"]] == ["other", "_aggregate"]
