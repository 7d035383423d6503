"""A ledger that an earlier version wrote opens, verifies, is rebuilt and goes on."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from counterfoil.app.admin import rebuild
from counterfoil.app.fsck import fsck
from counterfoil.app.fsck_repair import repair
from counterfoil.app.fsck_report import FsckReport
from counterfoil.app.home import Home, open_home
from counterfoil.app.record import LOCAL
from counterfoil.client.evidence import verify_path
from counterfoil.clock import SteppedClock
from counterfoil.events.event import parse_event
from counterfoil.events.sealing import HEADER
from counterfoil.ids import SeededRandomness
from counterfoil.stores.erasable import ERASABLE
from counterfoil.stores.sqlite import LEDGER
from counterfoil.verifier.report import ReceiptVerdict, Report
from tests.kept_ledgers import NAMES, KeptLedger, kept_ledger
from tests.ledgers import make_sample

AFTER = "2026-11-23T08:00:00.000Z"
"""When they are opened: after the last entry of any."""


@dataclass
class Upgraded:
    """One kept ledger, and what became of it, step by step."""

    kept: KeptLedger
    directory: Path
    before: Report
    """`verify` of the copy as it lay, against its checkpoints and receipts."""
    left_alone: bool
    """Whether that changed no byte."""
    opened: list[object] = field(default_factory=list)
    again: list[tuple[str, int]] = field(default_factory=list)
    """What the same events were answered, sent once more."""
    added: int = -1
    receipt: bytes = b""
    after: Report | None = None
    checked: FsckReport | None = None
    closed: dict[str, bytes] = field(default_factory=dict)
    reopened: dict[str, bytes] = field(default_factory=dict)


@pytest.fixture(scope="module", params=NAMES)
def upgraded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Upgraded:
    """Every kept ledger, once through all of it."""
    kept = kept_ledger(request.param)
    place = tmp_path_factory.mktemp(kept.name)
    directory = kept.unpack(place)
    lay = _files(directory)
    before = _verify(directory, _evidence(kept, place))
    made = Upgraded(kept, directory, before, left_alone=_files(directory) == lay)
    with _opening(directory) as home:
        for one in kept.told:
            view = home.reader.entry(one["project"], one["answer"]["index"], personal=True)
            made.opened.append(view.event)
            [answer] = home.recorder.record(
                one["project"], [parse_event(one["event"])], LOCAL, "cli"
            )
            made.again.append((answer.status, answer.index))
        [answer] = home.recorder.record("default", [make_sample(1_004)], LOCAL, "cli")
        made.added, made.receipt = answer.index, answer.receipt
    made.closed = _files(directory)
    with _opening(directory):
        pass
    made.reopened = _files(directory)
    rebuild(directory)
    made.after = _verify(directory, _evidence(kept, place))
    made.checked = fsck(directory, full=True)
    return made


def _opening(directory: Path) -> Home:
    return open_home(directory, SteppedClock(AFTER), SeededRandomness("later"))


def _evidence(kept: KeptLedger, place: Path) -> tuple[str, ...]:
    """Return what its users kept elsewhere: its checkpoints and receipts."""
    paths = kept.checkpoints
    for number, one in enumerate(kept.told):
        paths.append(place / f"{number}.tlog-proof")
        paths[-1].write_text(one["answer"]["receipt"], "utf-8")
    return tuple(map(str, paths))


def _verify(directory: Path, evidence: tuple[str, ...]) -> Report:
    report = verify_path(str(directory), against=evidence)
    assert isinstance(report, Report)
    return report


def _files(directory: Path) -> dict[str, bytes]:
    """Return every file that holds evidence, settings or keys."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name not in {"lock", "state.db", "views.db", "aggregate.db"}
        and "_aggregate" not in path.parts and not path.name.endswith(("-wal", "-shm"))
    }  # fmt: skip


def test_it_verifies_as_it_lies_against_what_was_kept_of_it(upgraded: Upgraded) -> None:
    """An old copy, or a backup, is evidence as it is: nobody has to let a server change it first."""
    assert upgraded.before.ok, upgraded.before.findings
    sizes = {one.project: one.size for one in upgraded.before.logs}
    assert sizes == {name: log["size"] for name, log in upgraded.kept.logs.items()}
    assert upgraded.left_alone


def test_it_opens_to_what_that_version_opened(upgraded: Upgraded) -> None:
    assert upgraded.opened == [one["opened"] for one in upgraded.kept.told]


def test_what_it_recorded_is_known_again(upgraded: Upgraded) -> None:
    """A sender that repeats itself over an upgrade makes no second entry."""
    assert upgraded.again == [("duplicate", one["answer"]["index"]) for one in upgraded.kept.told]


def test_it_goes_on_where_it_ended(upgraded: Upgraded) -> None:
    assert upgraded.added >= upgraded.kept.logs["default"]["size"]


def test_afterwards_it_is_whole_and_holds_to_every_earlier_receipt(upgraded: Upgraded) -> None:
    assert upgraded.after is not None
    assert upgraded.checked is not None
    assert upgraded.after.ok, upgraded.after.findings
    assert upgraded.checked.ok, upgraded.checked.findings


def test_a_second_opening_changes_nothing(upgraded: Upgraded) -> None:
    assert upgraded.closed.keys() == upgraded.reopened.keys()
    for name, content in upgraded.closed.items():
        assert upgraded.reopened[name] == content, name


def test_its_receipts_still_prove_what_was_posted(upgraded: Upgraded, tmp_path: Path) -> None:
    """Receipt, event and opening as that version gave them, without its ledger."""
    for number, one in enumerate(upgraded.kept.told):
        receipt = tmp_path / f"{number}.tlog-proof"
        event, opening = tmp_path / f"{number}.event.json", tmp_path / f"{number}.opening.json"
        vkey = tmp_path / f"{number}.vkey"
        receipt.write_text(one["answer"]["receipt"], "utf-8")
        event.write_text(json.dumps(one["event"]), "utf-8")
        opening.write_text(json.dumps(one["answer"]), "utf-8")
        vkey.write_text(upgraded.kept.logs[one["project"]]["vkey"] + "\n", "ascii")
        verdict = verify_path(str(receipt), vkey=vkey, event=event, opening=opening)
        assert isinstance(verdict, ReceiptVerdict)
        assert verdict.ok, (number, verdict)


def test_its_databases_have_the_layouts_of_today(upgraded: Upgraded) -> None:
    for kind in (LEDGER, ERASABLE):
        with closing(sqlite3.connect(upgraded.directory / kind.name)) as db:
            assert db.execute("PRAGMA user_version").fetchone() == (kind.version,)


def test_the_kept_ledgers_hold_every_form_that_is_read(tmp_path: Path) -> None:
    """What no kept ledger holds, no test here reads."""
    layouts, owners, forms = set[int](), set[str](), set[int]()
    for name in NAMES:
        directory = kept_ledger(name).unpack(tmp_path / name)
        with closing(sqlite3.connect(directory / "ledger.db")) as db:
            layouts |= {row[0] for row in db.execute("PRAGMA user_version")}
            owners |= {row[0].split(":")[0] for row in db.execute("SELECT owner FROM bodies")}
        for blob in directory.glob("blobs/??/*"):
            forms.add(2 if blob.read_bytes().startswith(HEADER) else 1)
    assert (layouts, owners, forms) == ({1, 2}, {"event", "actor", "plain"}, {1, 2})


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("killed_before", ["ErasableStore", "State", "Tables", "Ledger"])
def test_a_start_that_is_killed_between_two_databases_goes_on_at_the_next(
    killed_before: str, tmp_path: Path
) -> None:
    """Those before it have the layouts of today, those behind it earlier ones."""
    directory = kept_ledger("aggregate").unpack(tmp_path)

    def kill(*_words: object, **_named: object) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"counterfoil.app.home.{killed_before}", kill)
        with pytest.raises(Killed):
            _opening(directory)
    assert _verify(directory, ()).ok

    with _opening(directory) as home:
        [answer] = home.recorder.record("shop", [make_sample(1_004)], LOCAL, "cli")
        assert answer.index == 12
    assert fsck(directory, full=True).ok


def test_a_damaged_earlier_ledger_is_mended_in_one_go_with_leading_it_up(tmp_path: Path) -> None:
    """What is read for the repair is of the earlier layout, what is written of today's."""
    directory = kept_ledger("aggregate").unpack(tmp_path)
    with closing(sqlite3.connect(directory / "ledger.db")) as db:
        db.execute("UPDATE tiles SET data = zeroblob(length(data)) WHERE project = 'shop'")
        db.execute("UPDATE entries SET entry = x'7b7d' WHERE project = 'default' AND idx = 5")
        db.commit()
    assert not _verify(directory, ()).ok

    report = repair(directory, SteppedClock(AFTER), SeededRandomness("repair"))

    assert report.ok, report.findings
    assert _verify(directory, _evidence(kept_ledger("aggregate"), tmp_path)).ok


@pytest.mark.parametrize("name", ["walk", "aggregate"])
def test_a_changed_byte_of_an_earlier_ledger_is_found_as_it_lies(name: str, tmp_path: Path) -> None:
    def change(statement: str) -> Callable[[Path], None]:
        def run(directory: Path) -> None:
            with closing(sqlite3.connect(directory / "ledger.db")) as db:
                assert db.execute(statement).rowcount == 1
                db.commit()

        return run

    damages = {
        "salt": change("UPDATE entries SET salt = randomblob(16) WHERE idx = 3 AND project='shop'"),
        "salt of layout 2": change(
            "UPDATE entries SET salt = CAST(x'01' || salt AS BLOB) WHERE idx = 3 AND project='shop'"
        ),
        "piece": change("UPDATE bodies SET data = zeroblob(40) WHERE idx = 3 AND position = 0"
                        " AND project = 'shop'"),
    }  # fmt: skip
    for what, damage in damages.items():
        directory = kept_ledger(name).unpack(tmp_path / what)
        damage(directory)
        found = _verify(directory, ()).findings
        assert [one.klass for one in found][:1] == ["damaged"], what
        assert {one.first for one in found if one.first is not None} <= {3}, what
