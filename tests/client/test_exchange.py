"""A job's own token becomes a session: the key, the proof, and what is kept."""

import http.server
import json
import os
import stat
import threading
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from counterfoil.client.address import split_address
from counterfoil.client.bearer import bearer, in_a_job
from counterfoil.client.exchange import (
    FOLDER,
    GRANT,
    JWT,
    KEY,
    MARGIN_S,
    PATH,
    _base,
    job_folder,
    job_key,
    session,
)
from counterfoil.clock import SteppedClock
from counterfoil.errors import CounterfoilError, RequestError, UnavailableError
from counterfoil.policy.possession import check_proof
from tests.issuer import send
from tests.loopback import serving

CLOCK = SteppedClock("2026-03-02T10:00:00.000Z")
LASTS_S = 900


class Exchange(http.server.ThreadingHTTPServer):
    """Takes exchanges as RFC 8693 has them; checks every proof as the server does."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.clock = CLOCK
        self.keys: dict[str, set[str]] = {}
        self.proofs: list[str] = []
        self.projects: list[str] = []
        self.audiences: list[str] = []
        self.answer: bytes | None = None

    @property
    def url(self) -> str:
        """The base address."""
        return f"http://localhost:{self.server_address[1]}"

    def exchange(self, query: str, form: dict[str, str], proof: bytes) -> bytes:
        """Answer one exchange with a session that is named by its number."""
        assert (form["grant_type"], form["subject_token_type"]) == (GRANT, JWT)
        token = form["subject_token"]
        found = check_proof(
            proof, method="POST", url=self.url + PATH, token=token.encode(),
            now_s=self.clock.now().timestamp(),
        )  # fmt: skip
        with self.lock:
            self.keys.setdefault(token, set()).add(found.thumbprint)
            assert found.id not in self.proofs
            self.proofs.append(found.id)
            self.projects.append(urllib.parse.parse_qs(query)["project"][0])
            number = len(self.proofs)
        said = {"access_token": f"session-{number}", "token_type": "Bearer", "expires_in": LASTS_S}
        return self.answer or json.dumps(said).encode()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Exchange

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = dict(urllib.parse.parse_qsl(content, strict_parsing=True))
        query = urllib.parse.urlsplit(self.path).query
        send(self, self.server.exchange(query, form, self.headers["DPoP"].encode()))

    def do_GET(self) -> None:
        """Give out tokens as a runner of GitHub does."""
        if self.headers["Authorization"] != "Bearer runner's":
            send(self, b"{}", 401)
            return
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        self.server.audiences += query["audience"]
        given = f"github.{len(self.server.audiences)}.token"
        send(self, json.dumps({"value": given}).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        pass


@pytest.fixture
def server() -> Iterator[Exchange]:
    with serving(Exchange()) as running:
        yield running


def job(folder: Path, given: str = "a.job.token") -> dict[str, str]:
    return {"COUNTERFOIL_OIDC_TOKEN": given, "COUNTERFOIL_JOB_DIR": str(folder)}


def get(server: Exchange, variables: dict[str, str], clock: SteppedClock = CLOCK) -> str:
    return session(server.url, "shop", variables, clock)


def test_several_commands_of_a_job_share_a_session(server: Exchange, tmp_path: Path) -> None:
    assert [get(server, job(tmp_path)) for _ in range(3)] == ["session-1"] * 3
    assert server.projects == ["shop"]


def test_another_session_is_got_shortly_before_the_first_ends_with_the_same_key(
    server: Exchange, tmp_path: Path
) -> None:
    later = SteppedClock("2026-03-02T10:00:00.000Z")
    assert get(server, job(tmp_path), later) == "session-1"
    later.step(LASTS_S - MARGIN_S - 1)
    assert get(server, job(tmp_path), later) == "session-1"
    later.step(1)
    server.clock = later
    assert get(server, job(tmp_path), later) == "session-2"

    assert [len(keys) for keys in server.keys.values()] == [1]


def test_a_folder_that_two_jobs_use_one_after_the_other_mixes_no_sessions(
    server: Exchange, tmp_path: Path
) -> None:
    """Runners keep workspaces: what the next job records must not be the last one's."""
    assert get(server, job(tmp_path, "job.one")) == "session-1"
    assert get(server, job(tmp_path, "job.two")) == "session-2"
    assert get(server, job(tmp_path, "job.one")) == "session-1"


def test_another_server_or_project_gets_a_session_of_its_own(
    server: Exchange, tmp_path: Path
) -> None:
    get(server, job(tmp_path))

    assert session(server.url, "till", job(tmp_path), CLOCK) == "session-2"
    assert session(f"{server.url}/", "till", job(tmp_path), CLOCK) == "session-2"


def test_commands_that_begin_at_once_make_one_key(server: Exchange, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: get(server, job(tmp_path)), range(16)))

    [keys] = server.keys.values()
    assert len(keys) == 1
    assert sorted(path.name for path in (tmp_path / FOLDER).glob(".job.key-*")) == []


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_the_key_and_the_session_are_for_their_owner_alone(
    server: Exchange, tmp_path: Path
) -> None:
    get(server, job(tmp_path))
    files = [path for path in (tmp_path / FOLDER).iterdir() if path.name != ".gitignore"]

    assert len(files) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_the_folder_makes_no_tree_dirty(server: Exchange, tmp_path: Path) -> None:
    get(server, job(tmp_path))

    assert (tmp_path / FOLDER / ".gitignore").read_text("utf-8") == "*\n"


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_a_key_others_may_read_is_refused(server: Exchange, tmp_path: Path) -> None:
    get(server, job(tmp_path, "job.one"))
    (tmp_path / FOLDER / KEY).chmod(0o644)

    with pytest.raises(RequestError, match="others may read"):
        get(server, job(tmp_path, "job.two"))


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_file_that_is_no_key_is_said_and_left(tmp_path: Path, content: bytes) -> None:
    path = job_folder(job(tmp_path)) / KEY
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(RequestError, match="holds no key of a job"):
        job_key(path.parent)
    assert path.read_bytes() == content


def test_a_kept_session_that_is_broken_is_got_again(server: Exchange, tmp_path: Path) -> None:
    get(server, job(tmp_path))
    [kept] = (tmp_path / FOLDER).glob("session-*.json")
    for number, content in enumerate((b"", b"{", b"[]", b'{"token":7,"until_s":9e9}'), 2):
        kept.write_bytes(content)
        assert get(server, job(tmp_path)) == f"session-{number}"


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(RequestError, match="COUNTERFOIL_JOB_DIR"):
        job_folder(job(tmp_path / "file"))


ADDRESSES = {
    "https://Foil.Example": "https://foil.example",
    "https://foil.example/": "https://foil.example",
    "https://foil.example:443": "https://foil.example",
    "http://localhost:80/": "http://localhost",
    "http://localhost:8000": "http://localhost:8000",
    "https://foil.example:8443/": "https://foil.example:8443",
}


@pytest.mark.parametrize(("given", "named"), ADDRESSES.items(), ids=ADDRESSES.keys())
def test_a_proof_names_a_server_as_it_calls_itself(given: str, named: str) -> None:
    """`https://foil.example:443/` and `https://foil.example` are one address; a proof holds one."""
    assert _base(split_address(given)) == named


# Where a job's token comes from.


def test_github_is_asked_for_a_token_for_this_server(server: Exchange, tmp_path: Path) -> None:
    variables = {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{server.url}/token?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "runner's",
        "RUNNER_TEMP": str(tmp_path),
    }

    assert get(server, variables) == "session-1"
    assert get(server, variables) == "session-1"
    assert session(server.url, "till", variables, CLOCK) == "session-2"
    assert server.audiences == [server.url] * 2
    assert set(server.keys) == {"github.1.token", "github.2.token"}
    assert (tmp_path / FOLDER / KEY).exists()


def test_the_audience_may_be_named(server: Exchange, tmp_path: Path) -> None:
    variables = {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{server.url}/token",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "runner's",
        "COUNTERFOIL_AUDIENCE": "https://foil.example/a&b=c",
        "COUNTERFOIL_JOB_DIR": str(tmp_path),
    }
    get(server, variables)

    assert server.audiences == ["https://foil.example/a&b=c"]


def test_a_job_that_may_not_ask_is_told_which_permission_it_needs(
    server: Exchange, tmp_path: Path
) -> None:
    variables = {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{server.url}/token",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "another's",
        "COUNTERFOIL_JOB_DIR": str(tmp_path),
    }

    with pytest.raises(UnavailableError, match="id-token: write"):
        get(server, variables)


FOUND: dict[str, tuple[dict[str, str], bool]] = {
    "nothing": ({}, False),
    "an empty token": ({"COUNTERFOIL_OIDC_TOKEN": ""}, False),
    "a token": ({"COUNTERFOIL_OIDC_TOKEN": "x"}, True),
    "CircleCI's": ({"CIRCLE_OIDC_TOKEN_V2": "x"}, True),
    "half of GitHub's": ({"ACTIONS_ID_TOKEN_REQUEST_URL": "https://x"}, False),
    "GitHub's": (
        {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://x", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "y"},
        True,
    ),
}


@pytest.mark.parametrize(("variables", "there"), FOUND.values(), ids=FOUND.keys())
def test_a_job_is_known_by_what_its_ci_gives_it(variables: dict[str, str], there: bool) -> None:
    assert in_a_job(variables) is there


def test_a_token_that_was_given_comes_first(tmp_path: Path) -> None:
    variables = {**job(tmp_path), "COUNTERFOIL_TOKEN": "given"}

    assert bearer("http://localhost:9", "shop", variables) == "given"
    assert bearer("http://localhost:9", "shop", {}) == ""
    assert list(tmp_path.iterdir()) == []


def test_circlecis_token_is_taken_where_none_was_asked_for(
    server: Exchange, tmp_path: Path
) -> None:
    variables = {"CIRCLE_OIDC_TOKEN_V2": "circle", "COUNTERFOIL_JOB_DIR": str(tmp_path)}
    get(server, variables)
    get(server, {**variables, "COUNTERFOIL_OIDC_TOKEN": "asked.for"})

    assert list(server.keys) == ["circle", "asked.for"]


# What goes wrong.


def test_a_job_token_is_not_sent_in_the_clear(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="not https"):
        session("http://foil.example", "shop", job(tmp_path), CLOCK)
    assert list(tmp_path.iterdir()) == []


ANSWERS = [b"", b"[]", b"{}", b'{"access_token":"","expires_in":900}', b'{"access_token":"x"}']


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_is_no_answer_is_no_session(server: Exchange, tmp_path: Path, answer: bytes) -> None:
    server.answer = answer or b" "

    with pytest.raises(UnavailableError, match="no answer of Counterfoil"):
        get(server, job(tmp_path))
    assert not list((tmp_path / FOLDER).glob("session-*"))


def test_a_server_that_is_away_is_said_and_nothing_is_kept(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError):
        session("http://localhost:9", "shop", job(tmp_path), CLOCK)
    assert not list((tmp_path / FOLDER).glob("session-*"))


def test_no_message_shows_a_token(tmp_path: Path) -> None:
    """What a command says ends in build logs."""
    secret = "secret.job.token"
    for url in ("http://localhost:9", "http://foil.example", "nonsense"):
        with pytest.raises(CounterfoilError) as error:
            session(url, "shop", job(tmp_path, secret), CLOCK)
        assert secret not in str(error.value)
