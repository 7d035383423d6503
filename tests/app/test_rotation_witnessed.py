"""A log's key changes under a witness's eyes; proof files, archives and fsck go on with it."""

import tarfile
from pathlib import Path

import pytest

from counterfoil.app.actions import act
from counterfoil.app.fsck import fsck
from counterfoil.app.home import Home
from counterfoil.app.prove import prove
from counterfoil.app.record import LOCAL
from counterfoil.tlog.policy import Policy, parse_policy
from counterfoil.verifier.proof_verdict import check_proof_file
from tests.app import rotating as keys
from tests.app.witnessed import configure, make_home, opened, record, until, vkey_of
from tests.witnessing import WitnessProcess, witness_process


class Story:
    """A closed ledger whose key changed while a witness of ours cosigned it.

    Attributes:
        directory: the ledger.
        policy: names every key of the log, and asks for the witness.
        early: a proof file from before the change; `late`, from after it.
        told: what the witness's `logs` file says in the end.
    """

    def __init__(self, place: Path) -> None:
        self.directory = place / "foil"
        make_home(self.directory)
        first = vkey_of(self.directory)
        with witness_process(place / "w", "witness.example/w", first) as witness:
            configure(self.directory, ("audit", witness.vkey, witness.url))
            with opened(self.directory) as home:
                record(home, 0, 1, 2)
                self._seen(home, witness)
                self.early = prove(home, "default", "entry:1").content
                keys.rotate(home)
                record(home, 3)
                self._seen(home, witness)
                keys.retire(home)
                record(home, 4)
                self._seen(home, witness)
                self.late = prove(home, "default", "entry:5").content
                statuses = home.outside.witnesses.statuses("default")
                assert [(one.problem, one.alarm) for one in statuses] == [("", "")]
                given = {"project": "default"}
                text = act(home, LOCAL, "keys-list", given, "cli").policy  # type: ignore[attr-defined]
            self.told = (place / "w" / "logs").read_text("ascii")
            line = f"witness w {witness.vkey}\nquorum w\n"
            self.policy = parse_policy(text.replace("quorum none\n", line))

    def _seen(self, home: Home, witness: WitnessProcess) -> None:
        """Wait until what is published carries the witness's signature by the keys of now."""

        def met() -> bool:
            note = home.public.published("default")
            head = home.ledger.settled("default")
            return (
                note is not None
                and witness.vkey.name in note.decode()
                and home.ledger.trust("default").verify_checkpoint(note).head == head
            )

        until(met, "never cosigned")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return Story(tmp_path_factory.mktemp("witnessed"))


def test_a_witness_goes_on_with_the_later_key_and_nobody_tells_it(story: Story) -> None:
    ended, later = story.told.splitlines()

    assert ended.split(" ")[1] == "3"
    assert later == str(vkey_of(story.directory))


@pytest.mark.parametrize("when", ["early", "late"])
def test_proof_files_from_before_and_after_hold_under_one_policy(story: Story, when: str) -> None:
    """Each carries the key its checkpoint is signed by, and checks itself with that."""
    page = story.early if when == "early" else story.late
    verdict = check_proof_file(page, story.policy)

    assert verdict.findings == ()
    assert verdict.ok


def test_a_proof_file_of_a_key_nobody_trusts_is_not_taken_at_its_own_word(story: Story) -> None:
    first = Policy(tuple(log for log in story.policy.logs if log.until is not None))

    assert not check_proof_file(story.late, first).ok


def test_an_archive_of_the_log_is_followed_from_the_first_key(story: Story, tmp_path: Path) -> None:
    packed = tmp_path / "log.tar"
    with tarfile.open(packed, "w") as archive:
        archive.add(story.directory / "public" / "default", "default")
    first = next(log.key for log in story.policy.logs if log.until is not None)
    vkey = tmp_path / "first.vkey"
    vkey.write_text(f"{first}\n")

    report = keys.verified(packed, vkey=vkey)
    assert keys.found(report) == []
    assert report.logs[0].fingerprint == vkey_of(story.directory).fingerprint()


def test_fsck_knows_checkpoints_of_every_key(story: Story, tmp_path: Path) -> None:
    """Cosigned checkpoints are kept, and those of the aggregate log: some by the earlier key."""
    since = tmp_path / "kept"
    with opened(story.directory) as home:
        since.write_bytes(home.public.published("default") or b"")

    report = fsck(story.directory, full=True)
    assert [one.line() for one in report.findings] == []
    assert [one.line() for one in fsck(story.directory, since=[since]).findings] == []
