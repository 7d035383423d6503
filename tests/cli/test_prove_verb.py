"""`prove` and what `verify` says about the file, in the words people type."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from counterfoil.prooffile.make import make_page
from counterfoil.tlog.keys import SignerKey, parse_vkey
from counterfoil.tlog.policy import Policy
from counterfoil.verifier.proof_verdict import check_proof_file
from tests.cli.conftest import Foil
from tests.proofs import STRANGER, make_proof
from tests.web_server import Running, event, running

STRANGE = SignerKey.from_seed("log.example/other", b"\1" * 32)


@pytest.fixture
def recorded(foil: Foil, ledger: Path) -> Path:
    """A ledger with one release."""
    done = foil("record", "release.published", "--subject", "release:shop@1.4.2",
                "--data", '{"name": "shop", "version": "1.4.2"}', "--dir", ledger)  # fmt: skip
    assert done.code == 0, done.err
    return ledger


@pytest.fixture
def vkey(recorded: Path) -> Path:
    return recorded / "keys" / "default.vkey"


@pytest.fixture
def page(foil: Foil, recorded: Path, tmp_path: Path) -> Path:
    """A proof file of the release."""
    where = tmp_path / "shop.proof.html"
    done = foil("prove", "release:shop@1.4.2", "--dir", recorded, "-o", where)
    assert done.code == 0, done.err
    return where


def test_a_file_is_written_and_verified(foil: Foil, page: Path, vkey: Path) -> None:
    done = foil("verify", page, "--vkey", vkey)
    assert done.code == 0
    assert "verified: 1 entry of log.example/acme" in done.out
    assert "about release:shop@1.4.2, as known at entry 0" in done.out
    assert "note:" not in done.out
    assert foil("verify", page, "--vkey", vkey, "--json").json()["ok"] is True


def test_what_was_written_is_said(foil: Foil, recorded: Path, tmp_path: Path) -> None:
    where = tmp_path / "p.html"
    done = foil("prove", "entry:0", "--dir", recorded, "-o", where)
    key = recorded / "keys" / "default.vkey"
    assert f"counterfoil verify {where} --vkey {key}" in done.out
    assert foil("verify", where, "--vkey", key).code == 0
    told = foil("prove", "entry:0", "--dir", recorded, "-o", where, "--json").json()
    assert told == {"file": str(where), "bytes": where.stat().st_size}


def test_without_a_file_it_goes_to_standard_output(recorded: Path, vkey: Path) -> None:
    """Into a pipe, as bytes: no text layer may touch what the page was made of."""
    program = [sys.executable, "-m", "counterfoil", "prove", "entry:0", "--dir", str(recorded)]
    done = subprocess.run(program, capture_output=True, check=True)
    verdict = check_proof_file(
        done.stdout, Policy.for_vkey(parse_vkey(vkey.read_text("ascii").strip()))
    )
    assert verdict.ok


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("release:never@1",), 1, "[not_found]"),
        (("entry:7",), 1, "[not_found]"),
        (("shop",), 2, "[ref_invalid]"),
        (("release:shop@1.4.2", "--as-of", "9"), 2, "[query_invalid]"),
        (("entry:0", "--json"), 2, "give -o FILE"),
        (("entry:0", "-o", "/nowhere/at/all.html"), 4, "[file_unreadable]"),
    ],
)
def test_what_cannot_be_proven_is_one_line(
    foil: Foil, recorded: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    done = foil("prove", *words, "--dir", recorded)
    assert (done.code, done.err.count("\n")) == (code, 1), done.err
    assert said in done.err


def test_a_file_is_judged_by_a_policy_the_reader_chose(foil: Foil, page: Path) -> None:
    done = foil("verify", page)
    assert done.code == 2
    assert "give --trust POLICY or --vkey FILE" in done.err


@pytest.mark.parametrize("option", ["--event", "--opening", "--against"])
def test_what_goes_with_other_evidence_is_refused(
    foil: Foil, page: Path, vkey: Path, option: str
) -> None:
    done = foil("verify", page, "--vkey", vkey, option, vkey)
    assert done.code == 2
    assert "[usage]" in done.err


@pytest.mark.parametrize("part", [0.5, 0.99])
def test_a_file_cut_off_is_named(foil: Foil, page: Path, vkey: Path, part: float) -> None:
    page.write_bytes(page.read_bytes()[: int(page.stat().st_size * part)])
    done = foil("verify", page, "--vkey", vkey)
    assert done.code == 1
    assert "cut off" in done.out
    assert "[proof_file_invalid]" in done.out


def test_another_html_file_is_named(foil: Foil, tmp_path: Path, vkey: Path) -> None:
    other = tmp_path / "other.html"
    other.write_text("\ufeff<!DOCTYPE HTML><title>no</title>", "utf-8")
    done = foil("verify", other, "--vkey", vkey)
    assert done.code == 1
    assert "holds no proof data" in done.out


def test_a_policy_that_does_not_know_the_log_is_named(
    foil: Foil, page: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "policy"
    policy.write_text(f"log {STRANGE.vkey}\nquorum none\n", "ascii")
    done = foil("verify", page, "--trust", policy)
    assert done.code == 1
    assert "[key_unknown]" in done.out


def test_a_file_with_a_strangers_key_is_named(foil: Foil, tmp_path: Path, vkey: Path) -> None:
    made_up = tmp_path / "made-up.html"
    made_up.write_bytes(make_page(make_proof(signer=STRANGER)))
    done = foil("verify", made_up, "--vkey", vkey)
    assert done.code == 1
    assert "[key_unknown]" in done.out


def test_code_of_somebody_else_is_said_and_changes_no_verdict(
    foil: Foil, page: Path, vkey: Path
) -> None:
    page.write_bytes(page.read_bytes().replace(b"Proof file", b"Proven file"))
    done = foil("verify", page, "--vkey", vkey)
    assert done.code == 0
    assert "note: the page's code is not that of this version" in done.out


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "served") as server:
        posted = event(subject="release:shop@1.4.2", authid="github.com:ana-dev", authtype="user")
        assert server.call("POST", "/v1/events", posted).status == 201
        yield server


@pytest.mark.parametrize("where", ["--dir", "--url"])
@pytest.mark.parametrize("people", [False, True])
def test_a_server_writes_the_same_file(
    foil: Foil, served: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str,
    people: bool,
) -> None:  # fmt: skip
    monkeypatch.setenv("COUNTERFOIL_TOKEN", served.token)
    target = served.directory if where == "--dir" else f"http://127.0.0.1:{served.port}"
    words = ["--with-people"] if people else []
    for what in ("release:shop@1.4.2", "entry:0"):
        page = tmp_path / "p.html"
        done = foil("prove", what, where, target, "-o", page, "--as-of", "0", *words)
        assert done.code == 0, done.err
        vkey = served.directory / "keys" / "default.vkey"
        assert foil("verify", page, "--vkey", vkey).code == 0
        assert (b"ana-dev" in page.read_bytes()) == people
