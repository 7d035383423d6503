"""Policies put in force, tried on what was asked, rolled back without asking any policy."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from counterfoil.app.actions import act
from counterfoil.app.home import Home, open_home
from counterfoil.app.record import LOCAL
from counterfoil.clock import SteppedClock
from counterfoil.errors import RequestError
from counterfoil.ids import SeededRandomness
from counterfoil.policy.access import LOG
from counterfoil.policy.policy_set import builtin
from tests.app.approving import APPROVAL, MAINTAINERS, do, people, person
from tests.app.desk import desk

NOBODY_RECORDS = """
@id("reading") @reason("everybody reads")
permit (principal, action == Action::"read", resource);
"""


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def home(tmp_path: Path, clock: SteppedClock) -> Iterator[Home]:
    with desk(tmp_path / "ledger", clock) as opened:
        people(opened)
        yield opened


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


def put(home: Home, name: str) -> str:
    """Put a set of its own in force; return its digest."""
    text = f'@id("{name}") @reason("x")\npermit (principal, action == Action::"read", resource);\n'
    digest: str = do(home, "policy-activate", text=text, reason="oops").digest
    return digest


def test_going_back_again_and_again_ends_at_the_built_in_set(home: Home) -> None:
    """However many bad sets there were: nobody is left between two of them."""
    first, second = put(home, "bad-one"), put(home, "bad-two")
    assert home.access.directory.policy == second

    led = []
    for _ in range(2):
        do(home, "policy-rollback")
        led.append(home.access.directory.policy)

    assert led == [first, "builtin"]
    with pytest.raises(RequestError, match="none was before"):
        do(home, "policy-rollback")


def test_a_set_put_in_force_after_going_back_is_gone_back_from_alone(home: Home) -> None:
    good = put(home, "good")
    put(home, "bad-one")
    do(home, "policy-rollback")
    put(home, "bad-two")
    put(home, "bad-two")

    do(home, "policy-rollback")

    assert home.access.directory.policy == good


@pytest.mark.parametrize("stated", ["builtin", "whole", "beginning", "bare"])
def test_one_goes_back_to_a_set_that_is_named(home: Home, stated: str) -> None:
    first = put(home, "bad-one")
    put(home, "bad-two")
    put(home, "bad-three")
    names = {"builtin": "builtin", "whole": first, "beginning": first[:23], "bare": first[7:19]}

    do(home, "policy-rollback", to=names[stated])

    assert home.access.directory.policy == ("builtin" if stated == "builtin" else first)
    if stated != "builtin":
        do(home, "policy-rollback")
        assert home.access.directory.policy == "builtin"


@pytest.mark.parametrize(
    ("stated", "code"),
    [("sha256:" + "0" * 64, "not_found"), ("sha256:", "usage"), ("in force", "usage")],
    ids=["a set that never was", "a beginning of several", "the set in force"],
)
def test_no_set_is_guessed(home: Home, stated: str, code: str) -> None:
    put(home, "bad-one")
    now = put(home, "bad-two")

    with pytest.raises(RequestError) as refused:
        do(home, "policy-rollback", to=now if stated == "in force" else stated)

    assert refused.value.code == code
    assert home.access.directory.policy == now


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


def test_an_explanation_asks_where_the_act_is_asked(home: Home) -> None:
    """Roles are given for the ledger, and reads are of a project: a narrower grant does not help."""
    do(home, "actor-describe", handle="di")
    do(home, "role-grant", to="di", role="administrator", project="default")
    do(home, "role-grant", to="di", role="viewer", component="secret")
    for verb, ref in (("roles", "env:production"), ("tokens", ""), ("read", "release:secret@1")):
        found = do(home, "access-explain", actor="di", verb=verb, ref=ref).explained
        where = "default" if verb == "read" else LOG
        assert found.allowed is home.access.decide(person(home, "di"), verb, where).allowed
        assert found.allowed is (verb == "read"), "an administrator of a project reads it"
        assert any("as a whole" in one for one in found.reasons) is bool(ref)


def test_an_explanation_of_a_project_that_is_not_there_is_refused(home: Home) -> None:
    with pytest.raises(RequestError) as refused:
        do(home, "access-explain", actor="bo", verb="read", project="nosuch")

    assert refused.value.code == "project_unknown"
