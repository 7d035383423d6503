"""Going on from a backup: only from one that is whole, and that nobody outside saw more than."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from counterfoil.app.actions import act
from counterfoil.app.backup_manifest import DIGEST, MANIFEST
from counterfoil.app.drill import drill
from counterfoil.app.founding import create_home
from counterfoil.app.fsck import fsck
from counterfoil.app.home import Home, open_home
from counterfoil.app.opening import open_all
from counterfoil.app.record import LOCAL, SERVER
from counterfoil.app.restore import Asked, restore
from counterfoil.client.evidence import verify_path
from counterfoil.clock import SteppedClock, SystemClock
from counterfoil.errors import CounterfoilError, EvidenceError, RequestError, UnavailableError
from counterfoil.events.canonical import JSON
from counterfoil.events.entry import read_entry
from counterfoil.events.event import make_event
from counterfoil.ids import SeededRandomness, SystemRandomness
from counterfoil.stores.erasable import ErasableStore
from counterfoil.stores.sqlite import SqliteLogStore
from counterfoil.stores.state import State
from counterfoil.stores.state_sign_in import SignInLink
from counterfoil.tlog.checkpoint import sign_checkpoint
from counterfoil.tlog.keys import parse_signer_key
from counterfoil.tlog.tree import TreeHead
from tests.app.witnessed import configure, make_home, opened, until
from tests.app.witnessed import record as witnessed
from tests.backing import TAKEN, Backups, tree_of
from tests.fscking import a_copy, build, record
from tests.ledgers import build_ledger
from tests.witnessing import witness_process

_FOR_EVER = "2099-01-01T00:00:00.000Z"


@pytest.fixture(scope="module")
def backups(tmp_path_factory: pytest.TempPathFactory) -> Backups:
    """A ledger of several logs with its backup; it went on a little since."""
    place = tmp_path_factory.mktemp("restore")
    build(place / "ledger")
    made = Backups(place / "ledger", place / "backups")
    made.take(SteppedClock(TAKEN))
    shutil.copytree(place / "ledger", place / "as-backed-up")
    with open_home(place / "ledger", SteppedClock(TAKEN), SeededRandomness("more")) as home:
        record(home, "default", 303, first=300)
    return made


@pytest.fixture
def before(backups: Backups) -> Path:
    """The ledger as it was when it was backed up."""
    return backups.ledger.with_name("as-backed-up")


def test_a_restored_ledger_is_the_one_that_was_backed_up_entry_by_entry(
    backups: Backups, before: Path, tmp_path: Path
) -> None:
    restored = backups.restore(tmp_path / "new", str(before / "public" / "default"))

    was, now = (
        SqliteLogStore(one / "ledger.db", write=False) for one in (before, tmp_path / "new")
    )
    try:
        for project, size in (("default", 300), ("other", 20), ("_access", 1)):
            assert now.kept(project, 0, size) == was.kept(project, 0, size)
        assert now.head("default") == was.head("default")
    finally:
        was.close()
        now.close()
    assert tree_of(tmp_path / "new" / "blobs") == tree_of(before / "blobs")
    assert fsck(tmp_path / "new", full=True).ok
    assert restored.compared.agreed == [f"{before}/public/default: agrees"]
    assert restored.findings == ()


def test_what_was_restored_says_so_in_its_own_log_and_goes_on(
    backups: Backups, tmp_path: Path
) -> None:
    restored = backups.restore(tmp_path / "new")

    with open_home(tmp_path / "new", SteppedClock(TAKEN), SeededRandomness("on")) as home:
        [index] = restored.entries
        said = read_entry(home.log.entries("_access", index, index + 1)[0])
        assert said.type == "dev.cdeventsx.counterfoil-backup.restored.0.1.0"
        record(home, "default", 302, first=300)
        assert home.log.head("default").size == 302
        [milestone] = [one for one in home.state.milestones.latest() if one.project == "default"]
        assert (milestone.what, milestone.size) == ("restored", 300)
    assert verify_path(str(tmp_path / "new")).ok


def test_what_there_was_no_evidence_of_is_said(backups: Backups, tmp_path: Path) -> None:
    """A stranger has to see on what it rests that this is no older state."""
    compared = backups.restore(tmp_path / "new").compared

    assert compared.agreed == []
    assert [line.partition(":")[0] for line in compared.absent] == [
        "public/ of the ledger that was lost",
        "receipts, checkpoints and copies kept elsewhere",
        "witness w",
    ]


def _truncate(name: str) -> Callable[[Backups], None]:
    def damage(backups: Backups) -> None:
        path = backups.latest / name
        path.write_bytes(path.read_bytes()[:-1])

    return damage


def _flip(name: str) -> Callable[[Backups], None]:
    def damage(backups: Backups) -> None:
        path = backups.latest / name
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    return damage


def _remove(name: str) -> Callable[[Backups], None]:
    return lambda backups: (backups.latest / name).unlink()


def _half(damage: Callable[[Backups], None]) -> Callable[[Backups], None]:
    """Do the same to the half that holds the keys."""
    return lambda backups: damage(Backups(backups.ledger, backups.keys))


def _link(backups: Backups) -> None:
    path = backups.latest / "ledger.db"
    path.rename(backups.destination / "elsewhere")
    path.symlink_to(backups.destination / "elsewhere")


def _lead_out(backups: Backups) -> None:
    """Name a file outside in a manifest that is otherwise sound."""
    import hashlib

    path = backups.latest / MANIFEST
    data = path.read_bytes().replace(b'"aggregate.db"', b'"../escaped"')
    path.write_bytes(data)
    (backups.latest / DIGEST).write_bytes(hashlib.sha256(data).hexdigest().encode() + b"  x\n")


_DAMAGES = [
    pytest.param(_truncate("ledger.db"), "damaged", id="a database is cut"),
    pytest.param(_flip("public/default/tile/0/000"), "damaged", id="a bit of a tile"),
    pytest.param(_remove("public/default/checkpoint"), "missing", id="a file is gone"),
    pytest.param(_flip(MANIFEST), "damaged", id="a bit of the manifest"),
    pytest.param(_remove(DIGEST), "backup_invalid", id="the manifest has no digest"),
    pytest.param(_half(_flip("erasable.db")), "damaged", id="a bit of the keys"),
    pytest.param(_half(_remove("state.db")), "missing", id="a file of the keys' half is gone"),
    pytest.param(_link, "damaged", id="a link in the place of a file"),
    pytest.param(_lead_out, "backup_invalid", id="a name that leads out"),
]


@pytest.mark.parametrize(("damage", "code"), _DAMAGES)
def test_a_backup_that_is_not_what_it_was_is_refused_and_nothing_stands(
    backups: Backups, tmp_path: Path, damage: Callable[[Backups], None], code: str
) -> None:
    hurt = backups.copied(tmp_path)
    damage(hurt)

    with pytest.raises(CounterfoilError) as caught:
        hurt.restore(tmp_path / "new")

    assert caught.value.code == code
    assert not (tmp_path / "new").exists() or not list((tmp_path / "new").iterdir())
    assert not (tmp_path / "escaped").exists()


def test_a_drill_says_of_a_whole_backup_that_it_is_and_leaves_nothing(
    backups: Backups, tmp_path: Path
) -> None:
    done = drill(backups.destination, scratch=tmp_path)

    assert (done.result, done.findings) == ("whole", ())
    assert done.logs == {"default": 300, "other": 20, "_access": 1}
    assert done.opened == 200 + 20 + 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("damage", "code"), [one for one in _DAMAGES if one.values[1] != "backup_invalid"])  # fmt: skip
def test_a_drill_finds_what_a_restore_would_refuse(
    backups: Backups, tmp_path: Path, damage: Callable[[Backups], None], code: str
) -> None:
    hurt = backups.copied(tmp_path)
    damage(hurt)
    (tmp_path / "scratch").mkdir()

    done = drill(hurt.latest, scratch=tmp_path / "scratch")

    assert done.result == "failed"
    assert done.findings[0].startswith(code)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_backup_whose_keys_had_their_time_is_tried_as_far_as_it_goes(
    backups: Backups, tmp_path: Path
) -> None:
    old = backups.copied(tmp_path)
    shutil.rmtree(old.keys)

    assert drill(old.destination).result == "proofs"
    with pytest.raises(RequestError, match="proves every entry and opens none") as caught:
        old.restore(tmp_path / "new")
    assert caught.value.code == "backup_invalid"


def test_a_drill_of_another_ledgers_backup_is_refused(backups: Backups, tmp_path: Path) -> None:
    """That it is whole would make this ledger look as if it could be restored."""
    create_home(tmp_path / "other", SeededRandomness("x"), origin="log.example/elsewhere")

    with pytest.raises(RequestError, match="is of another ledger") as caught:
        drill(backups.destination, ledger=tmp_path / "other")

    assert caught.value.code == "backup_invalid"


def test_keys_of_another_backup_are_refused(backups: Backups, tmp_path: Path) -> None:
    """Half of two states opens what was erased in one of them, or lacks what the other has."""
    old = backups.copied(tmp_path)
    clock = SteppedClock("2026-11-21T13:00:00.000Z")
    later = Backups(a_copy(backups.ledger, tmp_path / "ledger"), tmp_path / "later")
    later.take(clock)

    with pytest.raises(RequestError, match="halves of two backups"):
        old.restore(tmp_path / "new", keys=later.keys / later.latest.name)


def _checkpoint(ledger: Path, size: int, root: bytes) -> bytes:
    signer = parse_signer_key((ledger / "keys" / "default.key").read_text("ascii").strip())
    return sign_checkpoint(signer.name, TreeHead(size, root), signer)


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ("a larger checkpoint", "rolled_back"),
        ("a larger copy", "rolled_back"),
        ("another history", "forked"),
        ("another ledger", "usage"),
        ("no evidence", "usage"),
    ],
)
def test_a_backup_that_somebody_outside_saw_more_than_is_refused_by_name(
    backups: Backups, tmp_path: Path, form: str, code: str
) -> None:
    evidence = tmp_path / "kept"
    match form:
        case "a larger checkpoint":
            shutil.copy(backups.ledger / "public" / "default" / "checkpoint", evidence)
        case "a larger copy":
            shutil.copytree(backups.ledger / "public" / "default", evidence)
        case "another history":
            evidence.write_bytes(_checkpoint(backups.ledger, 300, bytes(32)))
        case "another ledger":
            evidence.write_bytes(build_ledger(tmp_path / "x", events=3).receipt(1))
        case "no evidence":
            evidence.write_text("a note on paper")

    with pytest.raises(CounterfoilError) as caught:
        backups.restore(tmp_path / "new", str(evidence))

    assert caught.value.code == code
    assert str(evidence) in caught.value.message
    assert list((tmp_path / "new").iterdir()) == []


def test_the_public_files_of_the_lost_ledger_are_evidence_where_they_still_stand(
    backups: Backups, before: Path, tmp_path: Path
) -> None:
    """The commonest accident: the databases are gone, and what was published is not."""
    for place, ledger in (("newer", backups.ledger), ("same", before)):
        shutil.copytree(ledger / "public", tmp_path / place / "public")

    with pytest.raises(EvidenceError, match="older than what public/_aggregate has seen") as caught:
        backups.restore(tmp_path / "newer")
    assert caught.value.code == "rolled_back"
    assert tree_of(tmp_path / "newer" / "public") == tree_of(backups.ledger / "public")

    compared = backups.restore(tmp_path / "same").compared
    assert "public/default: agrees" in compared.agreed
    assert verify_path(str(tmp_path / "same")).ok
    assert tree_of(tmp_path / "same" / "public.before") == tree_of(before / "public")


def test_what_was_published_is_compared_again_after_a_restore_that_broke_off(
    backups: Backups, tmp_path: Path
) -> None:
    """Cut off between two names it stands aside, and knows more than this backup."""
    new = tmp_path / "new"
    shutil.copytree(backups.ledger / "public", new / "public.before")
    (new / ".restoring").mkdir()

    with pytest.raises(EvidenceError, match="has seen"):
        backups.restore(new)

    assert tree_of(new / "public") == tree_of(backups.ledger / "public")


def test_a_witness_that_cannot_be_asked_stops_a_restore_unless_somebody_says_so(
    backups: Backups, tmp_path: Path
) -> None:
    """It may be the one who knows that entries are missing."""
    asked = Asked(backups.destination, tmp_path / "new", signing_keys=backups.ledger / "keys")

    with pytest.raises(UnavailableError, match="--without-witnesses") as caught:
        restore(asked, SteppedClock(TAKEN), SeededRandomness("r"))

    assert caught.value.code == "unreachable"
    assert list((tmp_path / "new").iterdir()) == []


def test_a_witness_of_the_settings_is_asked_and_refuses_what_is_older_than_it_saw(
    tmp_path: Path,
) -> None:
    """The settings come with the backup, so nobody has to remember to name it."""
    ledger = tmp_path / "ledger"
    key = make_home(ledger)
    backups = Backups(ledger, tmp_path / "backups")
    with witness_process(tmp_path / "witness", "witness.example/one", key) as witness:
        configure(ledger, ("one", witness.vkey, witness.url))
        with opened(ledger) as home:
            witnessed(home, 0, 1)
        backups.take(SteppedClock(TAKEN))
        asked = Asked(backups.destination, tmp_path / "new", signing_keys=ledger / "keys")
        agreed = restore(asked, SystemClock(), SystemRandomness())
        with opened(ledger) as home:
            witnessed(home, 2)
            until(lambda: _seen(home) == 3, "never cosigned")

        with pytest.raises(EvidenceError, match="older than what witness one has seen") as caught:
            restore(replace(asked, directory=tmp_path / "newer"), SystemClock(), SystemRandomness())
        with pytest.raises(EvidenceError, match="older than what witness one has seen"):
            restore(
                replace(asked, directory=tmp_path / "newer", need_witnesses=False),
                SystemClock(), SystemRandomness(),
            )  # fmt: skip

    assert agreed.compared.agreed == ["witness one: agrees"]
    assert caught.value.code == "rolled_back"
    assert list((tmp_path / "newer").iterdir()) == []


def _seen(home: Home) -> int:
    return max(one.size for one in home.outside.witnesses.statuses("default"))


def test_a_folder_with_anything_of_somebodys_in_it_is_refused(
    backups: Backups, tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "notes.txt").write_text("mine")

    with pytest.raises(RequestError, match=r"holds notes\.txt") as caught:
        backups.restore(tmp_path / "new")

    assert caught.value.code == "dir_exists"
    assert tree_of(tmp_path / "new") == {"notes.txt": b"mine"}


def test_a_restore_that_broke_off_is_begun_anew(
    backups: Backups, before: Path, tmp_path: Path
) -> None:
    """Killed between two names: the directory has no ledger.db, so it is no ledger."""
    new = tmp_path / "new"
    for name in ("public", "blobs", "keys"):
        shutil.copytree(before / name, new / name)
    (new / ".restoring").mkdir()
    shutil.copy(before / "ledger.db", new / ".restoring" / "ledger.db")

    backups.restore(new)

    assert not (new / ".restoring").exists()
    assert verify_path(str(new)).ok


def test_without_the_keys_that_sign_nothing_is_restored(backups: Backups, tmp_path: Path) -> None:
    asked = Asked(backups.destination, tmp_path / "new", need_witnesses=False)

    with pytest.raises(RequestError, match="--signing-keys"):
        restore(asked, SteppedClock(TAKEN), SeededRandomness("r"))

    assert list((tmp_path / "new").iterdir()) == []


def test_nobody_is_signed_in_to_a_restored_ledger(backups: Backups, tmp_path: Path) -> None:
    """A session or a link that was ended since would be good again."""
    ledger = a_copy(backups.ledger, tmp_path / "ledger")
    state = State(ledger / "state.db")
    state.sign_in.add_link(SignInLink(bytes(32), "sign-in", "", "", "", TAKEN, _FOR_EVER))
    state.close()
    taken = Backups(ledger, tmp_path / "with-link")
    taken.take(SteppedClock(TAKEN))

    taken.restore(tmp_path / "new")

    state = State(tmp_path / "new" / "state.db")
    try:
        assert state.sign_in.link(bytes(32), TAKEN) is None
    finally:
        state.close()


@pytest.mark.parametrize("form", ["the lost ledger", "a file of lines"])
def test_what_was_erased_after_the_backup_is_erased_again_where_somebody_says_what(
    backups: Backups, before: Path, tmp_path: Path, form: str
) -> None:
    """The backup still opens it, and the event that erased it is not in the backup."""
    data: dict[str, JSON] = {
        "parts": [{"ranges": [[3, 3], [301, 302]], "names": ["body"]}], "request_id": "DSR-1",
    }  # fmt: skip
    named = a_copy(backups.ledger, tmp_path / "lost")
    if form == "the lost ledger":
        with open_home(named, SteppedClock(TAKEN), SeededRandomness("e")) as home:
            event = make_event(
                type="dev.cdeventsx.counterfoil-erasure.performed.0.1.0", id="e",
                source="urn:counterfoil:server", time=TAKEN, authtype="system",
                authid="counterfoil", data={**data, "reason": "asked"},
            )  # fmt: skip
            home.eraser.carry_out("default", event, SERVER)
    else:
        named = tmp_path / "erasures"
        named.write_text(json.dumps({"project": "default", **data}) + "\n")
    assert _body(before, 3)
    asked = Asked(
        backups.destination, tmp_path / "new", signing_keys=backups.ledger / "keys",
        need_witnesses=False, erasures=named,
    )  # fmt: skip

    restored = restore(asked, SteppedClock(TAKEN), SeededRandomness("r"))

    assert restored.erased == 1
    assert _body(tmp_path / "new", 3) is None
    assert _body(tmp_path / "new", 4)
    assert verify_path(str(tmp_path / "new")).ok


def _body(ledger: Path, index: int) -> bytes | None:
    """Return the body of an entry of `default`, None once it is erased."""
    log = SqliteLogStore(ledger / "ledger.db", write=False)
    keys = ErasableStore(ledger / "erasable.db", SeededRandomness("-"), write=False)
    try:
        [kept] = log.kept("default", index, index + 1)
        return open_all(read_entry(kept.entry), kept, keys, "default").body
    finally:
        keys.close()
        log.close()


def test_a_ledger_whose_key_was_rotated_is_restored_by_either_state_of_the_keys(
    tmp_path: Path,
) -> None:
    """A copy of keys/ is seldom of the very day the backup is of."""
    ledger = tmp_path / "ledger"
    create_home(ledger, SeededRandomness("create"), origin="log.example/rotated")
    earlier, later = (Backups(ledger, tmp_path / name) for name in ("earlier", "later"))
    clock = SteppedClock(TAKEN)
    with open_home(ledger, clock, SeededRandomness("open")) as home:
        record(home, "default", 3)
    earlier.take(clock)
    with open_home(ledger, clock, SeededRandomness("rotate")) as home:
        act(home, LOCAL, "keys-rotate", {"project": "default", "reason": "yearly"}, "cli")
    later.take(clock)

    for backups, size in ((earlier, 3), (later, 4)):
        new = tmp_path / f"new-{size}"
        backups.restore(new)
        assert fsck(new, full=True).ok
        with open_home(new, clock, SeededRandomness("on")) as home:
            assert home.log.head("default").size == size
