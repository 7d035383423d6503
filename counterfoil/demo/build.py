"""Fill an empty ledger with the demonstration: every event through the front door.

Blobs are kept before the events that name them, and events are recorded in the order of their
times, so the log reads like the days it tells of.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from counterfoil.app.founding import DEFAULT_PROJECT
from counterfoil.app.home import Home
from counterfoil.app.record import Recorder
from counterfoil.clock import format_time, parse_time
from counterfoil.demo import samples, story
from counterfoil.events.event import Event
from counterfoil.policy.access import Credential
from counterfoil.sources import git, github, junit

# What is real says so: only the story's events have the source that marks what was made up.
HISTORY = "urn:counterfoil:git"
OWN_RUNS = "urn:counterfoil:report"
CAPTURED = "urn:counterfoil:captured"

DEMO = Credential(id="demo", kind="server", handle="demonstration data")
VIA = "cli"


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What was recorded.

    Attributes:
        deliveries: captured deliveries that were read.
        reports: reports that were read, captured and this project's own.
        commits: commits of this project's history.
        events: events recorded in all.
        last_index: entry number of the last one, from 0.
    """

    deliveries: int
    reports: int
    commits: int
    events: int
    last_index: int


def build(home: Home, project: str = DEFAULT_PROJECT) -> BuildResult:
    """Record the demonstration into `project` of an open ledger.

    Doing it twice records nothing twice: ids are fixed, but times of captured data that states
    none are those of the first time, so a second run is refused as a conflict.

    Raises:
        RequestError: `id_conflict` if the demonstration is there already.
    """
    filling = _Filling(home.recorder, format_time(home.clock.now()))
    commits = filling.history()
    tested = filling.own_runs()
    deliveries = filling.captured_deliveries()
    reports = filling.captured_reports()
    filling.events += story.tell(_released(commits), tested)
    filling.events.sort(key=lambda event: parse_time(event.time))
    answers = home.recorder.record(project, filling.events, DEMO, VIA)
    return BuildResult(
        deliveries=deliveries,
        reports=reports + len(samples.snapshot().runs),
        commits=len(commits),
        events=len(answers),
        last_index=answers[-1].index,
    )


def _released(commits: list[story.Commit]) -> list[story.Commit]:
    """Return the history up to the commit the last kept run tested: that one is released."""
    tested = samples.snapshot().runs[-1].commit
    position = next(
        index for index, commit in enumerate(commits) if commit.ref.endswith("@" + tested)
    )
    return commits[: position + 1]


class _Filling:
    """Collects the events; blobs go to the ledger's store at once."""

    def __init__(self, recorder: Recorder, received: str) -> None:
        self._recorder = recorder
        self._received = received
        self.events: list[Event] = []

    def history(self) -> list[story.Commit]:
        """Take in this project's history, oldest first."""
        log = samples.project_file("git-log.bin")
        events = git.parse_log(
            log,
            samples.REPOSITORY,
            source=HISTORY,
            authtype="system",
            authid="demo:git",
            branch=samples.snapshot().branch,
            blob=self._recorder.put_blob(log, "git-log.bin", "application/octet-stream"),
        )
        self.events += events
        return [story.Commit(event.subject or "", event.time) for event in events]

    def own_runs(self) -> str:
        """Take in this project's test runs; return the time at which the last one began."""
        last = ""
        for number, run in enumerate(samples.snapshot().runs, start=1):
            events = self._report(
                samples.project_file(run.file),
                run=f"run:{samples.REPOSITORY}/tests-{number}",
                name=run.name,
                commit=f"commit:{samples.REPOSITORY}@{run.commit}",
                environment="ci",
                source=OWN_RUNS,
            )
            last = max(last, events[-1].time)
        return last

    def captured_reports(self) -> int:
        """Take in other people's test reports."""
        captured = list(samples.reports())
        for sample in captured:
            self._report(
                sample.content,
                run=f"run:captured/{sample.name}",
                name=sample.name,
                commit=None,
                environment=None,
                source=CAPTURED,
            )
        return len(captured)

    def captured_deliveries(self) -> int:
        """Take in GitHub's sample deliveries; they state their own times where they have any."""
        parsed = list(self._deliveries())
        for events in parsed:
            self.events += events
        return len(parsed)

    def _deliveries(self) -> Iterator[tuple[Event, ...]]:
        for sample in samples.deliveries():
            yield github.parse_delivery(
                sample.name.partition(".")[0],
                f"captured/{sample.name}",
                sample.content,
                source=CAPTURED,
                received=self._received,
                credential="demo:github",
                blob=self._recorder.put_blob(
                    sample.content, f"{sample.name}.json", "application/json"
                ),
            )

    def _report(
        self, content: bytes, *, run: str, name: str, commit: str | None,
        environment: str | None, source: str,
    ) -> tuple[Event, ...]:  # fmt: skip
        context = junit.ReportContext(
            run=run,
            source=source,
            time=self._received,
            authtype="system",
            authid="demo:reports",
            commit=commit,
            environment=environment,
            blob=self._recorder.put_blob(content, f"{name}.xml", "application/xml"),
            name=name,
        )
        events = junit.parse_junit(content, context)
        self.events += events
        return events
