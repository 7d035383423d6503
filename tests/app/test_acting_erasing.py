"""What an erasure takes and what it leaves; what is refused changes nothing."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app.actions import act
from counterfoil.app.erasing import Eraser
from counterfoil.app.erasing_lock import copying, erasing
from counterfoil.app.home import Home, open_home
from counterfoil.app.posted import Answer
from counterfoil.app.record import LOCAL
from counterfoil.clock import SteppedClock
from counterfoil.errors import RequestError, UnavailableError
from counterfoil.events.event import make_event
from counterfoil.ids import SeededRandomness
from counterfoil.ledger.measure import Batch
from counterfoil.policy.access import LOG, Decision
from tests.client.verifying import verify
from tests.erasing_story import ACCOUNT, LOGIN, NAME, OTHER, REQUEST, erase, note, settle, tell


def sizes(home: Home) -> dict[str, int]:
    return {info.project: home.log.head(info.project).size for info in home.log.projects()}


def opened(home: Home, index: int) -> tuple[dict[str, Any], dict[str, str]]:
    view = home.reader.entry("default", index, personal=True)
    return dict(view.event), dict(view.gone)


def test_one_part_of_an_entry_goes_and_the_others_stay(home: Home) -> None:
    """Their keys are their own from then on: the key all of them were sealed under is gone."""
    tell(home, files=False)
    done = erase(home, entry=4, field=["/data/mail"])
    event, gone = opened(home, 4)

    assert event["data"] == {"n": 4, "personal": ["/mail"]}
    assert event["authid"] == OTHER
    assert gone == {
        "/data/mail": f"erased on 2026-11-20 under {REQUEST}, says entry {done.logs[0].event}"
    }
    assert home.keys.event_key("default", 4) is None
    assert opened(home, 1)[0]["data"]["text"].startswith(LOGIN)
    assert verify(home.directory).ok


def test_a_part_under_a_persons_key_goes_and_the_person_stays(home: Home) -> None:
    """Same pseudonym, another key: what came before opens by itself, what comes is theirs."""
    tell(home, files=False)
    before = home.keys.known_people([ACCOUNT])[ACCOUNT]
    erase(home, entry=0, field=["authid"])
    [answer] = home.recorder.record("default", [note(9, ACCOUNT, {"n": 9})], LOCAL, "cli")
    after = home.keys.known_people([ACCOUNT])[ACCOUNT]

    assert after.pseudonym == before.pseudonym
    assert after.key != before.key
    assert "authid" not in opened(home, 0)[0]
    assert opened(home, 2)[0]["data"]["refs"][0]["ref"] == f"actor:{ACCOUNT}"
    assert opened(home, answer.index)[0]["authid"] == ACCOUNT
    erase(home, entry=2, field=["/data/refs/0/ref"])
    assert opened(home, answer.index)[0]["authid"] == ACCOUNT
    assert verify(home.directory).ok


def test_a_file_goes_for_every_entry_that_names_it(home: Home) -> None:
    """It is one file: what one entry may not show, no other one can."""
    tell(home, files=False)
    blobs = opened(home, 3)[0]["data"]["blobs"]
    home.recorder.record("default", [note(10, OTHER, {"blobs": blobs})], LOCAL, "cli")
    second = home.log.head("default").size - 1
    stored = home.log.kept("default", 3, 4)[0].blobs[0]

    done = erase(home, entry=3, field=["blob/0"])

    assert done.logs[0].named == ("3 blob/0", f"{second} blob/0")
    assert home.keys.blob_by_stored(stored) is None
    assert set(opened(home, second)[1]) == {"blob/0"}
    assert opened(home, second)[0]["data"]["blobs"] == blobs
    assert verify(home.directory).ok


def test_a_repeat_of_an_erased_event_is_answered_erased_whatever_it_says(home: Home) -> None:
    """Else whoever guesses right would learn it by the answer."""
    tell(home, files=False)
    erase(home)

    repeats = [
        note(1, OTHER, {"text": f"{LOGIN} asked for it, and {NAME} got it"}),
        note(1, OTHER, {"text": "a guess"}),
        note(0, ACCOUNT, {"said": "nothing"}),
        note(0, OTHER, {"said": "a guess"}),
    ]
    for event in repeats:
        with pytest.raises(RequestError) as refused:
            home.recorder.record("default", [event], LOCAL, "cli")
        assert refused.value.code == "erased"
        assert refused.value.facts["index"] == int(event.id[-1])
    assert home.keys.known_people([ACCOUNT]) == {}


def test_whoever_comes_back_is_somebody_else(home: Home) -> None:
    tell(home, files=False)
    before = home.keys.known_people([ACCOUNT])[ACCOUNT].pseudonym
    erase(home)
    home.recorder.record("default", [note(11, ACCOUNT, {"n": 11})], LOCAL, "cli")

    assert home.access.directory.by_handle(LOGIN) is None
    assert home.keys.known_people([ACCOUNT])[ACCOUNT].pseudonym != before
    assert opened(home, home.log.head("default").size - 1)[0]["authid"] == ACCOUNT
    assert verify(home.directory).ok


def test_a_dry_run_says_what_would_go_and_changes_nothing(home: Home) -> None:
    tell(home, files=False)
    before = sizes(home)
    would = erase(home, dry_run=True)
    assert sizes(home) == before
    assert opened(home, 1)[0]["data"]["text"].startswith(LOGIN)

    did = erase(home)
    shown = [[(one.project, one.theirs, one.named) for one in made.logs] for made in (would, did)]

    assert (would.done, did.done) == (False, True)
    assert shown[0][1] == shown[1][1]
    assert ("1 body" in shown[0][1][2], "5 body" in shown[0][1][2]) == (True, False)


def test_of_a_person_alone_what_others_wrote_stays(home: Home) -> None:
    tell(home, files=False)
    erase(home, theirs_only=True)

    assert opened(home, 1)[0]["data"]["text"].startswith(LOGIN)
    assert "authid" not in opened(home, 0)[0]


def test_who_may_do_what_stays_though_it_holds_their_words(home: Home) -> None:
    """A revocation whose reason names them would come undone with its body."""
    tell(home, files=False)
    act(home, LOCAL, "actor-describe", {"handle": "bo-dev"}, "cli")
    granted = {"to": "bo-dev", "role": "developer"}
    act(home, LOCAL, "role-grant", granted, "cli")
    grant = next(iter(home.access.directory.grants))
    act(home, LOCAL, "role-revoke", {"grant": grant, "reason": f"asked by {LOGIN}"}, "cli")
    revoked = home.log.head(LOG).size - 1

    done = erase(home)

    assert f"{revoked} body" in next(one.stays for one in done.logs if one.project == LOG)
    directory = home.directory
    home.close()
    with open_home(directory, home.clock, SeededRandomness("again")) as again:
        assert grant not in again.access.directory.grants


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        pytest.param({"subject": "nobody-here"}, "actor_unknown", "nobody is known", id="nobody"),
        pytest.param({"entry": 99, "field": ["body"]}, "not_found", "no entry 99", id="no entry"),
        pytest.param({"entry": 1, "field": ["/data/x"]}, "not_found", "it has authid, body", id="no field"),
        pytest.param({"entry": 1, "field": []}, "usage", "which fields", id="no fields"),
        pytest.param({"subject": LOGIN, "entry": 1}, "usage", "what is to go", id="both"),
        pytest.param({"subject": ""}, "usage", "what is to go", id="neither"),
        pytest.param({"reason": "  "}, "usage", "say why", id="no reason"),
        pytest.param({"request_id": "asked by Bo"}, "usage", "a request id", id="a name as id"),
        pytest.param({"reason": f"{LOGIN} asked"}, "usage", "names whom", id="names them again"),
        pytest.param({"entry": 1, "field": ["body"], "project": "other"}, "project_unknown", "", id="no log"),
    ],
)  # fmt: skip
def test_what_cannot_be_erased_is_named_and_nothing_changes(
    home: Home, given: dict[str, Any], code: str, words: str
) -> None:
    tell(home, files=False)
    before = sizes(home)

    with pytest.raises(RequestError) as refused:
        erase(home, **given)

    assert (refused.value.code, words in refused.value.message) == (code, True)
    assert sizes(home) == before


def test_what_is_erased_already_says_when_and_under_which_request(home: Home) -> None:
    tell(home, files=False)
    pseudonym = home.keys.known_people([ACCOUNT])[ACCOUNT].pseudonym
    erase(home)
    before = sizes(home)

    for again in ({"subject": pseudonym}, {"entry": 1, "field": ["body"]}):
        with pytest.raises(RequestError) as refused:
            erase(home, **again)
        assert refused.value.code == "erased"
        assert f"erased on 2026-11-20 under {REQUEST}" in refused.value.message
    assert sizes(home) == before


def test_what_says_that_something_was_erased_cannot_be_erased(home: Home) -> None:
    tell(home, files=False)
    event = erase(home, entry=1, field=["body"]).logs[0].event

    with pytest.raises(RequestError, match="it cannot be erased"):
        erase(home, entry=event, field=["*"])


def test_what_is_on_hold_stays_and_the_hold_is_named(home: Home) -> None:
    """Of a person on whom there is no hold, too: what others wrote of them is held by theirs."""
    tell(home, files=False)
    held = {"case": "matter 2026-4", "reason": "asked for by counsel", "actors": [OTHER]}
    act(home, LOCAL, "hold-place", held, "cli")

    assert "matter 2026-4" in " ".join(erase(home, dry_run=True).held)
    home.recorder.record_readings(everything=True)  # of the dry run
    before = sizes(home)
    for what in ({}, {"entry": 1, "field": ["body"]}, {"subject": OTHER}):
        with pytest.raises(RequestError, match="matter 2026-4") as refused:
            erase(home, **what)
        assert refused.value.code == "on_hold"
    assert sizes(home) == before
    erase(home, entry=0, field=["body"])
    assert sizes(home)["default"] == before["default"] + 1


def test_an_event_of_that_type_from_outside_erases_nothing(home: Home) -> None:
    """Whoever may record could otherwise excuse a loss, or cause one."""
    tell(home, files=False)
    done = erase(home, entry=1, field=["body"])
    [kept] = home.log.kept("default", done.logs[0].event or 0, (done.logs[0].event or 0) + 1)
    forged = note(
        12, OTHER, {"parts": [{"ranges": [[5, 5]], "names": ["body"]}], "request_id": "x"}
    )
    sent = make_event(
        type="dev.cdeventsx.counterfoil-erasure.performed.0.1.0", source=forged.source,
        id=forged.id, time=forged.time, authtype="user", authid=OTHER, data=forged.data,
    )  # fmt: skip
    with pytest.raises(RequestError, match="do it by its action"):
        home.recorder.record("default", [sent], LOCAL, "api")
    # As whoever could record it before that was refused.
    [answer] = home.recorder.record_own("default", [sent], LOCAL, "api")
    directory = home.directory
    home.close()

    with open_home(directory, home.clock, SeededRandomness("again")) as again:
        assert again.eraser.book.read("default", answer.index) is None
        assert again.eraser.book.read("default", kept.index) is not None
        assert opened(again, 5)[0]["data"] == {"text": "of nobody"}


def test_an_erasure_that_fails_half_way_says_so_and_the_next_start_finishes_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(home, files=False)

    def full(*_: object) -> None:
        raise UnavailableError("storage", "the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(Eraser, "_take_out", full)
        with pytest.raises(UnavailableError, match="disk is full"):
            erase(home, entry=1, field=["body"])
        with pytest.raises(UnavailableError, match="restart"):
            erase(home, entry=4, field=["body"])
    directory = home.directory
    home.close()

    with open_home(directory, home.clock, SeededRandomness("again")) as again:
        settle(again)
        assert set(opened(again, 1)[1]) == {"body"}
        assert not any(one.name == "body" for one in again.log.kept("default", 1, 2)[0].sealed)


def test_what_is_recorded_meanwhile_is_sealed_under_a_key_that_stays(home: Home) -> None:
    """Four threads record as the person while the person is erased, again and again."""
    tell(home, files=False)
    stop = threading.Event()
    failed: list[BaseException] = []

    def post(thread: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            event = note(1_000 * thread + number, ACCOUNT, {"n": number})
            try:
                home.recorder.record("default", [event], LOCAL, "cli")
            except BaseException as error:  # noqa: BLE001  told below
                failed.append(error)

    threads = [threading.Thread(target=post, args=(one,)) for one in range(1, 5)]
    for one in threads:
        one.start()
    try:
        for _ in range(3):
            erase(home, subject=ACCOUNT, theirs_only=True)
    finally:
        stop.set()
        for one in threads:
            one.join()

    assert failed == []
    home.ledger.export_now()  # or it comes in the middle of what is read
    report = verify(home.directory)
    assert report.ok, report.findings


def test_what_was_queued_before_goes_too(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sender was let past before anything was looked for, and its entry is in no log yet."""
    tell(home, files=False)
    queued: list[Future[list[Answer]]] = []
    shut = home.recorder.gate.erasing

    def be_busy(_batch: Batch) -> None:
        free.wait(0.3)

    @contextmanager
    def send_first() -> Iterator[None]:
        # The writer is busy with one batch, so that the next one waits in the queue.
        home.ledger.on_batch(be_busy)
        home.recorder.record("default", [note(20, OTHER, {"n": 20})], LOCAL, "cli")
        event = note(21, OTHER, {"text": f"{LOGIN} once more"})
        queued.append(home.recorder.submit("default", [event], LOCAL, "cli"))
        with shut():
            yield

    free = threading.Event()
    monkeypatch.setattr(home.recorder.gate, "erasing", send_first)
    erase(home)
    free.set()

    [answer] = queued[0].result()
    assert set(opened(home, answer.index)[1]) == {"body"}
    assert verify(home.directory).ok


def test_who_waits_for_an_erasure_names_no_file_of_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its key, read before, would be that of a file that is gone by the time the event is in."""
    tell(home, files=False)
    blobs = opened(home, 3)[0]["data"]["blobs"]
    gate, destroy = home.recorder.gate, Eraser._destroy
    recording, waits = gate.recording, threading.Event()
    answers: list[Answer] = []

    def post() -> None:
        answers.extend(
            home.recorder.record("default", [note(22, OTHER, {"blobs": blobs})], LOCAL, "cli")
        )

    @contextmanager
    def told() -> Iterator[None]:
        waits.set()
        with recording():
            yield

    def wait_first(*given: Any) -> None:
        monkeypatch.setattr(gate, "recording", told)
        poster.start()
        assert waits.wait(10.0)
        destroy(*given)

    poster = threading.Thread(target=post)
    monkeypatch.setattr(Eraser, "_destroy", wait_first)
    erase(home, entry=3, field=["blob/0"])
    poster.join()

    [answer] = answers
    [kept] = home.log.kept("default", answer.index, answer.index + 1)
    assert kept.blobs == ("",)
    assert verify(home.directory).ok


def test_nobody_is_thrown_out_for_an_erasure_that_waits_for_a_backup(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(home, files=False)
    before = sizes(home)
    monkeypatch.setattr("counterfoil.app.erasing.erasing", partial(erasing, wait_s=0.0))

    with copying(home.directory), pytest.raises(UnavailableError) as refused:
        erase(home)

    assert refused.value.code == "locked"
    assert home.access.directory.by_handle(LOGIN) is not None
    assert sizes(home) == before
    assert erase(home).done


def test_a_directory_without_erasures_is_not_written_at_the_start(directory: Path) -> None:
    """What is noted of erasures is up to date at a clean end; the next start reads nothing."""
    with open_home(
        directory, SteppedClock("2026-11-20T15:00:00.000Z"), SeededRandomness("a")
    ) as home:
        tell(home, files=False)
        size = home.log.head("default").size
    with open_home(
        directory, SteppedClock("2026-11-20T16:00:00.000Z"), SeededRandomness("b")
    ) as home:
        assert home.keys.erasing.upto("default") == (size, size)


def test_who_may_erase_in_one_project_erases_nobody_in_another(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for where one may, a person would go everywhere."""
    tell(home, files=False)
    before = sizes(home)
    decide = home.access.decide

    def only_there(credential: Any, verb: str, project: str, *more: Any, **named: Any) -> Decision:
        if verb == "erase" and project == LOG:
            return Decision(False, ("erase is for the project default alone",))
        return decide(credential, verb, project, *more, **named)

    monkeypatch.setattr(home.access, "decide", only_there)
    with pytest.raises(RequestError, match="for the project default alone") as refused:
        erase(home)

    assert refused.value.code == "not_allowed"
    assert sizes(home) == before
    assert erase(home, entry=1, field=["body"]).done
