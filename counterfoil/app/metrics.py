"""`/metrics`: everything an operator watches, in Prometheus' text format 0.0.4.

What must hold: no name in it tells more than whoever asks may read: logs they may not read are
left out, and labels hold names of logs, witnesses, files and routes of ours, nothing else.  What is
unknown has no sample; a zero always means that somebody looked.

The registry is made anew for each answer, of this ledger alone: nothing is global.

Source: Prometheus, "Metric and label naming" and "Exposition formats".
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from counterfoil.app.everywhere import readable
from counterfoil.app.home import Home
from counterfoil.app.measured_logs import Sample, log_figures
from counterfoil.app.measured_machine import machine_figures
from counterfoil.app.meters import Buckets, Meters
from counterfoil.app.standing import standings
from counterfoil.errors import CODES
from counterfoil.ledger.append import QUEUE_ENTRIES_MAX
from counterfoil.policy.access import Credential

MEDIA_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4


def metrics(home: Home, credential: Credential) -> bytes:
    """Return all figures as text, of the logs that `credential` may read.

    Cost: some rows a log and the sizes of a few files; nothing that grows with a log.

    Raises:
        UnavailableError: `storage`.
    """
    logs = readable(home, credential)
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Ours([*_of_logs(home, logs), *_of_work(home), *_of_machine(home, logs)]))
    return generate_latest(registry)


class _Ours(Collector):
    """Families that are made already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[Metric]:
        """Give them."""
        yield from self._families


def _of_logs(home: Home, logs: list[str]) -> Iterator[Metric]:
    yield from _gauges(log_figures(home, standings(home, logs)))


def _of_machine(home: Home, logs: list[str]) -> Iterator[Metric]:
    yield from _gauges(machine_figures(home, logs))


def _of_work(home: Home) -> Iterator[Metric]:
    """What was counted since the start."""
    meters, running = home.meters, home.meters.running()
    yield from _gauges(
        (
            Sample("queue_entries", "Entries that wait for the writer.",
                   home.ledger.queued_entries),
            Sample("queue_entries_max", "Entries that may wait before callers are told `busy`.",
                   QUEUE_ENTRIES_MAX),
            Sample("connections", "Connections that are open, by process.",
                   running.connections, {"process": "server"}),
            Sample("connections", "", running.worker_connections, {"process": "worker"}),
            Sample("connections_max", "Connections the server's process holds at once.",
                   running.connections_max),
            Sample("workers", "Worker processes that run.", len(running.worker_pids)),
            Sample("workers_wanted", "Worker processes there should be.", running.workers_wanted),
        )
    )  # fmt: skip
    yield from _counted(meters, home.follower.replaced)
    yield _histogram("commit_entries", "Entries of one commit.", {(): meters.batch_entries}, ())
    yield _histogram("commit_wait_seconds", "How long the oldest request of a commit had waited.",
                     {(): meters.waits}, ())  # fmt: skip
    yield _histogram(
        "commit_stage_seconds", "How long each stage of a commit took.",
        {(stage,): buckets for stage, buckets in meters.stages.items()}, ("stage",),
    )  # fmt: skip
    yield _histogram(
        "http_request_seconds", "How long requests waited until their answer began, by route.",
        {(route,): buckets for route, buckets in dict(meters.latencies).items()}, ("route",),
    )  # fmt: skip


def _counted(meters: Meters, follower_replaced: int) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "counterfoil_http_requests", "Requests that were answered.",
        labels=("route", "method", "status"),
    )  # fmt: skip
    for (route, method, status), number in sorted(dict(meters.requests).items()):
        requests.add_metric((route, method, str(status)), number)
    yield requests
    refusals = CounterMetricFamily(
        "counterfoil_refusals", "Errors that callers were told, by code.", labels=("code",)
    )
    # Every code from the start on: an alert on an increase must see the first one too.
    for code in sorted(CODES):
        refusals.add_metric((code,), meters.refusals.get(code, 0))
    yield refusals
    replaced = CounterMetricFamily(
        "counterfoil_processes_replaced", "Processes of ours that ended before their time.",
        labels=("process",),
    )  # fmt: skip
    replaced.add_metric(("worker",), meters.workers_replaced)
    replaced.add_metric(("follower",), follower_replaced)
    yield replaced
    yield CounterMetricFamily(
        "counterfoil_replays", "Events that stood there before and got their receipt again.",
        value=meters.replays,
    )  # fmt: skip
    yield CounterMetricFamily(
        "counterfoil_connections_let_go", "Connections that went because too many others came.",
        value=meters.let_go,
    )  # fmt: skip


def _gauges(samples: Iterable[Sample]) -> Iterator[Metric]:
    """Return samples as families; the first of a name brings its help and its labels."""
    families: dict[str, tuple[GaugeMetricFamily, tuple[str, ...]]] = {}
    for one in samples:
        if one.name not in families:
            labels = tuple(one.labels)
            family = GaugeMetricFamily(f"counterfoil_{one.name}", one.help, labels=labels)
            families[one.name] = family, labels
        family, labels = families[one.name]
        if one.value is not None:
            family.add_metric([one.labels[label] for label in labels], float(one.value))
    for family, _ in families.values():
        yield family


def _histogram(
    name: str, about: str, buckets: Mapping[tuple[str, ...], Buckets], labels: tuple[str, ...]
) -> Metric:
    family = HistogramMetricFamily(f"counterfoil_{name}", about, labels=labels)
    for values, one in sorted(buckets.items()):
        family.add_metric(values, one.cumulative(), one.sum)
    return family
