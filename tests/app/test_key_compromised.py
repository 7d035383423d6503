"""A signing key in other hands: docs/how-to/keys.md, step by step, with a thief who uses it.

The thief has a copy of the whole directory, key included, as it stood after three entries, and
goes on from there.  Two honest entries are recorded before anybody knows.
"""

import shutil
from pathlib import Path

import pytest

from counterfoil.app.actions import act
from counterfoil.app.record import LOCAL
from counterfoil.client.evidence import verify_path
from counterfoil.clock import SteppedClock
from counterfoil.errors import RequestError
from counterfoil.events.entry import read_entry
from counterfoil.tlog.keys import parse_vkey
from counterfoil.tlog.policy import parse_policy
from counterfoil.tlog.receipt import parse_receipt
from counterfoil.verifier.report import ReceiptVerdict
from tests.app import rotating as keys


class Story:
    """What everybody holds in the end.

    Attributes:
        ledger: the honest directory, its key changed and the earlier one given up from size 3 on.
        thief: the thief's directory: two entries of their own, then a hand-over to their own key.
        forked: the thief's exported log before that hand-over.
        kept: honest receipts by name, as they were got: one to three before the theft.
        again: the receipts of four and five, got again after step 3.
        false: the thief's receipt of an entry that never was.
        first: the verifier key everybody knew.
        policy: what step 4 hands out.
        small: the thief's receipt of another entry in the place of the second, signed today.
        short: the thief's exported log of two entries, the second another one.
    """

    def __init__(self, place: Path) -> None:
        self.ledger = keys.make(place / "foil")
        self.kept: dict[str, Path] = {}
        home = keys.opened(self.ledger)
        self._keep(place, keys.record(home, "one", "two", "three"), "one", "two", "three")
        home.close()
        self.first = Path(shutil.copy(self.ledger / "keys" / "default.vkey", place / "first.vkey"))
        self.thief = keys.copied(self.ledger, place / "thief")
        self.thief_keys = Path(shutil.copytree(self.ledger / "keys", place / "stolen"))
        home = keys.opened(self.ledger, "goes on")
        self._keep(place, keys.record(home, "four", "five"), "four", "five")
        self._steal(place)
        # Steps 2 and 3 of the page: another key, then what the stolen one is believed for.
        keys.rotate(home, reason="the key was in a stolen backup")
        assert keys.retire(home, compromised=True, since="3", reason="stolen") == 3
        self.again = {
            name: self._write(place / f"{name}.again", home.ledger.receipt("default", index))
            for index, name in enumerate(("one", "two", "three", "four", "five"))
        }
        given = {"project": "default"}
        text = act(home, LOCAL, "keys-list", given, "cli").policy  # type: ignore[attr-defined]
        self.policy = self._write(place / "policy", text.encode())
        home.close()
        self._rewrite(place)

    def _rewrite(self, place: Path) -> None:
        """Sign a smaller log of another history with the stolen key, long after it was retired."""
        log = keys.make(place / "small")
        for suffix in ("key", "vkey"):
            shutil.copy(self.thief_keys / f"default.{suffix}", log / "keys" / f"default.{suffix}")
        home = keys.opened(log, "the thief again")
        [_, receipt] = keys.record(home, "one", "another two")
        home.ledger.export_now()
        home.close()
        self.small = self._write(place / "small.tlog-proof", receipt)
        self.short = log / "public" / "default"

    def _keep(self, place: Path, receipts: list[bytes], *names: str) -> None:
        for name, receipt in zip(names, receipts, strict=True):
            self.kept[name] = self._write(place / f"{name}.tlog-proof", receipt)

    def _steal(self, place: Path) -> None:
        home = keys.opened(self.thief, "the thief")
        [receipt, _] = keys.record(home, "never was", "nor this")
        home.ledger.export_now()
        self.false = self._write(place / "false.tlog-proof", receipt)
        self.forked = place / "forked"
        shutil.copytree(self.thief / "public" / "default", self.forked)
        keys.rotate(home)
        keys.retire(home)
        keys.record(home, "signed by the thief's own key alone")
        home.close()

    def _write(self, path: Path, data: bytes) -> Path:
        path.write_bytes(data)
        return path


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return Story(tmp_path_factory.mktemp("stolen"))


def codes(receipt: Path, trust: Path | None = None, vkey: Path | None = None) -> list[str]:
    """Return the codes in the findings of a receipt."""
    verdict = verify_path(str(receipt), trust=trust, vkey=vkey)
    assert isinstance(verdict, ReceiptVerdict)
    return [one.message.rpartition("[")[2].rstrip("]") for one in verdict.findings]


def test_step_0_before_anybody_knows_the_thief_is_believed(story: Story) -> None:
    """With the key alone nothing tells the two histories apart: what was kept elsewhere does."""
    assert codes(story.false, vkey=story.first) == []
    assert keys.found(keys.verified(story.forked, vkey=story.first)) == []
    assert keys.found(keys.verified(story.thief / "public" / "default", vkey=story.first)) == []


@pytest.mark.parametrize("name", ["four", "five"])
def test_step_1_one_receipt_kept_elsewhere_names_the_fork(story: Story, name: str) -> None:
    against = (str(story.kept[name]),)
    for log in (story.forked, story.thief / "public" / "default"):
        report = keys.verified(log, vkey=story.first, against=against)
        assert {one.klass for one in report.findings} == {"forked"}


def test_step_1_the_two_directories_name_where_they_part(story: Story) -> None:
    report = keys.verified(story.ledger, vkey=story.first, against=(str(story.forked),))

    assert {one.klass for one in report.findings} == {"forked"}


def test_step_3_the_ledger_is_whole_and_says_up_to_where_the_stolen_key_is_believed(
    story: Story,
) -> None:
    report = keys.verified(story.ledger)

    assert keys.found(report) == []
    assert any("is believed alone up to 3 entries" in note for note in report.notes)


def test_step_4_the_policy_gives_the_stolen_key_no_more_than_that(story: Story) -> None:
    trust = parse_policy(story.policy.read_bytes())

    assert [(log.key == keys.vkey(story.ledger), log.until) for log in trust.logs] == [(True, None)]


def test_step_4_what_the_thief_signs_over_few_entries_is_refused(story: Story) -> None:
    """The moment of a signature is nowhere in it: a stolen key signs small sizes for ever."""
    assert codes(story.small, trust=story.policy) == ["key_unknown"]
    [finding] = keys.verified(story.short, trust=story.policy).findings
    assert (finding.klass, finding.object) == ("damaged", "checkpoint")


def test_a_small_log_by_a_retired_key_is_refused_without_the_hand_over(
    story: Story, tmp_path: Path
) -> None:
    """Nobody knows of this theft: the policy names the key as one that was given up in order."""
    first = story.first.read_text("ascii").strip()
    in_force = f"log {keys.vkey(story.ledger)}"
    trust = keys.policy(tmp_path / "policy", in_force, f"retired {first} 3")

    for evidence in (story.short, story.short.parent.parent):
        report = keys.verified(evidence, trust=trust, project="default")
        messages = [one.message for one in report.findings if one.klass == "forked"]
        assert any("nothing here leads to its hand-over" in one for one in messages), evidence
        assert any(parse_vkey(first).fingerprint()[:16] in one for one in messages)
    assert keys.found(keys.verified(story.ledger, trust=trust, project="default")) == []


@pytest.mark.parametrize("name", ["one", "two", "three"])
def test_step_4_receipts_from_before_the_theft_stand_beside_the_log(
    story: Story, name: str
) -> None:
    against = (str(story.kept[name]),)

    report = keys.verified(story.ledger, trust=story.policy, project="default", against=against)
    assert keys.found(report) == []
    against = (str(story.small),)
    report = keys.verified(story.ledger, trust=story.policy, project="default", against=against)
    assert {one.klass for one in report.findings} == {"forked"}


@pytest.mark.parametrize("name", ["one", "two", "three", "four", "five"])
def test_step_4_receipts_by_the_stolen_key_are_refused_by_themselves_and_got_again(
    story: Story, name: str
) -> None:
    """They look like what the thief could make; the entries are the log's all the same."""
    assert codes(story.kept[name], trust=story.policy) == ["key_unknown"]
    assert codes(story.again[name], trust=story.policy) == []
    assert (
        parse_receipt(story.again[name].read_bytes()).extra
        == parse_receipt(story.kept[name].read_bytes()).extra
    )


def test_step_4_what_the_thief_signed_is_refused_in_every_form(story: Story) -> None:
    assert codes(story.false, trust=story.policy) == ["key_unknown"]
    [finding] = keys.verified(story.forked, trust=story.policy).findings
    assert (finding.klass, finding.object) == ("damaged", "checkpoint")
    [finding] = keys.verified(story.thief / "public" / "default", trust=story.policy).findings
    assert (finding.klass, finding.object) == ("damaged", "checkpoint")
    assert "no trusted key" in finding.message
    checkpoint = str(story.forked / "checkpoint")
    report = keys.verified(
        story.ledger, trust=story.policy, project="default", against=(checkpoint,)
    )
    assert [one.klass for one in report.findings] == ["forked"]
    assert "was retired" in report.findings[0].message


def test_step_4_a_thief_who_handed_over_first_is_not_followed_from_the_key_in_force(
    story: Story,
) -> None:
    """From the stolen key alone, two hand-overs are two truths: so the later key is handed out."""
    report = keys.verified(story.thief, trust=story.policy, project="default")

    assert {one.klass for one in report.findings} >= {"damaged"}
    assert any("no trusted key" in one.message for one in report.findings)


def test_a_moment_stands_for_the_entries_recorded_before_it(tmp_path: Path) -> None:
    home = keys.opened(keys.make(tmp_path / "foil"))
    clock = home.clock
    assert isinstance(clock, SteppedClock)
    try:
        for name in ("one", "two", "three"):
            keys.record(home, name)
            clock.step(60)
        keys.rotate(home)
        [entry] = home.log.entries("default", 2, 3)
        since = read_entry(entry).recordedtime

        with pytest.raises(RequestError, match="says nothing"):
            keys.retire(home, compromised=True, since="4")
        with pytest.raises(RequestError, match="no size and no time"):
            keys.retire(home, compromised=True, since="yesterday")
        assert keys.retire(home, compromised=True, since=since) == 2
        assert keys.retire(home, compromised=True, since="1") == 1, "it turns out to be worse"
        with pytest.raises(RequestError, match="says nothing"):
            keys.retire(home, compromised=True, since="2")
    finally:
        home.close()
    assert keys.found(keys.verified(tmp_path / "foil")) == []


@pytest.mark.parametrize("overlapping", [True, False])
def test_a_key_stolen_after_it_handed_over_is_in_no_policy(
    overlapping: bool, tmp_path: Path
) -> None:
    """It is believed for all it signed, and a thief signs the same sizes again."""
    with keys.opened(keys.make(tmp_path / "foil")) as home:
        keys.record(home, "one", "two")
        first = keys.vkey(home.directory)
        keys.rotate(home)
        if not overlapping:
            keys.retire(home)
        listed = act(home, LOCAL, "keys-list", {"project": "default"}, "cli")
        assert str(first) in listed.policy  # type: ignore[attr-defined]

        assert keys.retire(home, compromised=True, since="2") == 2
        listed = act(home, LOCAL, "keys-list", {"project": "default"}, "cli")
        assert str(first) not in listed.policy  # type: ignore[attr-defined]
        assert [one.compromised for one in listed.keys] == [False, True]  # type: ignore[attr-defined]
    assert keys.found(keys.verified(tmp_path / "foil")) == []
