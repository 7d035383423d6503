"""The aggregate log: every log's growth in one, each step proved, and nothing taken on trust."""

import shutil
from pathlib import Path

import pytest

from counterfoil.app import outside
from counterfoil.app.founding import create_home
from counterfoil.app.home import Home
from counterfoil.app.record import LOCAL
from counterfoil.client.evidence import verify_path
from counterfoil.errors import EvidenceError, UnavailableError
from counterfoil.ids import SystemRandomness
from counterfoil.tlog.checkpoint import sign_checkpoint
from counterfoil.tlog.entries import read_bundle, write_bundle
from counterfoil.tlog.keys import SignerKey, parse_signer_key
from counterfoil.tlog.tree import TreeHead, leaf_hash
from counterfoil.tlog.witness import parse_add_checkpoint
from counterfoil.verifier.aggregate import AGGREGATE, AggregateCheck
from counterfoil.verifier.report import Findings, Report
from tests.app.witnessed import make_home, opened, record, until, vkey_of
from tests.client.verifying import served
from tests.ledgers import make_sample
from tests.web_server import running
from tests.witnessing import GrowingLog

LOG = GrowingLog()
FORK = GrowingLog(story="another")
STRANGER = GrowingLog("log.example/stranger")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    make_home(tmp_path / "ledger")
    return tmp_path / "ledger"


def report(directory: Path, **options: object) -> Report:
    found = verify_path(str(directory), **options)  # type: ignore[arg-type]
    assert isinstance(found, Report)
    return found


def written(home: Home) -> int:
    aggregate = home.outside.aggregate
    assert aggregate is not None
    return aggregate.ledger.status(AGGREGATE).size


def write(home: Home) -> int:
    aggregate = home.outside.aggregate
    assert aggregate is not None
    return aggregate.write(home.outside._sources)


def classes(found: Report) -> set[str]:
    return {one.klass for one in found.findings}


def test_every_project_that_grew_makes_one_entry(directory: Path) -> None:
    create_home(directory, SystemRandomness(), project="other", origin="log.example/other")
    with opened(directory) as home:
        record(home, 0, 1)
        assert write(home) == 1
        assert write(home) == 0, "nothing grew"
        record(home, 2)
        home.recorder.record("other", [make_sample(0)], LOCAL, "cli")
        assert write(home) == 2
    with opened(directory) as home:
        record(home, 3)
        assert write(home) == 1, "what is on record is read back after a restart"

    found = report(directory)
    assert found.ok, found.findings
    assert found.checked["aggregated_checkpoints"] == 4
    assert [log.project for log in found.logs] == ["_access", "default", "other", AGGREGATE]


def test_a_clean_end_writes_down_what_the_logs_ended_with(directory: Path) -> None:
    with opened(directory) as home:
        record(home, 0)

    with opened(directory) as home:
        assert written(home) == 1


def test_it_is_written_by_itself(directory: Path) -> None:
    (directory / "counterfoil.toml").write_text("[aggregate]\ninterval_s = 1\n")
    with opened(directory) as home:
        record(home, 0)
        until(lambda: written(home) == 1, "nobody wrote it")


def test_a_log_that_was_put_back_is_contradicted_by_the_aggregate(directory: Path) -> None:
    with opened(directory) as home:
        record(home, 0, 1)
    older = directory.with_name("older")
    shutil.copytree(directory, older)
    with opened(directory) as home:
        record(home, 2, 3)
    for name in ("ledger.db", "erasable.db", "public/default"):
        _put_back(older / name, directory / name)

    found = report(directory)

    assert classes(found) == {"missing"}
    assert [(one.first, one.last) for one in found.findings] == [(2, 3)]
    with opened(directory) as home:
        record(home, 9)
        with pytest.raises(EvidenceError) as refusal:
            write(home)
        assert refusal.value.code == "forked"
        assert written(home) == 2, "what does not extend is not written"


def _put_back(source: Path, target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)


def test_a_log_rewritten_with_its_key_is_forked_from_what_the_aggregate_holds(
    directory: Path, tmp_path: Path
) -> None:
    with opened(directory) as home:
        record(home, 0, 1)
    twin = tmp_path / "twin"
    create_home(twin, SystemRandomness(), origin="log.example/shop")
    for name in ("default.key", "default.vkey"):
        shutil.copy2(directory / "keys" / name, twin / "keys" / name)
    with opened(twin) as home:
        record(home, 7, 8)
    for name in ("ledger.db", "erasable.db", "public/default"):
        _put_back(twin / name, directory / name)

    assert classes(report(directory)) == {"forked"}


def test_a_policy_that_does_not_name_it_leaves_it_alone_and_says_so(directory: Path) -> None:
    with opened(directory) as home:
        record(home, 0)
    policy = directory.parent / "policy"
    policy.write_text(f"log {vkey_of(directory)}\nquorum none\n")

    found = report(directory, trust=policy)

    assert found.ok
    assert any("the policy does not name" in note for note in found.notes)
    policy.write_text(
        f"log {vkey_of(directory)}\nlog {vkey_of(directory, AGGREGATE)}\nquorum none\n"
    )
    named = report(directory, trust=policy)
    assert named.ok, named.findings
    assert named.checked["aggregated_checkpoints"] == 1


@pytest.mark.parametrize("promise", ["its key", "the policy"])
def test_an_aggregate_log_that_was_taken_away_is_missing(
    directory: Path, tmp_path: Path, promise: str
) -> None:
    """Without it, nothing here contradicts a log that was put back."""
    with opened(directory) as home:
        record(home, 0)
    policy = tmp_path / "policy"
    keys = [vkey_of(directory, log) for log in ("default", AGGREGATE)]
    policy.write_text("".join(f"log {key}\n" for key in keys) + "quorum none\n")
    shutil.rmtree(directory / "public" / AGGREGATE)
    for path in directory.glob("aggregate.db*"):
        path.unlink()
    if promise == "the policy":
        (directory / "keys" / f"{AGGREGATE}.vkey").unlink()

    found = report(directory, trust=policy if promise == "the policy" else None)

    assert [(one.klass, one.object) for one in found.findings] == [
        ("missing", "aggregate.db"), ("missing", f"public/{AGGREGATE}/checkpoint"),
    ]  # fmt: skip


def test_a_ledger_that_has_not_looked_at_its_logs_yet_is_whole(directory: Path) -> None:
    """Never started it has no aggregate log; killed before the first look, an empty one."""
    assert report(directory).ok
    (directory / "counterfoil.toml").write_text("[aggregate]\ninterval_s = 86400\n")
    with opened(directory):
        twin = Path(shutil.copytree(directory, directory.parent / "killed"))

    assert (twin / "aggregate.db").exists()
    assert report(twin).ok
    shutil.rmtree(twin / "public" / AGGREGATE)  # as it is before its first export
    assert report(twin).ok


def test_a_stranger_checks_it_from_an_address_and_as_static_files(directory: Path) -> None:
    with opened(directory) as home:
        record(home, 0)
        write(home)
        record(home, 1)
    key = directory / "keys" / f"{AGGREGATE}.vkey"
    with served(directory / "public") as url:
        found = verify_path(f"{url}/{AGGREGATE}", vkey=key)

    assert isinstance(found, Report)
    assert found.ok, found.findings
    assert found.size == 2
    assert any("1 of 1 aggregated logs" in note for note in found.notes)


def test_it_is_served_as_a_log_of_its_own_to_everybody(tmp_path: Path) -> None:
    with running(tmp_path / "ledger") as web:
        web.call("POST", "/v1/events", make_sample(0).to_json())
        assert write(web.home) == 1
        for path in ("checkpoint", "tile/0/000.p/1", "tile/entries/000.p/1"):
            assert web.call("GET", f"/log/{AGGREGATE}/{path}", token=None).status == 200
        assert web.call("GET", f"/v1/runs?project={AGGREGATE}").status in {400, 404}
        key = web.directory / "keys" / f"{AGGREGATE}.vkey"
        found = verify_path(f"http://127.0.0.1:{web.port}/log/{AGGREGATE}", vkey=key)

    assert isinstance(found, Report)
    assert found.ok, found.findings


def test_an_aggregate_that_does_not_hold_stops_nobody_from_recording(directory: Path) -> None:
    with opened(directory) as home:
        record(home, 0)
    (directory / "aggregate.db").write_bytes(b"rubble" * 2_000)

    with opened(directory) as home:
        record(home, 1)
        assert home.outside.aggregate is None
        assert "damaged" in home.outside.aggregate_problem


@pytest.mark.parametrize("exported", [True, False], ids=["its export is there", "nothing is left"])
def test_a_removed_aggregate_is_not_begun_anew_under_its_key(
    directory: Path, exported: bool
) -> None:
    """It would be a second history: what was signed of the first one stands elsewhere."""
    with opened(directory) as home:
        record(home, 0)
    (directory / "aggregate.db").unlink()
    if not exported:
        shutil.rmtree(directory / "public" / AGGREGATE)

    with opened(directory) as home:
        record(home, 1)
        assert home.outside.aggregate is None
        assert "aggregate.db is gone" in home.outside.aggregate_problem
        assert home.ledger.status("default").size == 2

    assert not (directory / "aggregate.db").exists()
    assert (directory / "public" / AGGREGATE).exists() == exported


@pytest.mark.parametrize("left", ["", "aggregate.db"], ids=["nothing", "the database"])
def test_a_first_start_that_broke_off_goes_on(
    directory: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    """The database is made before the key, so there is never a key alone."""

    def killed(*_: object) -> SignerKey:
        raise UnavailableError("storage", "as if killed")

    with monkeypatch.context() as patched:
        patched.setattr(outside, "read_signer" if left else "make_store", killed)
        with opened(directory) as home:
            record(home, 0)
            assert home.outside.aggregate is None
    assert [path.name for path in directory.glob("aggregate.db")] == ([left] if left else [])
    assert list((directory / "keys").glob(f"{AGGREGATE}.*")) == []

    with opened(directory) as home:
        assert home.outside.aggregate_problem == ""
        assert write(home) == 1


ENTRIES = {
    "no checkpoint at all": ([b"an event"], "damaged"),
    "a checkpoint with another's signature": (
        [LOG.request(0, 3).replace(b"log.example/shop\n3", b"log.example/shop\n4")], "damaged",
    ),
    "a gap between two": ([LOG.request(0, 3), LOG.request(4, 6)], "forked"),
    "a step back": ([LOG.request(0, 3), LOG.request(0, 2)], "forked"),
    "another history": ([LOG.request(0, 3), FORK.request(3, 6)], "forked"),
    "no proof": ([LOG.request(0, 3), LOG.request(0, 6).replace(b"old 0", b"old 3")], "forked"),
}  # fmt: skip


@pytest.mark.parametrize(("entries", "klass"), ENTRIES.values(), ids=ENTRIES.keys())
def test_an_entry_that_does_not_follow_is_named(entries: list[bytes], klass: str) -> None:
    findings = Findings()
    check = AggregateCheck([LOG.signer.vkey], findings, lambda index: f"entry {index}")

    check.bundle(0, entries)

    [found] = findings
    assert (found.klass, found.object, found.first) == (
        klass, f"entry {len(entries) - 1}", len(entries) - 1,
    )  # fmt: skip


def test_logs_of_unknown_keys_are_checked_for_growth_alone() -> None:
    findings = Findings()
    check = AggregateCheck([LOG.signer.vkey], findings, lambda index: f"entry {index}")

    check.bundle(0, [LOG.request(0, 3), STRANGER.request(0, 5), LOG.request(3, 4), None,
                     STRANGER.request(5, 9)])  # fmt: skip

    assert not list(findings)
    assert check.strangers == {"log.example/stranger"}
    assert {origin: (one.checkpoint.size, one.index) for origin, one in check.last.items()} == {
        "log.example/shop": (4, 2), "log.example/stranger": (9, 4),
    }  # fmt: skip


def test_what_was_appended_with_the_key_and_without_a_proof_is_found(directory: Path) -> None:
    """Who holds the key can sign any tree over any entries, and verify still re-checks each."""
    with opened(directory) as home:
        record(home, 0)
    signer = parse_signer_key((directory / "keys" / f"{AGGREGATE}.key").read_text().strip())
    public = directory / "public" / AGGREGATE
    [entry] = read_bundle((public / "tile/entries/000.p/1").read_bytes())
    assert parse_add_checkpoint(entry).old_size == 0
    forged = entry.replace(b"old 0", b"old 9")
    for path, data in {
        "tile/entries/000.p/1": write_bundle([forged]),
        "tile/0/000.p/1": leaf_hash(forged),
        "checkpoint": sign_checkpoint(signer.name, TreeHead(1, leaf_hash(forged)), signer),
    }.items():
        (public / path).chmod(0o644)
        (public / path).write_bytes(data)

    assert "forked" in classes(report(directory))
