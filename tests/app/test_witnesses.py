"""Being witnessed: cosignatures off the receipt path, lag in the open, alarms on record."""

import contextlib
import dataclasses
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app import witnesses
from counterfoil.app.answers import EntryView
from counterfoil.app.config import read_config
from counterfoil.app.home import Home
from counterfoil.app.outside import ALARM_TYPE
from counterfoil.app.prove import prove
from counterfoil.client.evidence import verify_path
from counterfoil.errors import EvidenceError, RequestError
from counterfoil.stores.files import PublicFiles
from counterfoil.tlog.cosignature import cosign
from counterfoil.tlog.keys import COSIGNATURE, SignerKey
from counterfoil.tlog.note import parse_note
from counterfoil.tlog.policy import Policy, parse_policy
from counterfoil.tlog.receipt import parse_receipt
from counterfoil.tlog.witness import parse_add_checkpoint
from counterfoil.verifier.aggregate import AGGREGATE
from counterfoil.verifier.proof_verdict import check_proof_file
from counterfoil.verifier.receipt import check_receipt
from counterfoil.web.pages.witnessing import witnessed
from tests.app.witnessed import (
    configure,
    make_home,
    odd_witness,
    opened,
    record,
    until,
    vkey_of,
)
from tests.witnessing import WitnessProcess, make_witness

SIGNER = SignerKey.from_seed("witness.example/odd", b"\x05" * 32, COSIGNATURE)
OTHER = SignerKey.from_seed("witness.example/other", b"\x06" * 32, COSIGNATURE)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    make_home(tmp_path / "ledger")
    return tmp_path / "ledger"


@contextlib.contextmanager
def two_witnesses(directory: Path) -> Iterator[tuple[WitnessProcess, WitnessProcess]]:
    """Run two real ones, and name them in the ledger's settings."""
    log = vkey_of(directory)
    made = [make_witness(directory.parent / name, f"witness.example/{name}", log)
            for name in ("one", "two")]  # fmt: skip
    for one in made:
        one.start()
    configure(directory, *((one.directory.name, one.vkey, one.url) for one in made))
    try:
        yield made[0], made[1]
    finally:
        for one in made:
            if one.process is not None and one.process.poll() is None:
                one.kill()


def policy_text(directory: Path, *witnesses: WitnessProcess) -> str:
    lines = [f"log {vkey_of(directory)}"]
    lines += [f"witness {one.directory.name} {one.vkey}" for one in witnesses]
    lines += [f"group all all {' '.join(one.directory.name for one in witnesses)}", "quorum all"]
    return "\n".join(lines) + "\n"


def statuses(home: Home) -> dict[str, Any]:
    return {one.name: one for one in home.outside.witnesses.statuses("default")}


def published(home: Home) -> bytes:
    note = home.public.published("default")
    assert note is not None
    return note


def is_by(policy: Policy, note: bytes, size: int) -> bool:
    try:
        return policy.verify_checkpoint(note).size == size
    except EvidenceError:
        return False


def test_what_is_published_carries_the_cosignatures_of_both_witnesses(directory: Path) -> None:
    with two_witnesses(directory) as both:
        policy = parse_policy(policy_text(directory, *both))
        with opened(directory) as home:
            record(home, *range(5))
            until(lambda: is_by(policy, published(home), 5), "never cosigned by both")
            assert home.outside.checkpoint("default") == published(home)
            record(home, 5, 6)
            until(lambda: is_by(policy, published(home), 7), "never cosigned again")

            assert home.outside.witnesses.size("default") == 7
            assert {one.size for one in statuses(home).values()} == {7}
            assert not any(one.problem for one in statuses(home).values())


def test_two_witnesses_that_answer_at_once_are_both_published(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is slow to write the published note must not take the line of the other away.

    Asked about a checkpoint that is published already, as when the ledger opens, each answers
    on its own; before one is published both are waited for.
    """
    turn, written = count(), list[int]()
    write = PublicFiles.cosign

    def slow_at_first(self: PublicFiles, project: str, note: bytes) -> bool:
        if next(turn) == 0:
            time.sleep(0.5)
        stands = write(self, project, note)
        written.append(len(parse_note(note).signatures))
        return stands

    with two_witnesses(directory) as both:
        policy = parse_policy(policy_text(directory, *both))
        monkeypatch.setattr(PublicFiles, "cosign", slow_at_first)
        with opened(directory) as home:
            until(lambda: 3 in written and len(written) >= 2, "one was not asked")
            assert written == sorted(written), "what one witness said was taken away"
            assert is_by(policy, published(home), 0)


def test_a_receipt_asked_for_later_carries_more_cosignatures(directory: Path) -> None:
    with two_witnesses(directory) as both, opened(directory) as home:
        policy = parse_policy(policy_text(directory, *both))
        record(home, 0, 1, 2)
        until(lambda: is_by(policy, published(home), 3), "never cosigned by both")

        verdict = check_receipt(home.outside.receipt("default", 1), policy)

        assert verdict.ok, verdict.findings
        assert verdict.index == 1
        with pytest.raises(RequestError):
            home.outside.receipt("default", 99)


@pytest.mark.parametrize("what", ["entry:1", "run:acme/shop/1"])
def test_a_proof_file_meets_a_policy_that_asks_for_both_witnesses(
    directory: Path, what: str
) -> None:
    """Whoever proves something right after it happened waits a moment for the witnesses."""
    with two_witnesses(directory) as both, opened(directory) as home:
        policy = parse_policy(policy_text(directory, *both))
        record(home, 0, 1, 2)

        verdict = check_proof_file(prove(home, "default", what).content, policy)

        assert not verdict.findings
        assert verdict.ok
        seen = check_receipt(home.reader.entry("default", 1).receipt, policy)
        assert seen.ok, seen.findings


def test_nobody_who_records_waits_for_a_witness(directory: Path) -> None:
    """A witness that swallows requests costs the export a moment, and receipts nothing."""

    def swallow(_stream: Any) -> None:
        time.sleep(8)

    with odd_witness(lambda _: swallow) as slow:
        configure(directory, ("slow", SIGNER.vkey, slow.url))
        with opened(directory) as home:
            started = time.monotonic()
            for number in range(5):
                record(home, number)
            spent_s = time.monotonic() - started
            until(lambda: statuses(home)["slow"].problem, "the silence was never noticed")

            assert spent_s < witnesses.PUBLISH_WAIT_S
            until(lambda: home.ledger.status("default").exported_size == 5, "never published")
            assert statuses(home)["slow"].size == 0


def test_who_is_still_asked_about_an_earlier_checkpoint_is_shown_the_last_one_too(
    directory: Path,
) -> None:
    """Else what a ledger publishes as it closes would often stand without a cosignature."""
    asked, go_on = threading.Event(), threading.Event()

    def slow(body: bytes) -> Any:
        asked.set()
        assert go_on.wait(10)
        return 200, {}, line_for(body, SIGNER)

    with odd_witness(slow) as witness:
        configure(directory, ("one", SIGNER.vkey, witness.url))
        text = f"log {vkey_of(directory)}\nwitness one {SIGNER.vkey}\nquorum one\n"
        policy = parse_policy(text.encode())
        with opened(directory) as home:
            assert asked.wait(10), "the checkpoint that stands was not shown"
            record(home, 0)
            threading.Timer(0.5, go_on.set).start()
        assert is_by(policy, published(home), 1)


def test_a_witness_that_was_down_catches_up_with_a_proof(directory: Path) -> None:
    with two_witnesses(directory) as (one, two), opened(directory) as home:
        policy = parse_policy(policy_text(directory, one, two))
        record(home, *range(3))
        until(lambda: is_by(policy, published(home), 3), "never cosigned by both")
        two.kill()
        record(home, *range(3, 300))
        until(lambda: statuses(home)["one"].size == 300, "the other was not asked")
        until(lambda: statuses(home)["two"].problem, "nobody noticed")
        assert statuses(home)["two"].size == 3
        assert statuses(home)["two"].alarm == ""
        best = parse_receipt(home.outside.receipt("default", 1)).checkpoint
        assert is_by(policy, best, 3), "an earlier checkpoint by both is worth more"
        two.start()

        until(lambda: is_by(policy, published(home), 300), "it never caught up")
        assert statuses(home)["two"].problem == ""


def test_what_was_cosigned_is_known_after_a_restart_without_asking(directory: Path) -> None:
    with two_witnesses(directory) as both:
        policy = parse_policy(policy_text(directory, *both))
        with opened(directory) as home:
            record(home, 0, 1)
            until(lambda: is_by(policy, published(home), 2), "never cosigned by both")
    with opened(directory) as home:
        assert home.outside.witnesses.size("default") == 2
        assert is_by(policy, parse_receipt(home.outside.receipt("default", 0)).checkpoint, 2)


def line_for(body: bytes, signer: SignerKey) -> bytes:
    text = parse_note(parse_add_checkpoint(body).note).text
    return cosign(signer, text, 1_700_000_000)


def test_a_receipt_under_a_cosigned_head_is_refused_as_every_other_one(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What storage lacks, and the log that has no events to prove, are answered, not a defect."""
    with odd_witness(lambda body: (200, {}, line_for(body, SIGNER))) as witness:
        configure(directory, ("one", SIGNER.vkey, witness.url))
        with opened(directory) as home:
            record(home, 0)
            assert home.outside.aggregate is not None
            home.outside._aggregate_once(home.outside.aggregate)
            for project in ("default", AGGREGATE):
                until(partial(home.outside.witnesses.size, project), "never cosigned")
            with pytest.raises(RequestError, match="no entry -1"):
                home.outside.receipt("default", -1)
            with pytest.raises(RequestError, match=AGGREGATE):
                home.outside.receipt(AGGREGATE, 0)
            with monkeypatch.context() as lost:
                lost.setattr(home.log, "entries", lambda *_: [])
                with pytest.raises(EvidenceError) as refused:
                    home.outside.receipt("default", 0)
            assert refused.value.code == "missing"


def _drip(stream: Any) -> None:
    for _ in range(200):
        stream.write(b"H")
        stream.flush()
        time.sleep(0.1)


LYING = {
    "a cosignature by a key nobody named": (
        lambda body: (200, {}, line_for(body, OTHER)), "no trusted key signed",
    ),
    "a cosignature that is wrong": (
        lambda _: (200, {}, cosign(SIGNER, b"another text\n", 1)), "does not verify",
    ),
    "a page": (lambda _: (200, {}, b"<html>welcome</html>"), "does not end in a newline"),
    "a redirect": (lambda _: (302, {"Location": "http://127.0.0.1:9/x"}, b""), "answered 302"),
    "an answer without end": (lambda _: (200, {}, b"x" * 70_000), "an answer over"),
    "a log it does not watch": (lambda _: (404, {}, b"no such log\n"), "answered 404: no such log"),
    "no trust in our key": (lambda _: (403, {}, b"\x1b[31mbad\n"), "answered 403: [31mbad"),
    "pressed for time": (lambda _: (429, {}, b""), "answered 429: nothing more"),
    "a conflict about the size it names": (lambda _: (409, {}, b"0\n"), "answered 409 to the size"),
    "bytes in drops": (lambda _: _drip, "asked again later"),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "words"), LYING.values(), ids=LYING.keys())
def test_an_answer_that_is_no_cosignature_counts_for_nothing(
    directory: Path, answer: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("counterfoil.app.witnesses.ASK_TIMEOUT_S", 1.0)
    with odd_witness(answer) as liar:
        configure(directory, ("liar", SIGNER.vkey, liar.url))
        with opened(directory) as home:
            record(home, 0)
            until(lambda: statuses(home)["liar"].problem, "the answer was believed")

            status = statuses(home)["liar"]
            assert words in status.problem
            assert (status.size, status.alarm) == (0, "")
            assert status.problem.isprintable()
            assert home.outside.witnesses.size("default") == 0
            names = {line.name for line in parse_note(published(home)).signatures}
            assert names == {"log.example/shop"}


ALARMS: dict[str, tuple[Any, str, int | None, str]] = {
    "a larger size than was ever signed here": (
        lambda _: (409, {}, b"4711\n"), "larger", 4711, "4711 entries, this log has 1",
    ),
    "no way from what it holds": (
        lambda body: (409, {}, b"1\n") if body.startswith(b"old 0") else (422, {}, b"forked\n"),
        "forked", 1, "finds no way from size 1 to ",
    ),
    "a conflict without a size": (lambda _: (409, {}, b""), "forked", None, "conflict with what"),
}  # fmt: skip


def alarms(home: Home) -> list[EntryView]:
    """Return the alarms about the project's log: the aggregate log has a witness's word too."""
    size = home.ledger.status("default").size
    entries = [home.reader.entry("default", index) for index in range(size)]
    found = [one for one in entries if one.entry.type == ALARM_TYPE]
    return [one for one in found if _log_of(one) == "default"]


def _log_of(alarm: EntryView) -> object:
    data = alarm.event["data"]
    return data["log"] if isinstance(data, dict) else None


@pytest.mark.parametrize(("answer", "kind", "held", "words"), ALARMS.values(), ids=ALARMS.keys())
def test_a_witness_of_another_history_is_an_alarm_on_record(
    directory: Path, answer: Any, kind: str, held: int | None, words: str
) -> None:
    with odd_witness(answer) as witness:
        configure(directory, ("audit", SIGNER.vkey, witness.url))
        with opened(directory) as home:
            record(home, 0)
            until(lambda: alarms(home), "the alarm was not recorded")
            [entry] = alarms(home)

            told = entry.event["data"]
            assert isinstance(told, dict)
            assert (told["witness"], told["kind"], told["held_size"]) == ("audit", kind, held)
            assert words in statuses(home)["audit"].alarm
            assert "witness audit" in entry.sentence


def test_a_restored_backup_is_found_by_the_witness(directory: Path) -> None:
    """The key holder puts an older ledger back, export and all: only somebody outside can tell."""
    with two_witnesses(directory) as both:
        policy = parse_policy(policy_text(directory, *both))
        with opened(directory) as home:
            record(home, 0, 1)
        backup = directory.with_name("backup")
        shutil.copytree(directory, backup)
        with opened(directory) as home:
            record(home, 2, 3)
            until(lambda: is_by(policy, published(home), 4), "never cosigned by both")
        with opened(backup) as home:
            record(home, 7)
            until(lambda: all(one.alarm for one in statuses(home).values()), "nobody noticed")
            seen = dataclasses.replace(
                home.reader.health("default"),
                witnesses=tuple(home.outside.witnesses.statuses("default")),
            )
            line = witnessed(seen)
            assert (line.tone, line.detail.partition(":")[0]) == ("fail", "ALARM")


def test_static_files_with_two_witnesses_verify_from_any_web_server(directory: Path) -> None:
    """What the whole road is for: a plain server, a policy, and a tool that trusts neither."""
    with two_witnesses(directory) as both:
        policy = directory.parent / "policy"
        policy.write_text(policy_text(directory, *both))
        with opened(directory) as home:
            record(home, *range(300))
            policy_read = parse_policy(policy.read_bytes())
            until(lambda: is_by(policy_read, published(home), 300), "never cosigned by both")
        checkpoint = (directory / "public" / "default" / "checkpoint").read_bytes()
        assert is_by(policy_read, checkpoint, 300)
    with plain_server(directory / "public") as url:

        def foil(*words: object) -> Any:
            done = subprocess.run(
                [sys.executable, "-m", "counterfoil", "verify", *map(str, words), "--json"],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            return json.loads(done.stdout)

        whole = foil(f"{url}/default", "--trust", policy)
        assert whole["ok"] is True, whole
        assert (whole["size"], whole["trust"]) == (300, "policy")
        stricter = directory.parent / "stricter"
        text = policy.read_text().replace("group all all one two", f"witness x {OTHER.vkey}\n"
                                          "group all all one two x")  # fmt: skip
        stricter.write_text(text)
        refused = foil(f"{url}/default", "--trust", stricter)
        assert refused["ok"] is False
        assert "quorum" in refused["findings"][0]["message"]
        assert verify_path(str(directory), trust=policy).ok


@contextlib.contextmanager
def plain_server(directory: Path) -> Iterator[str]:
    """Python's own web server, in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1",
         "--directory", str(directory)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        yield f"http://127.0.0.1:{line.split(' port ')[1].split()[0]}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


KEY = str(SIGNER.vkey)
LOG_KEY = str(SignerKey.from_seed("log.example/shop", b"\x01" * 32).vkey)
SETTINGS = {
    "no key": '[[witness]]\nname = "a"\nvkey = "nonsense"\nurl = "http://w.example"\n',
    "the key of a log": f'[[witness]]\nname = "a"\nvkey = "{LOG_KEY}"\nurl = "http://w.example"\n',
    "no address": f'[[witness]]\nname = "a"\nvkey = "{KEY}"\nurl = "file:///etc/passwd"\n',
    "an address with a space": f'[[witness]]\nname = "a"\nvkey = "{KEY}"\nurl = "http://w x"\n',
    "the same key twice": "".join(
        f'[[witness]]\nname = "{name}"\nvkey = "{KEY}"\nurl = "http://w.example"\n' for name in "ab"
    ),
    "the same name twice": "".join(
        f'[[witness]]\nname = "a"\nvkey = "{key}"\nurl = "http://w.example"\n'
        for key in (KEY, OTHER.vkey)
    ),
    "an unknown word": f'[[witness]]\nname = "a"\nvkey = "{KEY}"\nurl = "http://w"\nkey = "x"\n',
}


@pytest.mark.parametrize("text", SETTINGS.values(), ids=SETTINGS.keys())
def test_settings_that_name_no_witness_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "counterfoil.toml").write_text(text)

    with pytest.raises(RequestError) as refusal:
        read_config(tmp_path)

    assert refusal.value.code == "config_invalid"
