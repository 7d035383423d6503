"""A log's key changes while it serves: who signs what, and what every reader of it is told."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app.actions import act
from counterfoil.app.home import Home
from counterfoil.app.key_files import KeyFolder
from counterfoil.app.record import LOCAL
from counterfoil.errors import EvidenceError, RequestError
from counterfoil.events.event import make_event
from counterfoil.tlog.checkpoint import parse_checkpoint, sign_checkpoint
from counterfoil.tlog.keys import SignerKey, parse_vkey
from counterfoil.tlog.note import parse_note
from counterfoil.tlog.policy import Policy, parse_policy
from counterfoil.tlog.receipt import parse_receipt
from counterfoil.tlog.tree import TreeHead
from counterfoil.verifier.receipt import check_receipt
from tests.app import rotating as keys


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> "Changed":
    return Changed(tmp_path_factory.mktemp("changed"))


class Changed:
    """A closed ledger whose key changed twice: after 3 entries, and after 8.

    Attributes:
        directory: the ledger.
        receipts: of entries by name, as they were got.
        trust: file of the first, second and third verifier key.
        early: the exported log while the first key's overlap lasted.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        self.directory = keys.make(place / "foil")
        self.receipts: dict[str, bytes] = {}
        self.vkeys: list[Path] = []
        self.stolen = keys.signer(self.directory)
        home = keys.opened(self.directory)
        try:
            self._note(home, "one", "two", "three")
            self._key("first.vkey")
            keys.rotate(home, reason="the yearly change")
            self._note(home, "four", "five")
            home.ledger.export_now()
            self.early = place / "early"
            shutil.copytree(self.directory / "public" / "default", self.early)
            keys.retire(home)
            self._note(home, "six")
            self._key("second.vkey")
            keys.rotate(home)
            keys.retire(home)
            self._note(home, "seven")
            self._key("third.vkey")
        finally:
            home.close()

    def _note(self, home: Home, *names: str) -> None:
        for name, receipt in zip(names, keys.record(home, *names), strict=True):
            self.receipts[name] = receipt

    def _key(self, name: str) -> None:
        path = self.place / name
        shutil.copy(self.directory / "keys" / "default.vkey", path)
        self.vkeys.append(path)

    def signers(self, name: str) -> tuple[str, ...]:
        """Return who signed the checkpoint of a receipt: "first", "second", "third"."""
        known = {
            parse_vkey(path.read_text("ascii").strip()).key_id: path.stem for path in self.vkeys
        }
        note = parse_note(parse_receipt(self.receipts[name]).checkpoint)
        return tuple(known[line.key_id] for line in note.signatures)


def test_both_keys_sign_until_the_earlier_one_is_retired(changed: Changed) -> None:
    assert {name: changed.signers(name) for name in changed.receipts} == {
        **dict.fromkeys(("one", "two", "three"), ("first",)),
        **dict.fromkeys(("four", "five"), ("first", "second")),
        "six": ("second",),
        "seven": ("third",),
    }


def test_a_ledger_with_its_keys_changed_is_whole_and_says_which_follows_which(
    changed: Changed,
) -> None:
    report = keys.verified(changed.directory)

    assert keys.found(report) == []
    said = [note for note in report.notes if "hands over" in note]
    assert [note.split(" signs up to ")[1].split(" entries")[0] for note in said] == ["3", "8"]
    lines = (changed.directory / "keys" / "default.vkeys.old").read_text("ascii").splitlines()
    assert [line.split(" ")[1] for line in lines] == ["3", "8"]


@pytest.mark.parametrize("number", [0, 1, 2], ids=["first", "second", "third"])
@pytest.mark.parametrize("form", ["ledger", "log"])
def test_whoever_knows_one_of_the_keys_can_follow_them_all(
    changed: Changed, number: int, form: str, tmp_path: Path
) -> None:
    """The log alone leads from the first key to the last, and back."""
    target = changed.directory if form == "ledger" else changed.directory / "public" / "default"
    receipt = tmp_path / "kept.tlog-proof"
    receipt.write_bytes(changed.receipts["two"])
    report = keys.verified(
        target, vkey=changed.vkeys[number], project="default" if form == "ledger" else None,
        against=(str(receipt),),
    )  # fmt: skip

    assert keys.found(report) == []
    assert report.logs[0].fingerprint == keys.vkey(changed.directory).fingerprint()
    assert sum("hands over" in note for note in report.notes) == 2


def test_who_knows_only_the_earlier_key_still_reads_an_overlap(changed: Changed) -> None:
    """A program that cannot follow keys sees a signature that it knows, and passes over one."""
    note = (changed.early / "checkpoint").read_bytes()
    first = parse_vkey(changed.vkeys[0].read_text("ascii").strip())

    assert Policy.for_vkey(first).verify_checkpoint(note).size == 6


def test_receipts_of_earlier_keys_stay_good_under_a_policy_that_names_them(
    changed: Changed,
) -> None:
    home = keys.opened(changed.directory)
    try:
        text = act(home, LOCAL, "keys-list", {"project": "default"}, "cli").policy  # type: ignore[attr-defined]
    finally:
        home.close()
    trust = parse_policy(text)

    assert [line.split(" ")[0] for line in text.splitlines()] == [
        "log",
        "retired",
        "retired",
        "quorum",
    ]
    verdicts = {name: check_receipt(one, trust) for name, one in changed.receipts.items()}
    assert {name: one.findings for name, one in verdicts.items() if one.findings} == {}


def test_a_receipt_by_a_later_key_is_refused_where_only_the_first_is_trusted(
    changed: Changed,
) -> None:
    """Nobody is told to trust a key because a receipt carries its signature."""
    first = Policy.for_vkey(parse_vkey(changed.vkeys[0].read_text("ascii").strip()))
    [finding] = check_receipt(changed.receipts["seven"], first).findings

    assert finding.message.endswith("[key_unknown]")


@pytest.mark.parametrize("named", ["by the log", "by the policy"])
def test_a_checkpoint_signed_by_a_retired_key_beyond_its_last_size_is_refused(
    changed: Changed, named: str, tmp_path: Path
) -> None:
    first = changed.vkeys[0].read_text("ascii").strip()
    forged = tmp_path / "forged"
    forged.write_bytes(sign_checkpoint(keys.ORIGIN, TreeHead(5, b"\7" * 32), changed.stolen))
    if named == "by the log":
        report = keys.verified(
            changed.directory / "public" / "default", vkey=changed.vkeys[2], against=(str(forged),)
        )
        assert [one.klass for one in report.findings] == ["forked"]
        assert "was retired" in report.findings[0].message
        return
    trust = parse_policy(f"retired {first} 3\nquorum none\n")
    with pytest.raises(EvidenceError, match="vouches for 3 and no more") as error:
        trust.verify_checkpoint(forged.read_bytes())
    assert error.value.code == "key_retired"


def test_an_exported_log_rewritten_by_a_retired_key_is_a_fork(
    changed: Changed, tmp_path: Path
) -> None:
    """The thief of an earlier key has the log go on from before it was handed over, or after."""
    log = tmp_path / "log"
    shutil.copytree(changed.early, log)
    note = (log / "checkpoint").read_bytes()
    head = Policy.for_vkey(changed.stolen.vkey).verify_checkpoint(note).head
    (log / "checkpoint").chmod(0o644)
    (log / "checkpoint").write_bytes(sign_checkpoint(keys.ORIGIN, head, changed.stolen))

    report = keys.verified(log, vkey=changed.vkeys[0])
    assert [(one.klass, one.object) for one in report.findings] == [("forked", "checkpoint")]


def test_a_key_nobody_handed_over_to_is_refused_by_name(changed: Changed, tmp_path: Path) -> None:
    log = tmp_path / "log"
    shutil.copytree(changed.early, log)
    head = TreeHead(6, parse_checkpoint_root(log))
    stranger = SignerKey.from_seed(keys.ORIGIN, b"m" * 32)
    (log / "checkpoint").chmod(0o644)
    (log / "checkpoint").write_bytes(sign_checkpoint(keys.ORIGIN, head, stranger))

    [finding] = keys.verified(log, vkey=changed.vkeys[0]).findings
    assert finding.klass == "damaged"
    assert "no trusted key" in finding.message


def parse_checkpoint_root(log: Path) -> bytes:
    """Return the root that an exported log is signed over."""
    return parse_checkpoint(parse_note((log / "checkpoint").read_bytes()).text).root


def test_a_second_change_waits_for_the_end_of_the_first(tmp_path: Path) -> None:
    home = keys.opened(keys.make(tmp_path / "foil"))
    try:
        keys.rotate(home)
        with pytest.raises(RequestError, match="still signs") as error:
            keys.rotate(home)
        assert error.value.code == "key_refused"
        keys.retire(home)
        assert keys.rotate(home) == 2
    finally:
        home.close()


def test_the_source_of_key_events_is_the_ledgers_own(tmp_path: Path) -> None:
    """Else whoever may record could take the place of the entry that hands the log over."""
    home = keys.opened(keys.make(tmp_path / "foil"))
    try:
        event = make_event(
            type="dev.cdeventsx.counterfoil-key.rotated.0.1.0", source="urn:counterfoil:keys",
            id="rotated/x", time="2026-11-20T14:00:00Z", authtype="user", authid="x",
        )  # fmt: skip
        with pytest.raises(RequestError, match="this ledger's own") as error:
            home.recorder.record("default", [event], LOCAL, "cli")
        assert error.value.code == "not_allowed"
    finally:
        home.close()


STEPS = ("put_later", "put_old", "put_earlier", "put_signer", "put_vkey", "drop_later")


def test_a_change_killed_at_any_step_leaves_a_ledger_that_opens_and_signs(tmp_path: Path) -> None:
    """The entry decides which key is in force, and the next start brings the files to it."""
    directory = keys.make(tmp_path / "foil")
    home = keys.opened(directory)
    moments: list[str] = []

    def keep(moment: str) -> None:
        moments.append(moment)
        keys.copied(directory, tmp_path / moment)

    keys.record(home, "one", "two")
    first = keys.vkey(directory)
    committing = home.recorder.record_last

    def about_to_commit(*given: Any, **more: Any) -> int:
        keep("before the entry")
        return committing(*given, **more)

    home.recorder.record_last = about_to_commit  # type: ignore[method-assign]
    undo = keys.at_each_step(KeyFolder, STEPS, keep)
    try:
        keys.rotate(home)
        keep("the end")
    finally:
        undo()
        home.close()

    after = [f"before {name}" for name in STEPS[1:]]
    assert moments == ["before put_later", "before the entry", *after, "the end"]
    for moment in moments:
        left = tmp_path / moment
        again = keys.opened(left, seed=moment)
        try:
            [receipt] = keys.record(again, "later")
            current = again.ledger.vkey("default")
        finally:
            again.close()
        handed = moment not in {"before put_later", "before the entry"}
        assert (current != first) == handed, moment
        assert keys.vkey(left) == current == keys.signer(left).vkey, moment
        assert not (left / "keys" / "default.later.key").exists(), moment
        assert (left / "keys" / "default.earlier.key").exists() == handed, moment
        note = parse_note(parse_receipt(receipt).checkpoint)
        assert len(note.signatures) == 1 + handed, moment
        assert keys.found(keys.verified(left)) == [], moment
