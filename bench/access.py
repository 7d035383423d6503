"""How long a decision takes: under 1,000 policies, about 10,000 people.

    python -m bench.access [--decisions N] [--people N]

First the engine alone, on questions made up beforehand.  Then an open ledger with so many people
in its directory, each with two roles and a team, as every request to the server asks it:
`Access.ask` decides anew, `Access.decide` remembers.  Promised are 5 ms at the 99th percentile for
an answer that is not remembered, yes and no alike and with the words of a no, and 50 us for one
that is.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bench.machine import describe
from counterfoil.app.founding import create_home
from counterfoil.app.home import Home, open_home
from counterfoil.clock import SystemClock
from counterfoil.events.event import Event
from counterfoil.garbage import collect_rarely
from counterfoil.ids import SystemRandomness
from counterfoil.policy.access import ADMIN, ALL, LOG, Credential
from counterfoil.policy.engine import decide
from counterfoil.policy.places import place_of
from counterfoil.policy.policy_set import PolicySet, builtin
from counterfoil.policy.request import LEDGER, Context, Object, Principal, Request
from counterfoil.policy.roles import ROLES
from counterfoil.policy.verbs import VERBS

POLICIES = 1_000
PEOPLE = 10_000
BATCH_SIZE = 200
PROJECTS = 200
UNCACHED_MS = 5.0
REMEMBERED_US = 50.0
Asked = TypeVar("Asked")
TIERS = ("production", "staging", "testing", "development")
SHAPES = (
    (
        'permit (principal in Team::"t{n}", action in [Action::"request", Action::"assign"], '
        'resource in Project::"p{n}");'
    ),
    (
        'permit (principal in Role::"approver", action == Action::"approve", resource in '
        'Project::"p{n}") when {{ principal in Team::"t{n}" && resource in Tier::"production" }};'
    ),
    (
        'forbid (principal in Team::"t{n}", action in Action::"sensitive", resource in '
        'Project::"p{n}") unless {{ context.verified && principal.kind == Kind::"person" }};'
    ),
    (
        'forbid (principal, action == Action::"approve", resource in Component::"c{n}") '
        "when {{ context.authors.contains(principal) || context.first }};"
    ),
)


@dataclass(frozen=True)
class Times:
    """Seconds, sorted: what passed, and what a processor was busy with it.

    The first is what is promised; a busy machine leaves the second alone.
    """

    passed: list[float]
    used: list[float]

    def line(self, name: str, unit_s: float, unit: str, promise: float) -> str:
        """Return a line of the report."""
        middle, worst = statistics.median(self.passed) / unit_s, p99(self.passed) / unit_s
        kept = "kept" if worst <= promise else "not kept on this machine now"
        return (
            f"{name:24} p50 {middle:6.2f} {unit}, p99 {worst:6.2f} {unit}, of a processor "
            f"{p99(self.used) / unit_s:6.2f} {unit}; must {promise:.0f} {unit}: {kept}"
        )


def policy_set() -> PolicySet:
    """Return the built-in policies and as many of four usual shapes as make 1,000."""
    own = (
        f'@id("own-{number}") @reason("rule {number}")\n'
        + SHAPES[number % len(SHAPES)].format(n=number % PROJECTS)
        for number in range(POLICIES - len(builtin().policies))
    )
    return PolicySet.parse(builtin().text + "\n".join(own))


def requests(count: int, seed: int = 7) -> list[Request]:
    """Return questions of 10,000 people about things in 200 projects, each with its own facts."""
    chance = random.Random(seed)  # noqa: S311  a repeatable mix, no secret
    roles, verbs = sorted(ROLES.keys() - {"auditor"}), sorted(VERBS)
    made = []
    for number in range(count):
        verb = chance.choice(verbs)
        kind, place = chance.choice(VERBS[verb].kinds), chance.randrange(PROJECTS)
        thing = Object(kind, f"{kind}-{number}", f"p{place}", chance.choice(TIERS), "")
        if kind == "ledger":
            thing = LEDGER
        who = f"actor:{chance.randrange(PEOPLE):016d}"
        teams = tuple(f"team:t{chance.randrange(PROJECTS)}" for _ in range(3))
        authors = tuple(f"actor:{chance.randrange(PEOPLE):016d}" for _ in range(5))
        made.append(
            Request(
                Principal(who, "person", tuple(chance.sample(roles, 3)), teams),
                verb,
                thing,
                Context("session", verified=chance.random() < 0.7, authors=authors),
            )
        )
    return made


def fill(home: Home, people: int, text: str, seed: int = 7) -> None:
    """Make people with roles and teams, and put a policy set in force."""
    chance = random.Random(seed)  # noqa: S311  the same
    access, roles = home.access, sorted(ROLES.keys() - {"auditor"})

    def joined(number: int) -> Iterable[Event]:
        subject = access.account_ref(f"p{number}")
        team = f"team:t{chance.randrange(PROJECTS)}"
        yield access.event("actor.described", ADMIN, subject=subject, data={"kind": "person"})
        yield access.event(
            "member.joined", ADMIN, subject=team, data={}, named=[(subject, "member")]
        )
        for part in "ab":
            given = {"grant": f"{number}{part}", "role": chance.choice(roles), "project": ALL}
            yield access.event("role.granted", ADMIN, subject=subject, data=given)

    teams = [
        access.event("team.described", ADMIN, subject=f"team:t{number}", data={"title": "a team"})
        for number in range(PROJECTS)
    ]
    access.enact(teams, ADMIN)
    for first in range(0, people, BATCH_SIZE):
        access.enact([one for n in range(first, first + BATCH_SIZE) for one in joined(n)], ADMIN)
    kept = home.recorder.put_blob(text.encode(), "access.cedar", "text/plain", LOG)
    data = {"digest": kept.digest, "how": "uploaded"}
    blob = {"digest": kept.digest, "name": kept.name, "mediatype": kept.mediatype}
    activated = access.event(
        "policy.activated", ADMIN, subject="policy:access", data=data, blobs=[blob]
    )
    access.enact([activated], ADMIN)


def credentials(home: Home) -> list[Credential]:
    """Return a token of each person."""
    actors = sorted(home.access.directory.actors)
    return [
        Credential(f"token:{number}", "token", "a token", actor=actor)
        for number, actor in enumerate(actors)
    ]


def measure_home(directory: Path, people: int, count: int, text: str) -> tuple[Times, Times]:
    """Return times of answers by an open ledger: decided anew, and remembered."""
    randomness = SystemRandomness()
    create_home(directory, randomness)
    with open_home(directory, SystemClock(), randomness) as home:
        fill(home, people, text)
        chance = random.Random(7)  # noqa: S311  the same
        tokens = credentials(home)
        came = [chance.choice(tokens) for _ in range(count)]
        verbs = [chance.choice(("read", "record", "report", "export")) for _ in came]
        asked = list(zip(came, verbs, strict=True))
        assert home.access.directory.policy != "builtin"

        def anew(one: tuple[Credential, str]) -> None:
            home.access.ask(*one, place_of("default"))

        def again(one: tuple[Credential, str]) -> None:
            home.access.decide(*one, "default")

        collect_rarely()  # as every process that serves
        decided = timed(asked, anew)
        timed(asked, again)
        return decided, timed(asked, again)


def timed(asked: Sequence[Asked], answer: Callable[[Asked], object]) -> Times:
    """Return how long each answer took, and what it took of a processor."""
    passed, used = [], []
    for request in asked:
        began, began_cpu = time.perf_counter(), time.thread_time()
        answer(request)
        used.append(time.thread_time() - began_cpu)
        passed.append(time.perf_counter() - began)
    return Times(sorted(passed), sorted(used))


def p99(times: list[float]) -> float:
    """Return the 99th percentile of sorted times."""
    return times[int(len(times) * 0.99)]


def main() -> None:
    """Run the benchmark."""
    options = argparse.ArgumentParser()
    options.add_argument("--decisions", type=int, default=3000)
    options.add_argument("--people", type=int, default=PEOPLE)
    given = options.parse_args()
    count, people = given.decisions, given.people
    with tempfile.TemporaryDirectory() as place:
        print(describe(Path(place)))
        began = time.perf_counter()
        policies = policy_set()
        print(f"{len(policies.policies)} policies read in {time.perf_counter() - began:.2f} s")
        asked = requests(count)
        yes = [request for request in asked if decide(policies, request).allowed]
        print(f"{count} questions, {len(yes)} of them allowed")
        alone = timed(asked, lambda request: decide(policies, request))
        print(alone.line("engine", 1e-3, "ms", UNCACHED_MS))
        builtins = timed(asked, lambda request: decide(builtin(), request))
        print(builtins.line("engine, built-in set", 1e-3, "ms", UNCACHED_MS))
        anew, again = measure_home(Path(place) / "foil", people, count, policies.text)
        print(anew.line(f"ledger of {people:,}, anew", 1e-3, "ms", UNCACHED_MS))
        print(again.line("the same, remembered", 1e-6, "us", REMEMBERED_US))


if __name__ == "__main__":
    main()
