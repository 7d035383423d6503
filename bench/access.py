"""How long a decision takes: under 1,000 policies, about 10,000 people.

    python -m bench.access [--decisions N]

Uncached is what the engine takes for a request it has not seen: promised are 5 ms at the 99th
percentile, yes and no alike, the words of a no included.  Remembered is the same question asked
again through a dictionary by actor, verb, object and policy set, as `app` keeps it: 50 us.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

from bench.machine import describe
from counterfoil.policy.engine import Decision, decide
from counterfoil.policy.policy_set import PolicySet, builtin
from counterfoil.policy.request import LEDGER, Context, Object, Principal, Request
from counterfoil.policy.roles import ROLES
from counterfoil.policy.verbs import VERBS

POLICIES = 1_000
PEOPLE = 10_000
PROJECTS = 200
UNCACHED_MS = 5.0
REMEMBERED_US = 50.0
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


def timed(asked: Sequence[Request], answer: Callable[[Request], Decision]) -> list[float]:
    """Return how long each answer took, in seconds, sorted."""
    times = []
    for request in asked:
        began = time.perf_counter()
        answer(request)
        times.append(time.perf_counter() - began)
    return sorted(times)


def remembering(policies: PolicySet) -> Callable[[Request], Decision]:
    """Return `decide` with a memory, as `app` has one: a key of a few short values."""
    kept: dict[Hashable, Decision] = {}

    def answer(request: Request) -> Decision:
        key = (request.principal.ref, request.verb, request.object, policies.digest)
        found = kept.get(key)
        if found is None:
            found = kept[key] = decide(policies, request)
        return found

    return answer


def line(name: str, times: list[float], unit_s: float, unit: str, promise: float) -> str:
    """Return a line of the report."""
    median, worst = (value / unit_s for value in (statistics.median(times), p99(times)))
    kept = "kept" if worst <= promise else "not kept on this machine now"
    return f"{name:24} p50 {median:7.2f} {unit}, p99 {worst:7.2f} {unit}, must {promise:.0f} {unit}: {kept}"


def p99(times: list[float]) -> float:
    """Return the 99th percentile of sorted times."""
    return times[int(len(times) * 0.99)]


def main() -> None:
    """Run the benchmark."""
    options = argparse.ArgumentParser()
    options.add_argument("--decisions", type=int, default=3000)
    count = options.parse_args().decisions
    with tempfile.TemporaryDirectory() as place:
        print(describe(Path(place)))
    began = time.perf_counter()
    policies = policy_set()
    print(f"{len(policies.policies)} policies read in {time.perf_counter() - began:.2f} s")
    asked = requests(count)
    yes = [request for request in asked if decide(policies, request).allowed]
    print(f"{count} questions, {len(yes)} of them allowed")
    uncached = timed(asked, lambda request: decide(policies, request))
    print(line("uncached", uncached, 1e-3, "ms", UNCACHED_MS))
    alone = timed(asked, lambda request: decide(builtin(), request))
    print(line("built-in set alone", alone, 1e-3, "ms", UNCACHED_MS))
    remembered = remembering(policies)
    timed(asked, remembered)
    print(line("remembered", timed(asked, remembered), 1e-6, "us", REMEMBERED_US))


if __name__ == "__main__":
    main()
