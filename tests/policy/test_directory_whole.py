"""The directory under logs nobody would write: folded in parts, and after a removal."""

import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.policy.directory import FOLDED, Directory, fold
from tests.policy.access_entries import ANA, BO, CY, GITHUB, LATER, TEAM, Log

ACTORS = st.sampled_from([ANA, BO, CY])
DATES = st.fixed_dictionaries(
    {}, optional={"since": st.sampled_from(["2026-10-01", "2026-11-01T05:30:00.000Z", "2027-01-01"]),
                  "until": st.sampled_from(["2026-11-01T09:00:00.000Z", "2026-12-01", "2027-03-01"])}
)  # fmt: skip


@st.composite
def happenings(draw: st.DrawFn) -> list[tuple[str, str, dict[str, Any], list[tuple[str, str]]]]:
    """Return what a log might hold, sense or nonsense."""
    found = []
    for _ in range(draw(st.integers(1, 25))):
        what = draw(st.sampled_from(sorted(FOLDED)))
        noun = what.partition(".")[0]
        subject = draw(ACTORS)
        if noun in {"team", "member"}:
            subject = TEAM
        elif noun in {"token", "trust"}:
            subject = f"{noun}:{draw(st.integers(0, 1))}"
        data: dict[str, Any] = dict(draw(DATES))
        name = draw(st.sampled_from("ab"))
        data |= {"grant": name, "role": "tester", "passkey": name, "invitation": name}
        data |= {"kind": draw(st.sampled_from(["person", "service", "agent"])), "digest": name}
        roles = ("account", "deputy", "member", "holder", "turn", "on-behalf-of")
        named = [(GITHUB if role == "account" else draw(ACTORS), role) for role in roles]
        found.append((what, subject, data, named[: draw(st.integers(0, len(named)))]))
    return found


def written(directory: Directory) -> dict[str, Any]:
    return {name: value for name, value in vars(directory).items() if value}


@settings(max_examples=150, derandomize=True, deadline=None)
@given(happenings(), st.integers(0, 25))
def test_folding_in_two_parts_equals_folding_at_once(
    happened: list[tuple[str, str, dict[str, Any], list[tuple[str, str]]]], cut: int
) -> None:
    """A server folds as entries come; a start folds all of them."""
    log = Log()
    for one in happened:
        log.add(*one)
    parts = fold(log.entries[:cut])
    for entry in log.entries[cut:]:
        parts.apply(entry)

    assert written(parts) == written(log.fold())


@settings(max_examples=150, derandomize=True, deadline=None)
@given(happenings())
def test_no_log_whatever_it_says_gives_a_removed_actor_anything(
    happened: list[tuple[str, str, dict[str, Any], list[tuple[str, str]]]],
) -> None:
    log = Log()
    for one in happened:
        log.add(*one)
    log.add("actor.removed", ANA)
    directory = log.fold()
    if ANA not in directory.actors:
        return

    assert directory.grants_of(ANA, LATER) == []
    assert not any(key.removed < 0 for key in directory.passkeys.values() if key.actor == ANA)
    assert not any(one.revoked < 0 for one in directory.tokens.values() if one.holder == ANA)
    for other, moment in itertools.product((BO, CY), sorted(directory.moments())):
        assert ANA not in directory.stands_in_for(other, moment)
