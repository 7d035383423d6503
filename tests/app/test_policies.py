"""Policies put in force, tried on what was asked, rolled back without asking any policy."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app.actions import act
from counterfoil.app.home import Home, open_home
from counterfoil.app.record import LOCAL
from counterfoil.clock import SteppedClock
from counterfoil.errors import RequestError
from counterfoil.events.event import make_event
from counterfoil.ids import SeededRandomness
from counterfoil.policy.access import LOG, Credential
from counterfoil.policy.policy_set import builtin
from tests.app.desk import desk

NOBODY_RECORDS = """
@id("reading") @reason("everybody reads")
permit (principal, action == Action::"read", resource);
"""
MAINTAINERS = """
@id("maintainers-approve-production")
@reason("only maintainers approve production")
forbid (principal, action == Action::"approve", resource in Tier::"production")
unless { principal in Team::"maintainers" };
"""


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def home(tmp_path: Path, clock: SteppedClock) -> Iterator[Home]:
    with desk(tmp_path / "ledger", clock) as opened:
        for handle in ("ana", "bo", "cy"):
            do(opened, "actor-describe", handle=handle)
        do(opened, "role-grant", to="ana", role="administrator")
        do(opened, "role-grant", to="bo", role="developer")
        do(opened, "role-grant", to="cy", role="approver", tier="production")
        do(opened, "role-grant", to="cy", role="environment-owner")
        yield opened


def do(home: Home, action: str, /, **given: Any) -> Any:
    return act(home, LOCAL, action, given, "cli")


def person(home: Home, handle: str) -> Credential:
    """Return a session of a person who has just shown a passkey."""
    actor = home.access.require_actor(handle)
    now = home.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Credential(f"session:{handle}", "session", handle, actor=actor.ref, verified=now)


def tell(home: Home, what: str, who: str, subject: str, *refs: tuple[str, str]) -> None:
    event = make_event(
        type=f"dev.cdeventsx.counterfoil-{what}.0.1.0", source="urn:x",
        id=home.randomness.token(8).hex(), time="2026-11-20T12:00:00Z", authtype="user",
        authid=f"counterfoil:{who}", subject=subject, refs=list(refs), data={"reason": "x"},
    )  # fmt: skip
    home.recorder.record("default", [event], person(home, who), "api")


APPROVAL = "approval:shop-1.4.2-production"
PRODUCTION = (("release:shop@1.4.2", "approves"), ("env:production", "target"))


def test_developers_ask_and_approvers_of_the_tier_answer(home: Home) -> None:
    tell(home, "approval.requested", "bo", APPROVAL, *PRODUCTION)
    with pytest.raises(RequestError) as refused:
        tell(home, "approval.signed", "bo", APPROVAL, *PRODUCTION)
    assert refused.value.code == "not_allowed"

    tell(home, "approval.signed", "cy", APPROVAL, *PRODUCTION)

    assert home.log.head("default").size == 2


def test_a_grant_for_production_approves_nothing_elsewhere(home: Home) -> None:
    staging = (("release:shop@1.4.2", "approves"), ("env:staging", "target"))

    with pytest.raises(RequestError, match="tier staging"):
        tell(home, "approval.signed", "cy", APPROVAL, *staging)


def test_an_environment_of_no_known_tier_counts_as_production(home: Home) -> None:
    """A name nobody thought of must not be the way around the rule."""
    blue = (("release:shop@1.4.2", "approves"), ("env:blue", "target"))

    tell(home, "approval.signed", "cy", APPROVAL, *blue)

    assert home.log.head("default").size == 1


def test_only_maintainers_approve_production_where_a_policy_says_so(home: Home) -> None:
    text = builtin().text + MAINTAINERS
    do(home, "policy-activate", text=text, reason="only maintainers approve production")

    with pytest.raises(RequestError, match="only maintainers approve production"):
        tell(home, "approval.signed", "cy", APPROVAL, *PRODUCTION)


def test_who_changed_a_gate_does_not_approve_under_it_for_a_day(
    home: Home, clock: SteppedClock
) -> None:
    tell(home, "gate.changed", "cy", "gate:production", ("env:production", "target"))
    with pytest.raises(RequestError, match="24 hours"):
        tell(home, "approval.signed", "cy", APPROVAL, *PRODUCTION)

    clock.step(24 * 3600 + 1)
    tell(home, "approval.signed", "cy", APPROVAL, *PRODUCTION)


def test_nobody_approves_what_they_asked_for(home: Home) -> None:
    do(home, "role-grant", to="cy", role="release-manager")
    tell(home, "approval.requested", "cy", APPROVAL, *PRODUCTION)

    with pytest.raises(RequestError, match="nobody approves what they"):
        tell(home, "approval.signed", "cy", APPROVAL, *PRODUCTION)


def test_an_author_is_known_by_every_account(home: Home) -> None:
    """A commit pushed under another account of the same person is still theirs."""
    do(home, "account-link", handle="cy", account="github.com:cy-dev")
    commit = "commit:acme/shop@9fceb02d0ae598e95dc970b74767f19372d6"
    pushed = make_event(
        type="dev.cdeventsx.counterfoil-commit.pushed.0.1.0", source="urn:git", id="push-1",
        time="2026-11-20T11:00:00Z", authtype="user", authid="github.com:cy-dev", subject=commit,
        data={"message": "x"},
    )  # fmt: skip
    home.recorder.record("default", [pushed], LOCAL, "cli")

    with pytest.raises(RequestError, match="nobody approves what they"):
        tell(home, "approval.signed", "cy", APPROVAL, (commit, "approves"), *PRODUCTION[1:])


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        pytest.param('permit (principal, action == Acton::"read", resource);', 1, 29, id="a typo"),
        pytest.param("permit (principal, action, resource)", 1, 37, id="a missing semicolon"),
    ],
)
def test_a_set_with_a_typo_is_refused_by_line_and_column(
    home: Home, text: str, line: int, column: int
) -> None:
    named = f'@id("a") @reason("b")\n{text}'
    with pytest.raises(RequestError) as refused:
        do(home, "policy-activate", text=named, reason="x")

    assert refused.value.code == "policy_refused"
    assert refused.value.facts["line"] == line + 1
    assert home.access.directory.policy == "builtin"
    assert abs(int(refused.value.facts["column"]) - column) <= 2


def test_a_preview_says_whose_answers_change_and_changes_nothing(home: Home) -> None:
    bo = person(home, "bo")
    assert home.access.decide(bo, "record", "default").allowed

    seen = do(home, "policy-preview", text=NOBODY_RECORDS)

    assert [(one.question, one.before, one.after) for one in seen.changes] == [
        ("bo: record project default", "yes", "no")
    ]
    assert '-@id("viewer")' in seen.diff
    assert seen.locks_out
    assert do(home, "policy-preview", text=builtin().text + MAINTAINERS).unknown == (
        f'line {builtin().text.count(chr(10)) + 2}: there is no team "maintainers"',
    )
    assert home.access.directory.policy == "builtin"
    assert home.access.decide(bo, "record", "default").allowed


def test_a_set_that_locks_everybody_out_is_rolled_back_offline(home: Home, tmp_path: Path) -> None:
    """Whoever holds the files asks no policy."""
    ana, bo = person(home, "ana"), person(home, "bo")
    do(home, "policy-activate", text=NOBODY_RECORDS, reason="oops")
    assert not home.access.decide(bo, "record", "default").allowed
    with pytest.raises(RequestError, match="no policy"):
        act(home, ana, "policy-rollback", {}, "api")
    home.close()

    with open_home(tmp_path / "ledger", SteppedClock(), SeededRandomness("again")) as again:
        assert not again.access.decide(bo, "record", "default").allowed
        done = act(again, LOCAL, "policy-rollback", {"reason": "locked out"}, "cli")
        assert "builtin" in done.said
        assert again.access.decide(bo, "record", "default").allowed
        again.follower.catch_up(LOG)
        [line] = again.reader.log_lines(LOG, before=done.entries[0] + 1, limit=1)
        assert line.sentence == "put a policy set in force: locked out"


def test_a_set_whose_text_is_gone_lets_nobody_do_anything(home: Home) -> None:
    """Never fail open: what cannot be read allows nothing, and says how to go on."""
    made = do(home, "policy-activate", text=builtin().text + MAINTAINERS, reason="x")
    bo = person(home, "bo")
    [blob] = [one for one in (home.directory / "blobs").rglob("*") if one.is_file()]
    blob.unlink()
    home.access._policies_digest = ""

    decision = home.access.decide(bo, "record", "default")

    assert made.digest == home.access.directory.policy
    assert not decision.allowed
    assert "rollback --dir" in decision.reasons[0]


def test_an_explanation_names_grants_policies_and_what_would_make_it_pass(home: Home) -> None:
    found = do(home, "access-explain", actor="bo", verb="approve", ref=APPROVAL).explained

    assert not found.allowed
    assert any("approver" in one for one in found.would_pass)
    yes = do(home, "access-explain", actor="bo", verb="record").explained
    assert yes.allowed
    assert [one.id for one in yes.deciding] == ["developer"]
    assert [grant.role for grant in yes.grants] == ["developer"]


def test_an_explanation_says_what_is_held_elsewhere(home: Home) -> None:
    """An approver of production asks why not here: the approval names no environment."""
    asked = f"{APPROVAL} env:staging"
    found = do(home, "access-explain", actor="cy", verb="approve", ref=asked).explained
    assert not found.allowed
    assert [(one.role, one.tier) for one in found.elsewhere] == [("approver", "production")]

    there = do(home, "access-explain", actor="cy", verb="approve", ref="env:production").explained
    assert there.allowed


def test_an_explanation_is_what_the_decision_is(home: Home) -> None:
    for verb in ("read", "record", "report", "people", "policies", "gate", "audit"):
        for handle in ("ana", "bo", "cy"):
            said = do(home, "access-explain", actor=handle, verb=verb).explained.allowed
            where = LOG if verb in {"people", "policies"} else "default"
            refs = {"gate": ("gate:any",), "audit": ("env:any",)}.get(verb, ())
            assert said == home.access.decide(person(home, handle), verb, where, refs=refs).allowed
