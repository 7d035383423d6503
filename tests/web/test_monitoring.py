"""Alert rules, dashboard and the page about figures, held to the real /metrics."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

import counterfoil
from counterfoil.app.founding import create_home
from counterfoil.app.standing import STAGES
from counterfoil.cli import main
from counterfoil.errors import CODES
from counterfoil.ids import SystemRandomness
from counterfoil.web.api.table import ROUTES
from tests.tools import needs_tool
from tests.web_server import event, running

DEPLOY = Path(counterfoil.__file__).parent / "deploy"
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "monitoring.md"
RULES = DEPLOY / "alerts.yml"
ROW = re.compile(
    r"^\| `((?:counterfoil|process)_\w+)` \| (\w+) \| ([^|]+) \| [^|]+ \|$", re.MULTILINE
)
NAME = re.compile(r"\b(?:counterfoil|process)_[a-z_]+\b")
WHO = 'instance="a",job="counterfoil"'
DAY = 24 * 60
SLOW = 200

# Alert -> (series that make it fire, series that do not, minutes).  A series is `name{labels}` and
# its values, a minute apart, in promtool's notation.
Series = dict[str, str]
CASES: dict[str, tuple[Series, Series, int]] = {
    "Down": ({"up": "0x10"}, {"up": "1x10"}, 5),
    "LogStopped": ({'log_stopped{log="x"}': "1x10"}, {'log_stopped{log="x"}': "0x10"}, 5),
    "Damage": (
        {'log_damaged_places{log="x"}': "2x10"}, {'log_damaged_places{log="x"}': "0x10"}, 5,
    ),
    "OtherHistory": (
        {'witness_alarm{log="x",witness="w"}': "1x10"},
        {'witness_alarm{log="x",witness="w"}': "0x10"}, 5,
    ),
    "NotExported": (
        {'log_entries{log="x",stage="committed"}': "10+1x60",
         'log_entries{log="x",stage="exported"}': "5x60"},
        {'log_entries{log="x",stage="committed"}': "10+1x60",
         'log_entries{log="x",stage="exported"}': "9+1x60"}, 40,
    ),
    "RowsBehind": (
        {'log_entries{log="x",stage="committed"}': "90000x30",
         'log_entries{log="x",stage="rows"}': "10x30"},
        {'log_entries{log="x",stage="committed"}': "90000x30",
         'log_entries{log="x",stage="rows"}': "89000x30"}, 15,
    ),
    "NotWitnessed": (
        {'witness_failing{log="x",witness="w"}': "1x90"},
        {'witness_failing{log="x",witness="w"}': "1x30 0x60"}, 80,
    ),
    "ErasingUnfinished": ({"erasing_unfinished": "1x30"}, {"erasing_unfinished": "0x30"}, 10),
    "NotAggregated": ({"aggregate_failing": "1x30"}, {"aggregate_failing": "0x30"}, 20),
    "NotStamped": (
        {'log_reached_timestamp_seconds{log="_aggregate",stage="stamped"}': "0x500",
         'log_entries{log="_aggregate",stage="committed"}': "9x500",
         'log_entries{log="_aggregate",stage="stamped"}': "8x500"},
        {'log_reached_timestamp_seconds{log="_aggregate",stage="stamped"}': "0x500",
         'log_entries{log="_aggregate",stage="committed"}': "9x500",
         'log_entries{log="_aggregate",stage="stamped"}': "9x500"}, 480,
    ),
    "BackupOld": (
        {'log_reached_timestamp_seconds{log="x",stage="backed_up"}': "0x2400"},
        {'log_reached_timestamp_seconds{log="x",stage="backed_up"}': "0+60x2400"}, 2310,
    ),
    "NeverBackedUp": (
        {'log_entries{log="x",stage="committed"}': "7x3000"},
        {'log_entries{log="x",stage="committed"}': "7x3000",
         'log_entries{log="x",stage="backed_up"}': "7x3000"}, 2940,
    ),
    "DrillOld": (
        {'log_reached_timestamp_seconds{log="x",stage="drilled"}': f"-8000000x{DAY}"},
        {'log_reached_timestamp_seconds{log="x",stage="drilled"}': f"0x{DAY}"}, 100,
    ),
    "NeverDrilled": (
        {'log_entries{log="x",stage="committed"}': "7x13300"},
        {'log_entries{log="x",stage="committed"}': "7x13300",
         'log_entries{log="x",stage="drilled"}': "7x13300"}, 13200,
    ),
    "NotReread": (
        {'log_reached_timestamp_seconds{log="x",stage="verified"}': f"-3000000x{DAY}"},
        {'log_reached_timestamp_seconds{log="x",stage="verified"}': f"0x{DAY}"}, 100,
    ),
    "NeverReread": (
        {'log_entries{log="x",stage="committed"}': "7x10300"},
        {'log_entries{log="x",stage="committed"}': "7x10300",
         'log_entries{log="x",stage="verified"}': "7x10300"}, 10200,
    ),
    "DiskFull": (
        {"disk_free_bytes": "5x30", "disk_size_bytes": "100x30"},
        {"disk_free_bytes": "50x30", "disk_size_bytes": "100x30"}, 15,
    ),
    "BlobsFull": (
        {'blob_bytes{log="x"}': "95x30", "blob_quota_bytes": "100x30"},
        {'blob_bytes{log="x"}': "85x30", "blob_quota_bytes": "100x30"}, 15,
    ),
    "Busy": (
        {'refusals_total{code="busy"}': "0+5x40"}, {'refusals_total{code="not_found"}': "0+5x40"}, 30,
    ),
    "SlowCommits": (
        {'commit_stage_seconds_bucket{stage="commit",le="0.25"}': "0x40",
         'commit_stage_seconds_bucket{stage="commit",le="1.0"}': "0+9x40",
         'commit_stage_seconds_bucket{stage="commit",le="+Inf"}': "0+9x40"},
        {'commit_stage_seconds_bucket{stage="commit",le="0.25"}': "0+9x40",
         'commit_stage_seconds_bucket{stage="commit",le="1.0"}': "0+9x40",
         'commit_stage_seconds_bucket{stage="commit",le="+Inf"}': "0+9x40"}, 35,
    ),
    "Faults": (
        {'refusals_total{code="internal"}': "0x5 1x20"}, {'refusals_total{code="internal"}': "3x30"}, 10,
    ),
    "ProcessesDie": (
        {'processes_replaced_total{process="worker"}': "0+1x30"},
        {'processes_replaced_total{process="worker"}': "0x5 1x30"}, 16,
    ),
    "SpoolStuck": (
        {'spool_files{state="left_alone"}': "1x30"}, {'spool_files{state="waiting"}': "9x30"}, 20,
    ),
    "Clock": ({"clock_doubtful": "1x30"}, {"clock_doubtful": "0x30"}, 10),
    "FewDescriptors": (
        {"process_open_fds": "900x30", "process_max_fds": "1000x30"},
        {"process_open_fds": "100x30", "process_max_fds": "1000x30"}, 10,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The figures of a server that has answered something."""
    with running(tmp_path_factory.mktemp("monitoring") / "ledger") as web:
        web.call("POST", "/v1/events", event())
        yield web.get("/metrics").body.decode()


def test_the_token_the_page_makes_reads_every_figure_and_nothing_can_be_done_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands are those of the page, word by word."""
    directory = tmp_path / "ledger"
    create_home(directory, SystemRandomness())
    commands = re.findall(r"^foil (admin [^>\n]*)", PAGE.read_text(), re.MULTILINE)
    assert commands
    for line in commands:
        with pytest.raises(SystemExit) as ended:
            main([*shlex.split(line), "--dir", str(directory)])
        assert ended.value.code == 0
    token = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("cft_"))

    with running(directory) as web:
        seen = web.call("GET", "/metrics", token=token)
        done = web.call("POST", "/v1/events", event(), token=token)

    logs = set(re.findall(r'counterfoil_log_stopped{log="(\w+)"}', seen.body.decode()))
    assert (seen.status, done.status) == (200, 403)
    assert {"default", "_aggregate"} <= logs


def kinds(told: str) -> dict[str, str]:
    """Return the kind of each figure by its name."""
    return dict(re.findall(r"^# TYPE (\S+) (\w+)$", told, re.MULTILINE))


def exposed(told: str) -> set[str]:
    """Return every name a query may use, those of parts of a histogram too."""
    names = kinds(told)
    parts = {
        f"{name}_{part}"
        for name, kind in names.items()
        if kind == "histogram"
        for part in ("bucket", "sum", "count")
    }
    return names.keys() | parts


def expressions() -> list[str]:
    """Return every query of the dashboard, its variables filled in."""
    dashboard: Any = json.loads((DEPLOY / "grafana.json").read_text())
    found = [one["expr"] for panel in dashboard["panels"] for one in panel["targets"]]
    return [one.replace("$instance", ".*") for one in found]


def test_the_page_names_every_figure_with_its_kind_and_labels_and_no_other(told: str) -> None:
    written = {name: (kind, labels.strip()) for name, kind, labels in ROW.findall(PAGE.read_text())}
    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(told):
        for sample in family.samples:
            labels.setdefault(family.name, set()).update(sample.labels.keys() - {"le"})

    assert {name: kind for name, (kind, _) in written.items()} == kinds(told)
    for name, (_, said) in written.items():
        seen = labels.get(name.removesuffix("_total"))
        if seen is not None:
            assert set(said.split(", ")) - {"none"} == seen, name


@pytest.mark.parametrize("file", ["alerts.yml", "grafana.json"])
def test_every_figure_that_rules_and_dashboard_ask_for_is_there(told: str, file: str) -> None:
    asked = set(NAME.findall((DEPLOY / file).read_text()))

    assert len(asked) > 10
    assert asked <= exposed(told)


@pytest.mark.parametrize("file", ["alerts.yml", "grafana.json"])
def test_every_label_value_that_is_asked_for_can_be_there(file: str) -> None:
    """A rule about a stage nobody ever reports would never fire."""
    text = (DEPLOY / file).read_text().replace('\\"', '"')
    can = {
        "stage": {*STAGES, "commit"},
        "code": set(CODES),
        "route": {route.public_path for route in ROUTES},
        "state": {"waiting", "left_alone"},
    }
    for label, value in re.findall(r'(\w+)!?="([^"$]+)"', text):
        if label in can:
            assert value in can[label]


def test_every_query_of_the_dashboard_is_one(tmp_path: Path) -> None:
    promtool = needs_tool("promtool")
    rules = [{"record": f"panel:{n}", "expr": one} for n, one in enumerate(expressions())]
    path = tmp_path / "rules.yml"
    # YAML holds JSON.
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))

    checked = subprocess.run([promtool, "check", "rules", path], capture_output=True, check=False)

    assert checked.returncode == 0, checked.stderr.decode()
    assert len(rules) >= 20


def series(name: str, values: str) -> dict[str, str]:
    """Return a series as promtool takes it, of one instance."""
    bare, _, labels = name.partition("{")
    prefix = "" if bare == "up" or bare.startswith("process_") else "counterfoil_"
    # Of our own figure `processes_replaced`, not of Prometheus' `process_`.
    prefix = "counterfoil_" if bare.startswith("processes_") else prefix
    inner = f"{labels.rstrip('}')},{WHO}" if labels else WHO
    return {"series": f"{prefix}{bare}{{{inner}}}", "values": values}


def test_every_alert_fires_when_it_should_and_not_when_it_should_not(tmp_path: Path) -> None:
    """One run of promtool over all cases: each alert alone, by the series of its case."""
    promtool = needs_tool("promtool")
    files = []
    # What takes days is evaluated less often: every minute of them would take longer than it says.
    for every, least, most in (("1m", 0, SLOW), ("30m", SLOW, 10 * DAY)):
        groups = [
            case(alert, given, minutes, fires=fires)
            for alert, (firing, quiet, minutes) in CASES.items()
            for fires, given in ((True, firing), (False, quiet))
            if least <= minutes < most
        ]
        path = tmp_path / f"{every}.yml"
        rules = {"rule_files": [str(RULES)], "evaluation_interval": every, "tests": groups}
        path.write_text(json.dumps(rules))
        files.append(path)

    ran = subprocess.run([promtool, "test", "rules", *files], capture_output=True, check=False)

    assert re.findall(r"- alert: Counterfoil(\w+)", RULES.read_text()) == list(CASES)
    assert ran.returncode == 0, ran.stderr.decode() + ran.stdout.decode()


def case(alert: str, given: Series, minutes: int, *, fires: bool) -> dict[str, Any]:
    """Return a test of promtool: whether an alert stands after so many minutes of these series."""
    asked = f'count(ALERTS{{alertname="Counterfoil{alert}",alertstate="firing"}}) > 0'
    stands = [{"labels": "{}", "value": 1}] if fires else []
    return {
        "name": f"{alert} {'fires' if fires else 'is quiet'}",
        "interval": "1m",
        "input_series": [series(name, values) for name, values in given.items()],
        "promql_expr_test": [{"expr": asked, "eval_time": f"{minutes}m", "exp_samples": stands}],
    }
