"""Rules and holds, folded: what covers what, which counts, and what takes two people."""

from typing import Any

import pytest

from counterfoil.events.refs import Named
from counterfoil.policy.keeping import Hold, Kept, Rule, holds_entry, weakened
from counterfoil.policy.known import Happened
from counterfoil.policy.presets import PRESETS

STEP = "com.example.step.finished"
BUILD = "dev.cdevents.build.finished.0.3.0"
APPROVAL = "dev.cdeventsx.counterfoil-approval.signed.0.1.0"
HOLD = "dev.cdeventsx.counterfoil-hold.placed.0.1.0"
PCI = Rule(name="pci", types="*", days=366, preset="pci-dss-10.5.1")
BUILDS = Rule(name="builds", types="build.*", days=100)


def happened(index: int, what: str, refs: tuple[Named, ...] = (), **data: Any) -> Happened:
    return Happened(index, what, "", refs, data, f"2026-11-{index + 1:02}T00:00:00.000Z")


def kept(*events: Happened) -> Kept:
    made = Kept()
    for one in events:
        made.apply(one)
    return made


COVERED = {
    "any type by a star": ("*", STEP, True),
    "a type by its noun": ("build", BUILD, True),
    "a type by a pattern": ("com.example.*", STEP, True),
    "another type": ("com.other.*", STEP, False),
    "an approval only by its noun": ("*", APPROVAL, False),
    "an approval not by a prefix of all of ours": ("dev.cdeventsx.*", APPROVAL, False),
    "an approval that is named": ("approval.*", APPROVAL, True),
    "an approval that is named in full": (APPROVAL, APPROVAL, True),
    "a hold by nothing": ("hold.*", HOLD, False),
}


@pytest.mark.parametrize(("types", "name", "covered"), COVERED.values(), ids=COVERED.keys())
def test_a_rule_is_about(types: str, name: str, covered: bool) -> None:
    assert Rule(name="x", types=types, days=1).covers(name) is covered


def test_the_longest_rule_counts_and_what_none_covers_is_kept_for_good() -> None:
    made = kept(
        happened(0, "retention.set", rule="builds", types="build.*", days=30),
        happened(1, "retention.set", rule="all", types="*", days=366),
    )

    found = made.deciding(BUILD)
    assert found is not None
    assert found.name == "all"
    assert made.deciding(APPROVAL) is None
    made.apply(happened(2, "retention.set", rule="all"))
    assert made.rules.keys() == {"builds"}
    assert made.deciding(STEP) is None


ODD: dict[str, Happened] = {
    "a rule without a name": happened(5, "retention.set", types="*", days=1),
    "a release of no hold": happened(5, "hold.released", hold=3),
    "a release of a text": happened(5, "hold.released", hold="3"),
    "what expired without ranges": happened(5, "retention.expired", parts=[{"ranges": [[1]]}, 7]),
    "something else": happened(5, "run.planned"),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_what_does_not_fit_changes_neither_rules_nor_holds(odd: Happened) -> None:
    made = kept(happened(0, "retention.set", rule="a", types="*", days=100))
    made.apply(odd)

    assert list(made.rules) == ["a"]
    assert not made.holding()
    assert all(one.ranges == () for one in made.expired)


def test_a_hold_whose_words_are_gone_holds_all_it_might() -> None:
    """Erased or not, it fails on the side of keeping."""
    limited = happened(0, "hold.placed", (Named("release:a@1", "held"),))
    bare = happened(1, "hold.placed")

    first, second = kept(limited, bare).holding()

    assert holds_entry(first, "release:a@1", (), "2020-01-01T00:00:00.000Z", ())
    assert not holds_entry(first, "release:b@1", (), "2020-01-01T00:00:00.000Z", ())
    assert holds_entry(second, None, (), "2020-01-01T00:00:00.000Z", ())


REF = Hold(entry=0, refs=("commit:acme/shop@9fceb02",))
TIME = Hold(entry=0, since="2026-06-01", until="2026-09-01", ranged=True)
BOTH = Hold(entry=0, refs=("release:a@1",), since="2026-06-01", ranged=True)
PERSON = Hold(entry=0, actors=("actor:bo",))
SUMMER, WINTER = "2026-07-01T00:00:00.000Z", "2026-12-01T00:00:00.000Z"
OVER: dict[str, tuple[Hold, str | None, tuple[Named, ...], str, bool]] = {
    "the subject": (REF, "commit:acme/shop@9fceb02", (), WINTER, True),
    "a longer name of the same commit": (
        REF, None, (Named("commit:acme/shop@9fceb02d0ae598e9", "input"),), WINTER, True),
    "another commit": (REF, "commit:acme/shop@0fceb02", (), WINTER, False),
    "a time": (TIME, None, (), SUMMER, True),
    "after that time": (TIME, None, (), WINTER, False),
    "the last moment is not in it": (TIME, None, (), "2026-09-01T00:00:00.000Z", False),
    "a ref in its time": (BOTH, "release:a@1", (), SUMMER, True),
    "a ref before its time": (BOTH, "release:a@1", (), "2026-05-01T00:00:00.000Z", False),
    "another ref in that time": (BOTH, "release:b@1", (), SUMMER, False),
    "what somebody did": (PERSON, None, (Named("actor:bo", "actor"),), WINTER, True),
    "an account of the same person": (
        PERSON, None, (Named("actor:bo-elsewhere", "reviewer"),), WINTER, True),
    "what somebody else did": (PERSON, None, (Named("actor:cy", "actor"),), WINTER, False),
}  # fmt: skip


@pytest.mark.parametrize(
    ("hold", "subject", "refs", "time", "over"), OVER.values(), ids=OVER.keys()
)
def test_a_hold_is_over(
    hold: Hold, subject: str | None, refs: tuple[Named, ...], time: str, over: bool
) -> None:
    actors = ("actor:bo", "actor:bo-elsewhere") if hold.actors else ()

    assert holds_entry(hold, subject, refs, time, actors) is over


def rule(name: str, types: str, days: int) -> Rule:
    return Rule(name=name, types=types, days=days)


CHANGES: dict[str, tuple[tuple[Rule, ...], str, Rule | None, bool]] = {
    "a first rule of a hundred days": ((), "a", rule("a", "*", 100), False),
    "a first rule below three months": ((), "a", rule("a", "*", 91), True),
    "a rule for approvals below a year": ((), "a", rule("a", "approval", 365), True),
    "a rule for approvals of a year": ((), "a", rule("a", "approval", 366), False),
    "a rule shorter than a preset in force": ((PCI,), "a", rule("a", "build.*", 200), True),
    "a rule as long as a preset in force": ((PCI,), "a", rule("a", "build.*", 366), False),
    "fewer days": ((PCI,), "pci", rule("pci", "*", 365), True),
    "more days": ((BUILDS,), "builds", rule("builds", "build.*", 101), False),
    "fewer types": ((BUILDS,), "builds", rule("builds", "build.queued", 100), True),
    "an end of a preset, after which a short one is a first rule": ((PCI,), "pci", None, True),
    "an end of a rule longer than the minimum": ((rule("a", "*", 93),), "a", None, True),
    "an end of a rule of the minimum": ((rule("a", "*", 92),), "a", None, False),
    "an end of what is kept longer of approvals": (
        (rule("a", "approval", 367),), "a", None, True),
    "an end of a rule for approvals of the minimum": (
        (rule("a", "approval", 366),), "a", None, False),
    "an end of a rule that is not there": ((PCI,), "a", None, False),
    "an end that leaves a shorter one": ((PCI, BUILDS), "pci", None, True),
    "an end beside rules about others": (
        (rule("b", "build.*", 92), rule("steps", "com.example.*", 90)), "b", None, False),
    "lengthening what is still short": (
        (rule("a", "*", 10),), "a", rule("a", "*", 20), False),
}  # fmt: skip


@pytest.mark.parametrize(("rules", "name", "changed", "two"), CHANGES.values(), ids=CHANGES.keys())
def test_what_lets_things_go_sooner_takes_two_people(
    rules: tuple[Rule, ...], name: str, changed: Rule | None, two: bool
) -> None:
    why = weakened({one.name: one for one in rules}, name, changed)

    assert bool(why) is two, why


def test_every_preset_says_what_it_rests_on_and_is_no_rule_for_two_people() -> None:
    for one in PRESETS.values():
        made = rule(one.id, one.types, one.days)

        assert one.rests_on
        assert weakened({}, one.id, made) == ""
        assert one.days >= one.at_hand_days
    assert (PRESETS["pci-dss-10.5.1"].days, PRESETS["pci-dss-10.5.1"].at_hand_days) == (366, 92)
