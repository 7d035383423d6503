"""Time stamps by an authority of our own making: openssl, with a chain as RFC 3161 wants it."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app.home import Home
from counterfoil.client.evidence import verify_path
from counterfoil.errors import RequestError
from counterfoil.verifier.report import Report
from tests.app.witnessed import make_home, odd_witness, opened, record, until
from tests.tools import needs_tool

CONFIG = """[tsa]
default_tsa = one
[one]
serial = serial
crypto_device = builtin
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
[ext]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[req]
distinguished_name = dn
[dn]
"""


def openssl(where: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=where, check=True, capture_output=True)


def make_authority(where: Path) -> Path:
    """Make the keys and certificates of an authority."""
    needs_tool("openssl")
    where.mkdir()
    (where / "tsa.cnf").write_text(CONFIG)
    (where / "serial").write_text("01\n")
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(where, "req", "-x509", *new_key, "-config", "tsa.cnf", "-extensions", "ca",
            "-subj", "/CN=Root", "-keyout", "root.key", "-out", "root.pem", "-days", "30")  # fmt: skip
    openssl(where, "req", *new_key, "-config", "tsa.cnf", "-subj", "/CN=Stamps",
            "-keyout", "tsa.key", "-out", "tsa.csr")  # fmt: skip
    openssl(where, "x509", "-req", "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key",
            "-set_serial", "7", "-extfile", "tsa.cnf", "-extensions", "ext", "-out", "tsa.pem",
            "-days", "30")  # fmt: skip
    return where


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_authority(tmp_path_factory.mktemp("tsa") / "one")


def stamps(authority: Path) -> Callable[[bytes], Any]:
    def answer(query: bytes) -> Any:
        (authority / "query").write_bytes(query)
        openssl(authority, "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query",
                "-out", "reply")  # fmt: skip
        media = {"Content-Type": "application/timestamp-reply"}
        return 200, media, (authority / "reply").read_bytes()

    return answer


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    make_home(tmp_path / "ledger")
    return tmp_path / "ledger"


def configure(directory: Path, url: str) -> None:
    (directory / "counterfoil.toml").write_text(
        f'[aggregate]\ninterval_s = 1\n[timestamp]\nurl = "{url}/stamp"\ninterval_s = 1\n'
    )


def kept(directory: Path) -> list[str]:
    folder = directory / "timestamps"
    return sorted(path.name for path in folder.glob("[0-9]*")) if folder.exists() else []


def report(directory: Path, tsa: Path) -> Report:
    found = verify_path(str(directory), tsa=tsa)
    assert isinstance(found, Report)
    return found


@pytest.fixture
def stamped(directory: Path, authority: Path) -> Path:
    with odd_witness(stamps(authority)) as server:
        configure(directory, server.url)
        with opened(directory) as home:
            record(home, 0, 1)
            until(lambda: "1.tsr" in kept(directory), "nothing was stamped")
    return directory


def test_the_aggregate_is_stamped_and_the_stamp_verifies(stamped: Path, authority: Path) -> None:
    found = report(stamped, authority / "root.pem")

    assert found.ok, found.findings
    assert any("held 1 entries by 20" in note for note in found.notes)
    assert report(stamped, authority / "root.pem").notes == found.notes


def _another_root(stamped: Path, _authority: Path) -> Path:
    return make_authority(stamped.parent / "two") / "root.pem"


def _another_text(stamped: Path, authority: Path) -> Path:
    """The token stands; the checkpoint beside it is a later one of the same log."""
    path = stamped / "timestamps" / "1.checkpoint"
    path.chmod(0o644)
    with opened(stamped) as home:
        record(home, 5)
    path.write_bytes((stamped / "public" / "_aggregate" / "checkpoint").read_bytes())
    return authority / "root.pem"


def _cut_off(stamped: Path, authority: Path) -> Path:
    path = stamped / "timestamps" / "1.tsr"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:100])
    return authority / "root.pem"


def _stray(stamped: Path, authority: Path) -> Path:
    (stamped / "timestamps" / "hello").write_text("x")
    return authority / "root.pem"


def _no_checkpoint(stamped: Path, authority: Path) -> Path:
    (stamped / "timestamps" / "1.checkpoint").unlink()
    return authority / "root.pem"


WRONG = {
    "an authority nobody trusts": (_another_root, "damaged", "does not hold"),
    "a stamp of another checkpoint": (_another_text, "damaged", "does not hold"),
    "a token that is cut off": (_cut_off, "damaged", "does not hold"),
    "a file that is no token": (_stray, "damaged", "no time stamp"),
    "a token without its checkpoint": (_no_checkpoint, "missing", "not there"),
}


@pytest.mark.parametrize(("spoil", "klass", "words"), WRONG.values(), ids=WRONG.keys())
def test_a_stamp_that_does_not_hold_is_named(
    stamped: Path, authority: Path, spoil: Callable[[Path, Path], Path], klass: str, words: str
) -> None:
    found = report(stamped, spoil(stamped, authority))

    assert {(one.klass, words in one.message) for one in found.findings} == {(klass, True)}


def test_an_answer_that_is_no_token_is_not_kept_and_is_said(directory: Path) -> None:
    with odd_witness(lambda _: (200, {}, b"hello")) as server:
        configure(directory, server.url)
        with opened(directory) as home:
            record(home, 0)
            until(lambda: _said(home, "no time-stamp token"), "it was taken for one")
            record(home, 1)

    assert kept(directory) == []


def test_an_authority_that_is_away_is_no_problem_of_the_log(directory: Path) -> None:
    with odd_witness(lambda _: (500, {}, b"")) as server:
        configure(directory, server.url)
        with opened(directory) as home:
            record(home, 0)
            until(lambda: server.asked, "the authority was not asked")
            record(home, 1)
            assert home.outside.aggregate_problem == ""

    assert kept(directory) == []


def _said(home: Home, words: str) -> bool:
    return words in home.outside.aggregate_problem


def test_a_token_of_another_request_is_not_kept(directory: Path, authority: Path) -> None:
    """A replayed answer is over other bytes and repeats another number."""
    fresh = stamps(authority)
    first: list[Any] = []

    def replay(query: bytes) -> Any:
        first.append(fresh(query)) if not first else None
        return first[0]

    openssl(authority, "ts", "-query", "-data", "tsa.cnf", "-sha256", "-out", "other")
    first.append(fresh((authority / "other").read_bytes()))
    with odd_witness(replay) as server:
        configure(directory, server.url)
        with opened(directory) as home:
            record(home, 0)
            until(lambda: _said(home, "a token of something else"), "it was believed")

    assert kept(directory) == []


@pytest.mark.parametrize("text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_roots_that_are_none_are_a_mistake_of_the_caller(directory: Path, text: str) -> None:
    roots = directory.parent / "roots.pem"
    roots.write_text(text)

    with pytest.raises(RequestError) as refusal:
        report(directory, roots)

    assert refusal.value.code == "usage"
