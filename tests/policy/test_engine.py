"""The engine never fails open: whatever is odd is a no with a reason."""

import threading
from typing import Any

import cedarpy
import msgspec
import pytest

from counterfoil.policy import engine, entities
from counterfoil.policy.engine import decide
from counterfoil.policy.policy_set import PolicySet, builtin, schema
from counterfoil.policy.request import Object, Request
from tests.policy.asking import ANA, ask

EVERYTHING = '@id("all") @reason("all") permit (principal, action, resource);\n'
# Adds up to more than 64 bits where it is evaluated, which no schema can foresee.
FAILING = (
    '@id("fails") @reason("fails") forbid (principal, action == Action::"read", resource)\n'
    "when { 9223372036854775807 + 1 > 0 };\n"
)
ALLOWED = ask("read", "release", ("viewer",))


def without(request: Request, **parts: dict[str, Any]) -> Request:
    """Return a request with members of its principal, object or context replaced."""
    changed = {
        name: msgspec.structs.replace(getattr(request, name), **members)
        for name, members in parts.items()
    }
    return msgspec.structs.replace(request, **changed)


def test_a_forbid_that_fails_denies() -> None:
    """Cedar skips it and says yes; that is the trap this engine is built around."""
    policies = PolicySet.parse(EVERYTHING + FAILING)
    raw = cedarpy.is_authorized(
        entities.question(ALLOWED), policies.handle, entities.world(ALLOWED), schema()
    )

    decision = decide(policies, ALLOWED)

    assert raw.decision is cedarpy.Decision.Allow
    assert not decision.allowed
    assert decision.reasons == ("1 of the policies failed on this request, so the answer is no",)
    assert "`fails`" in decision.errors[0]
    assert decide(policies, ask("export", "release")).allowed


@pytest.mark.parametrize("absent", ["credential", "verified", "first", "gate_changers", "authors"])
def test_a_missing_fact_denies(absent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a schema Cedar would skip every forbid that asks for the fact, and say yes."""
    policies = PolicySet.parse(
        EVERYTHING
        + '@id("f") @reason("f") forbid (principal, action, resource) when { context.verified };'
        + '@id("g") @reason("g") forbid (principal, action, resource)'
        + " when { context.authors.contains(principal) };"
    )
    asked = ask("read", "release", verified=False)
    whole = entities.question

    def lacking(request: Request) -> dict[str, Any]:
        question = whole(request)
        del question["context"][absent]
        return question

    assert decide(policies, asked).allowed
    monkeypatch.setattr(engine, "question", lacking)

    assert not decide(policies, asked).allowed
    assert decide(policies, asked).reasons == (
        "the request does not fit the access schema: denied",
    )


def test_a_missing_kind_of_the_actor_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = entities.world

    def lacking(request: Request) -> list[dict[str, Any]]:
        first, *others = whole(request)
        return [{**first, "attrs": {}}, *others]

    monkeypatch.setattr(engine, "world", lacking)

    assert not decide(PolicySet.parse(EVERYTHING), ALLOWED).allowed


ODD = {
    "an unknown verb": (msgspec.structs.replace(ALLOWED, verb="fly"), "no such verb"),
    "no verb": (msgspec.structs.replace(ALLOWED, verb=""), "no such verb"),
    "the group of verbs": (msgspec.structs.replace(ALLOWED, verb="sensitive"), "no such verb"),
    "an unknown kind of object": (without(ALLOWED, object={"kind": "moon"}), "kind of object"),
    "a verb that is not about it": (ask("approve", "run"), "approve is about approval, never"),
    "an unknown kind of actor": (without(ALLOWED, principal={"kind": "god"}), "kind of actor"),
    "an unknown credential": (without(ALLOWED, context={"credential": "key"}), "credential"),
    "an unknown role": (without(ALLOWED, principal={"roles": ("viewer", "root")}), "a role"),
    "a role in other letters": (without(ALLOWED, principal={"roles": ("Viewer",)}), "a role"),
    "an actor without a name": (without(ALLOWED, principal={"ref": ""}), "no name"),
    "an object without a name": (without(ALLOWED, object={"id": ""}), "no name"),
    "an object without a project": (without(ALLOWED, object={"project": ""}), "none is named"),
    "a team that is no ref": (without(ALLOWED, principal={"teams": ("qa",)}), "team:NAME"),
    "a component in another": (
        msgspec.structs.replace(ALLOWED, object=Object("component", "a", "shop", "", "b")),
        "itself",
    ),
    "a ledger in a project": (
        msgspec.structs.replace(ALLOWED, object=Object("ledger", "ledger", "shop")), "as a whole",
    ),
    "an unknown tier": (without(ALLOWED, object={"tier": "prod"}), "no such tier"),
    "half a character": (without(ALLOWED, principal={"ref": "actor:\ud800"}), "no text"),
    "half a character in a team": (without(ALLOWED, principal={"teams": ("team:\udfff",)}), "no text"),
    "a huge name": (without(ALLOWED, object={"id": "x" * 1025}), "1,024 bytes"),
    "a huge name in few characters": (without(ALLOWED, object={"id": "\U0001f600" * 257}), "1,024"),
    "more names than anybody has": (
        without(ALLOWED, context={"authors": tuple(f"actor:{n}" for n in range(10_001))}),
        "10,000 names",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("asked", "reason"), ODD.values(), ids=ODD.keys())
def test_an_odd_request_is_denied_with_a_reason(asked: Request, reason: str) -> None:
    """Under a policy that permits everything, so that only the engine can say no."""
    decision = decide(PolicySet.parse(EVERYTHING), asked)

    assert not decision.allowed
    assert reason in decision.reasons[0]


STRANGE = ['"', "\\", "\x00", "\n", "a\u202eb", 'Actor::"x"', "__entity", "é", "e\u0301", " "]


@pytest.mark.parametrize("name", STRANGE, ids=ascii)
def test_a_strange_name_is_a_name_like_others(name: str) -> None:
    """It must not become syntax, and it is equal to itself alone."""
    forbids = PolicySet.parse(
        EVERYTHING
        + '@id("own") @reason("own") forbid (principal, action, resource)'
        + " when { context.authors.contains(principal) };"
    )
    apart = ask("read", "release", who=name, authors=(f"{name}x", ANA))

    assert decide(forbids, apart).allowed
    assert decide(forbids, ask("read", "release", who=name, authors=(name,))).policies == ("own",)
    assert not decide(builtin(), apart).allowed


def test_look_alikes_are_different_actors() -> None:
    """A Cyrillic letter, or the same letter composed otherwise, is another actor or team."""
    policies = PolicySet.parse(
        '@id("t") @reason("t") permit (principal in Team::"café", action, resource);'
    )

    assert decide(policies, ask("read", "release", teams=("team:café",))).allowed
    assert not decide(policies, ask("read", "release", teams=("team:cafe\u0301",))).allowed
    assert not decide(policies, ask("read", "release", teams=("team:саfé",))).allowed


def test_a_breakdown_of_the_engine_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A panic of native code arrives as a BaseException that no `except Exception` sees."""

    class Panic(BaseException):
        pass

    def breaks(*_: object) -> None:
        raise Panic

    monkeypatch.setattr(cedarpy, "is_authorized", breaks)

    decision = decide(PolicySet.parse(EVERYTHING), ALLOWED)

    assert not decision.allowed
    assert decision.reasons == ("the policy engine failed (Panic): denied",)


def test_whoever_ends_the_program_is_not_held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cedarpy, "is_authorized", interrupted)

    with pytest.raises(KeyboardInterrupt):
        decide(builtin(), ALLOWED)


def test_a_scope_of_a_policy_is_where_the_object_is() -> None:
    policies = PolicySet.parse(
        '@id("s") @reason("s") permit (principal, action == Action::"read", resource)\n'
        'when { resource in Project::"shop" && resource in Tier::"production" };'
    )

    assert decide(policies, ask("read", "release")).allowed
    assert not decide(policies, ask("read", "release", tier="staging")).allowed
    assert not decide(policies, ask("read", "release", project="bank")).allowed
    assert not decide(policies, ask("read", "ledger")).allowed


def test_everything_is_in_the_ledger_and_in_its_component() -> None:
    inside = PolicySet.parse(
        '@id("l") @reason("l") permit (principal, action, resource in Ledger::"ledger");'
    )
    component = PolicySet.parse(
        '@id("c") @reason("c") permit (principal, action, resource in Component::"cart");'
    )
    cart = Object("run", "r", "shop", "", "cart")

    assert decide(inside, ask("read", "run")).allowed
    assert decide(inside, ask("read", "ledger")).allowed
    assert decide(component, msgspec.structs.replace(ALLOWED, object=cart)).allowed
    itself = Object("component", "cart", "shop")
    assert decide(component, msgspec.structs.replace(ALLOWED, object=itself)).allowed
    assert not decide(component, ask("read", "run")).allowed


def test_what_nobody_told_apart_stands_for_its_project() -> None:
    """Refs of kinds of your own, and the ledger's own logs, which are the ledger's."""
    project = PolicySet.parse(
        '@id("p") @reason("p") permit (principal, action, resource == Project::"shop");'
    )
    ledger = PolicySet.parse(
        '@id("l") @reason("l") permit (principal, action, resource == Ledger::"ledger");'
    )
    thing = msgspec.structs.replace(ALLOWED, object=Object("project", "com-example:7", "shop"))
    log = msgspec.structs.replace(ALLOWED, object=Object("ledger", "_access", "_access"))

    assert decide(project, thing).allowed
    assert not decide(project, log).allowed
    assert decide(ledger, log).allowed
    assert not decide(ledger, thing).allowed


def test_an_object_named_like_its_project_is_not_its_project() -> None:
    policies = PolicySet.parse(
        '@id("p") @reason("p") permit (principal, action, resource == Project::"shop");'
    )
    release = Object("release", "shop", "shop")

    assert not decide(policies, msgspec.structs.replace(ALLOWED, object=release)).allowed


def test_a_condition_that_asks_for_more_is_named_in_the_refusal() -> None:
    policies = PolicySet.parse(
        '@id("late") @reason("approvers who were verified") permit '
        '(principal in Role::"approver", action == Action::"approve", resource)'
        ' when { context.verified && principal in Team::"maintainers" };'
    )

    assert decide(policies, ask("approve", "approval", ("approver",))).reasons == (
        "the condition of policy late does not hold: approvers who were verified",
    )
    assert decide(policies, ask("approve", "approval")).reasons == (
        "needs the role approver in project shop, tier production",
    )


def test_teams_that_would_do_are_named() -> None:
    policies = PolicySet.parse(
        '@id("a") @reason("a") permit (principal in Team::"qa", action, resource is Test);'
        '@id("b") @reason("b") permit (principal, action in Action::"sensitive", resource)'
        ' when { principal in Team::"ops" };'
        '@id("c") @reason("no groups") permit (principal, action, resource) when { context.first };'
    )

    assert decide(policies, ask("quarantine", "test")).reasons == ("needs the team qa",)
    assert decide(policies, ask("keys", "ledger")).reasons == ("needs the team ops",)
    assert decide(policies, ask("read", "run")).reasons == (
        "the condition of policy c does not hold: no groups",
    )


def test_a_verb_no_policy_speaks_of_is_denied_so() -> None:
    policies = PolicySet.parse(
        '@id("a") @reason("a") permit (principal, action == Action::"read", resource);'
    )

    assert decide(policies, ask("keys", "ledger")).reasons == (
        "no policy allows keys in the ledger",
    )


def test_many_threads_get_the_answers_of_one() -> None:
    asked = [ask("read", "release", (role,)) for role in ("viewer", "producer")] * 50
    expected = [True, False] * 50
    said: list[list[bool]] = []

    def work() -> None:
        said.append([decide(builtin(), one).allowed for one in asked])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert said == [expected] * 4
