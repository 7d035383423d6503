"""The insider's clock, other forms of evidence, and what no evidence can expose.

Where nothing can, `verify` says that all holds, as docs/trust.md does.
"""

import shutil
from pathlib import Path

import pytest

from counterfoil.cli import main
from counterfoil.clock import parse_time
from counterfoil.events.entry import read_entry
from counterfoil.tlog.cosignature import cosign
from counterfoil.tlog.keys import COSIGNATURE, SignerKey
from counterfoil.tlog.note_text import parse_note
from tests.client.verifying import served
from tests.insider import (
    AGGREGATE,
    PROJECT,
    backdate,
    forged_twin,
    read_history,
    sign_history,
    write_history,
)
from tests.insider_attacks import Verify, against
from tests.insider_story import SIZE, SPLIT, Story, go_on, reopened, vkey

# Other forms of the same evidence.


def test_a_witness_tells_the_same_at_its_address(
    story: Story, forged: dict[str, Path], verify: Verify
) -> None:
    """Nobody needs its files: it hands out what it cosigned last to everybody."""
    said = verify(forged["rewrite one approval"], "--against", story.witness.url)

    assert said.code == 1
    assert said.ranges() == [("forked", 0, 20)]


@pytest.mark.parametrize("form", ["address", "archive"])
def test_a_mirror_tells_the_same_from_an_address_and_in_an_archive(
    story: Story, forged: dict[str, Path], verify: Verify, tmp_path: Path, form: str
) -> None:
    """A static mirror is a web server, or a tar on somebody's disk."""
    if form == "archive":
        packed = shutil.make_archive(str(tmp_path / "mirror"), "tar", story.kept, "mirror")
        said = verify(forged["rewrite one approval"], "--against", packed)
    else:
        with served(story.kept) as url:
            said = verify(forged["rewrite one approval"], "--against", f"{url}/mirror")

    assert said.code == 1
    assert said.ranges() == [("forked", 5, 5)]


def test_one_server_names_what_the_other_one_shows_otherwise(
    story: Story, forged: dict[str, Path], verify: Verify
) -> None:
    """Two directories of one ledger, held against each other with all their logs."""
    said = verify(story.directory, "--against", forged["run two servers"])

    assert said.code == 1
    assert set(said.ranges()) == {("forked", 16, 20)}


def test_a_checkpoint_of_more_entries_says_that_it_cannot_say_more(
    story: Story, forged: dict[str, Path], verify: Verify
) -> None:
    """One entry was deleted and all behind it moved; one signed root shows that one is missing."""
    said = verify(forged["delete one entry"], "--against", story.kept / "checkpoint")

    missing, among = said.report["findings"]
    assert (missing["first"], missing["last"], among["first"], among["last"]) == (20, 20, 0, 19)
    assert "whether they are the same" in among["message"]


def test_a_checkpoint_of_the_aggregate_alone_says_that_the_aggregate_was_rewritten(
    story: Story, forged: dict[str, Path], verify: Verify
) -> None:
    """It names entries of the aggregate; which log they are of, takes a copy to say."""
    kept = story.kept / "aggregate" / "checkpoint"
    said = verify(forged["rewrite one approval"], "--against", kept)

    assert said.code == 1
    assert said.ranges(f"public/{AGGREGATE}") == [("forked", 0, 4)]
    assert said.ranges() == []


def test_an_aggregate_log_that_was_taken_away_still_speaks_from_elsewhere(
    story: Story, forged: dict[str, Path], verify: Verify, tmp_path: Path
) -> None:
    """Its copy is checked under the key in the policy; nothing of it has to be here."""
    directory = forged_twin(forged["rewrite one approval"], tmp_path / "forged")
    shutil.rmtree(directory / "public" / AGGREGATE)
    for path in (*directory.glob("aggregate.db*"), *directory.glob(f"keys/{AGGREGATE}.*")):
        path.unlink()
    policy = tmp_path / "policy"
    logs = [vkey(story.directory, log) for log in (PROJECT, AGGREGATE)]
    policy.write_text("".join(f"log {one}\n" for one in logs) + "quorum none\n")

    said = verify(directory, "--trust", policy, "--against", story.kept / "aggregate")

    assert said.code == 1
    assert said.ranges() == [("forked", 4, 9), ("forked", 10, 20)]


def test_a_policy_that_asks_for_a_witness_believes_no_history_the_witness_has_not_seen(
    story: Story, forged: dict[str, Path], verify: Verify, tmp_path: Path
) -> None:
    """Then no file needs to be kept at all: the witness's key is enough."""
    policy = tmp_path / "policy"
    policy.write_text(
        f"log {vkey(story.directory, PROJECT)}\nwitness audit {story.witness.vkey}\nquorum audit\n"
    )
    assert verify(story.directory, "--trust", policy).code == 0

    for name in ("rewrite one approval", "run two servers"):
        said = verify(forged[name], "--trust", policy)
        assert said.code == 1
        [found] = said.report["findings"]
        assert (found["object"], found["first"], found["last"]) == (
            f"public/{PROJECT}/checkpoint", 0, 20,
        )  # fmt: skip
        assert "quorum" in found["message"]


@pytest.mark.parametrize("what", ["nothing at all", "a witness of another log"])
def test_what_is_no_evidence_of_a_log_here_is_a_mistake_of_the_caller(
    story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    """Exit 2 and one line: silence would pass for "it holds"."""
    given = tmp_path / "given"
    given.mkdir()
    if what != "nothing at all":
        (given / "seen").mkdir()
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(story.directory), "--against", str(given)])

    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


# The clock.


def test_an_entry_that_claims_to_be_older_than_one_before_it_is_named(
    story: Story, tmp_path: Path, verify: Verify
) -> None:
    """With all the keys: the order of entries and their times have to agree."""
    directory = forged_twin(story.directory, tmp_path / "forged")
    lines = read_history(directory)
    early = "2026-11-01T00:00:00.000Z"
    lines[SPLIT] = backdate(lines[SPLIT], early)
    write_history(directory, lines)
    sign_history(directory)

    said = verify(directory)

    assert said.code == 1
    assert said.ranges("ledger.db entries row") == [("damaged", SPLIT, SPLIT)]
    assert early in said.report["findings"][0]["message"]


def test_under_a_clock_that_was_set_back_recorded_times_stand_still(
    story: Story, tmp_path: Path, verify: Verify
) -> None:
    """Then the entries are true and their times are not, and no evidence from before can tell."""
    directory = forged_twin(story.directory, tmp_path / "forged")
    with reopened(directory, "2026-11-02T00:00:00.000Z") as home:
        go_on(home, SIZE, SIZE + 2)

    times = [read_entry(line.entry).recordedtime for line in read_history(directory)]
    assert times[-3:] == [times[-3]] * 3
    for kind in ("a checkpoint", "a witness", "the aggregate log", "a mirror", "the very receipt"):
        assert verify(directory, *against(story, "", kind)).code == 0


@pytest.mark.parametrize(
    ("name", "notes"), [("roll the clock back", 1), ("", 0)], ids=["back-dated", "honest"]
)
def test_a_witness_that_was_trusted_says_which_entries_came_after_it_looked(
    story: Story, forged: dict[str, Path], verify: Verify, tmp_path: Path, name: str, notes: int
) -> None:
    """It saw ten entries at ten o'clock: what claims to be from nine, and is the eleventh, is not."""
    witness = SignerKey.from_seed("witness.example/other", bytes(32), COSIGNATURE)
    note = (story.kept / "earlier checkpoint").read_bytes()
    looked_s = int(parse_time("2026-11-02T10:00:00Z").timestamp())
    kept = tmp_path / "cosigned"
    kept.write_bytes(note + cosign(witness, parse_note(note).text, looked_s))
    policy = tmp_path / "policy"
    policy.write_text(
        f"log {vkey(story.directory, PROJECT)}\nwitness other {witness.vkey}\nquorum none\n"
    )

    said = verify(forged.get(name, story.directory), "--trust", policy, "--against", kept)

    told = [line for line in said.report["notes"] if "back-dated" in line]
    assert (said.code, len(told)) == (0, notes)
    assert all("entries 10 to 14" in line and "before other saw" in line for line in told)


# What none of them can expose.


def test_what_was_recorded_after_the_last_look_and_cut_off_again_shows_to_nobody(
    story: Story, tmp_path: Path, verify: Verify
) -> None:
    """Evidence speaks up to its own size; what nobody outside was shown, nobody misses."""
    directory = forged_twin(story.directory, tmp_path / "ledger")
    with reopened(directory, "2026-11-10T00:00:00.000Z") as home:
        go_on(home, SIZE, SIZE + 3)
    write_history(directory, read_history(directory)[:SIZE])
    sign_history(directory)

    for kind in ("a checkpoint", "a witness", "the aggregate log", "a mirror", "the very receipt"):
        assert verify(directory, *against(story, "", kind)).code == 0


def test_two_servers_are_exposed_by_neither_side_alone(
    story: Story, forged: dict[str, Path], verify: Verify
) -> None:
    """Whoever only ever talks to one of them is shown one history; it takes two who compare."""
    other = forged["run two servers"]

    for log in (PROJECT, AGGREGATE):
        assert verify(other, "--against", other / "public" / log).code == 0
    assert verify(story.directory, "--against", story.kept / "mirror").code == 0
