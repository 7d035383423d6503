"""POST /v1/token/exchange on a running server, and the verbs of a job that use it."""

import json
import os
import shutil
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from counterfoil.client.exchange import FOLDER, GRANT, JWT, KEY, PATH
from counterfoil.policy.access import LOG
from tests.ci_tokens import RULES, claims_of, okp_key, prove, rsa_key, sign
from tests.issuer import Issuer, issuing
from tests.web_server import Reply, Running, event, running

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JUNIT = '<testsuite name="unit"><testcase classname="cart" name="test_total"/></testsuite>'


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing(Issuer()) as started:
        started.keys = (rsa_key("one"),)
        yield started


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("exchange") / "ledger") as server:
        given = {
            "kind": "github",
            "issuer": issuer.url,
            "audience": f"http://{server.host}",
            "claims": [f"{name}={value}" for name, value in RULES["github"].claims.items()],
            "projects": ["default"],
            "private": True,
        }
        assert server.call("POST", "/v1/actions/trust-add", given).status == 200
        yield server


def now_s(server: Running) -> int:
    return int(server.home.clock.now().timestamp())


def token(server: Running, issuer: Issuer, name: str, **changed: Any) -> bytes:
    made = now_s(server)
    claims = claims_of(
        "github", iss=issuer.url, aud=f"http://{server.host}", iat=made, nbf=made, exp=made + 300,
        jti=name,
    )  # fmt: skip
    return sign({**claims, **changed}, rsa_key("one"))


def bring(
    server: Running, given: bytes, key: str = "job", *, query: str = "",
    form: Mapping[str, str] | None = None, proof: bytes = b"", host: str = "",
) -> Reply:  # fmt: skip
    """Exchange a token over HTTP."""
    address = f"http://{host or server.host}{PATH}"
    shown = proof or prove(given, okp_key(key), url=address, made_s=now_s(server))
    asked = {"grant_type": GRANT, "subject_token": given.decode(), "subject_token_type": JWT}
    headers = {**FORM, "DPoP": shown.decode()} | ({"Host": host} if host else {})
    body = urllib.parse.urlencode({**asked, **(form or {})}).encode()
    return server.call("POST", PATH + query, body, headers, token=None)


def test_a_job_gets_a_session_and_records_under_it(served: Running, issuer: Issuer) -> None:
    reply = bring(served, token(served, issuer, "records"))
    got = reply.json()
    posted = served.call("POST", "/v1/events", event(), token=got["access_token"])

    assert reply.status == 200
    assert reply.headers["cache-control"] == "no-store"
    assert (got["token_type"], got["expires_in"]) == ("Bearer", 900)
    assert got["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert got["scope"] == "record report"
    assert posted.status == 201
    index = posted.json()["entries"][0]["index"]
    assert served.get(f"/v1/entries/{index}").json()["entry"]["recordedby"] == got["session"]


def test_a_session_is_good_for_nothing_but_its_rule(served: Running, issuer: Issuer) -> None:
    got = bring(served, token(served, issuer, "scoped")).json()["access_token"]

    assert served.call("GET", "/v1/runs", token=got).code == "not_allowed"
    assert served.call("POST", "/v1/events?project=other", event(), token=got).code == "not_allowed"
    assert served.call("POST", "/v1/actions/trust-list", {}, token=got).code == "not_allowed"


def test_a_replay_is_refused_counted_and_told(served: Running, issuer: Issuer) -> None:
    given = token(served, issuer, "replayed")
    bring(served, given)
    refused = bring(served, given, key="thief")
    served.home.recorder.record_refusals(everything=True)

    assert (refused.status, refused.code) == (403, "job_token_replayed")
    [found] = [
        one["event"]["data"]
        for one in (
            served.get(f"/v1/entries/{index}").json()
            for index in range(served.home.log.head("default").size)
        )
        if one["event"].get("data", {}).get("reason") == "job_token_replayed"
    ]
    assert found["count"] == 1
    assert "was first brought under another key" in found["why"]
    assert "trust:" in found["why"]
    assert found["tried"] == f"POST {PATH}"


def test_a_session_of_the_server_is_reached_under_its_other_name(
    served: Running, issuer: Issuer
) -> None:
    """A job on this machine may say 127.0.0.1; its proof says so too."""
    given = token(served, issuer, "loopback")

    assert bring(served, given, host=f"127.0.0.1:{served.port}").status == 200
    other = prove(given, okp_key("job"), url=f"http://127.0.0.1:{served.port}{PATH}",
                  made_s=now_s(served))  # fmt: skip
    assert bring(served, given, proof=other).code == "proof_invalid"


FORMS: dict[str, dict[str, str]] = {
    "another grant": {"grant_type": "client_credentials"},
    "another kind of token": {"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"},
    "no token": {"subject_token": ""},
    "another token wanted": {"requested_token_type": "urn:ietf:params:oauth:token-type:jwt"},
    "on behalf of somebody": {"actor_token": "x"},
    "a scope of its own": {"scope": "admin"},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_a_form_that_is_none_of_the_standard_is_refused(
    served: Running, issuer: Issuer, form: dict[str, str]
) -> None:
    refused = bring(served, token(served, issuer, "formed"), form=form)

    assert (refused.status, refused.code) == (400, "exchange_invalid")


BODIES = [b"", b"grant_type", b"grant_type=a&grant_type=b", b"\xff=\xff", b"a=%ff", b"&" * 100]


@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_is_no_form_is_refused(served: Running, body: bytes) -> None:
    reply = served.call("POST", PATH, body, {**FORM, "DPoP": "x"}, token=None)

    assert (reply.status, reply.code) == (400, "exchange_invalid")


def test_what_is_no_form_at_all_is_refused(served: Running) -> None:
    assert served.call("POST", PATH, {}, token=None).code == "content_type"
    assert served.call("POST", PATH, b"x" * 40_000, FORM, token=None).code == "body_too_large"


def test_an_exchange_without_a_proof_is_refused(served: Running, issuer: Issuer) -> None:
    given = token(served, issuer, "unproved").decode()
    form = {"grant_type": GRANT, "subject_token": given, "subject_token_type": JWT}
    body = urllib.parse.urlencode(form).encode()

    assert served.call("POST", PATH, body, FORM, token=None).code == "proof_invalid"


def test_an_answer_never_repeats_what_was_sent(served: Running, issuer: Issuer) -> None:
    for changed in ({"aud": "x"}, {"repository_id": "9"}, {"exp": 1}, {"iss": "https://x.example"}):
        given = token(served, issuer, "secret", **changed)
        refused = bring(served, given)

        assert refused.status in {401, 403}
        assert given[-40:] not in refused.body


def test_removing_the_rule_ends_what_runs_under_it(served: Running, issuer: Issuer) -> None:
    given = {
        "kind": "github", "issuer": issuer.url, "audience": f"http://{served.host}",
        "claims": ["repository_id=99", "job_workflow_ref=.github/workflows/x.yml@*"],
        "projects": ["default"], "private": True,
    }  # fmt: skip
    rule = served.call("POST", "/v1/actions/trust-add", given).json()["id"]
    mine = {"repository_id": "99",
            "job_workflow_ref": "acme/checkout/.github/workflows/x.yml@refs/heads/x"}  # fmt: skip
    got = bring(served, token(served, issuer, "removed", **mine)).json()["access_token"]
    assert served.call("POST", "/v1/events", event(), token=got).status == 201

    assert served.call("POST", "/v1/actions/trust-remove", {"rule": rule}).status == 200

    assert served.call("POST", "/v1/events", event(), token=got).code == "token_invalid"


def test_ten_jobs_at_once_are_let_in(served: Running, issuer: Issuer) -> None:
    tokens = [token(served, issuer, f"crowd {number}") for number in range(10)]
    with ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(lambda one: bring(served, one), tokens))

    assert {reply.status for reply in replies} == {200}
    assert len({reply.json()["session"] for reply in replies}) == 10


def test_a_server_with_workers_lets_jobs_in_too(issuer: Issuer, tmp_path: Path) -> None:
    """A worker knows tokens, not sessions of jobs: those go to the process that writes."""
    with running(tmp_path / "ledger", workers=1) as server:
        given = {
            "kind": "github", "issuer": issuer.url, "audience": f"http://{server.host}",
            "claims": [f"{name}={value}" for name, value in RULES["github"].claims.items()],
            "projects": ["default"], "private": True,
        }  # fmt: skip
        rule = server.call("POST", "/v1/actions/trust-add", given).json()["id"]
        got = bring(server, token(server, issuer, "workers")).json()["access_token"]

        assert server.call("POST", "/v1/events", event(), token=got).status == 201
        server.call("POST", "/v1/actions/trust-remove", {"rule": rule})
        assert server.call("POST", "/v1/events", event(), token=got).code == "token_invalid"


# The verbs of a job.


def foil(
    served: Running, folder: Path, given: bytes, *words: str
) -> "subprocess.CompletedProcess[str]":
    """Run a verb as a command of a job."""
    environment = {name: value for name, value in os.environ.items() if "COUNTERFOIL" not in name}
    job = {
        "COUNTERFOIL_URL": f"http://{served.host}",
        "COUNTERFOIL_OIDC_TOKEN": given.decode(),
        "COUNTERFOIL_JOB_DIR": str(folder),
    }
    return subprocess.run(
        [sys.executable, "-m", "counterfoil", *words],
        capture_output=True, text=True, check=False, cwd=folder, env={**environment, **job},
    )  # fmt: skip


def sessions(served: Running) -> int:
    """Return how many sessions of jobs the log says were opened."""
    size = served.home.log.head(LOG).size
    views = [served.home.reader.entry(LOG, index) for index in range(size)]
    return sum("counterfoil-session.opened" in view.entry.type for view in views)


def test_the_verbs_of_a_job_share_one_session(
    served: Running, issuer: Issuer, tmp_path: Path
) -> None:
    """record, run, report, push: no stored secret, one exchange."""
    given = token(served, issuer, "verbs")
    before, size = sessions(served), served.size()
    (tmp_path / "unit.xml").write_text(JUNIT, "utf-8")

    recorded = foil(served, tmp_path, given, "record", "com.example.done", "--json")
    ran = foil(served, tmp_path, given, "run", "--step", "build", "--", sys.executable, "-c", "")
    reported = foil(served, tmp_path, given, "report", "unit.xml")
    pushed = foil(served, tmp_path, given, "push")

    for done in (recorded, ran, reported, pushed):
        assert done.returncode == 0, done.stderr
        assert given.decode() not in done.stdout + done.stderr
    assert sessions(served) == before + 1
    assert served.size() > size + 3
    index = json.loads(recorded.stdout)["index"]
    by = served.get(f"/v1/entries/{index}").json()["entry"]["recordedby"]
    assert by.startswith("session:")


def test_the_plugin_of_a_job_records_without_a_stored_secret(
    served: Running, issuer: Issuer, tmp_path: Path
) -> None:
    (tmp_path / "test_cart.py").write_text("def test_total():\n    assert True\n", "utf-8")
    environment = {name: value for name, value in os.environ.items() if "COUNTERFOIL" not in name}
    job = {
        "COUNTERFOIL_URL": f"http://{served.host}",
        "COUNTERFOIL_OIDC_TOKEN": token(served, issuer, "plugin").decode(),
        "COUNTERFOIL_JOB_DIR": str(tmp_path),
    }
    before = served.size()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--counterfoil=strict", "-p", "no:cacheprovider"],
        capture_output=True, text=True, check=False, cwd=tmp_path, env={**environment, **job},
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert served.size() > before


def test_a_command_whose_key_is_lost_is_told_what_to_keep(
    served: Running, issuer: Issuer, tmp_path: Path
) -> None:
    given = token(served, issuer, "lost")
    assert foil(served, tmp_path, given, "record", "com.example.done").returncode == 0
    shutil.rmtree(tmp_path / FOLDER)

    done = foil(served, tmp_path, given, "record", "com.example.done")

    assert done.returncode == 5
    assert "first brought under another key" in done.stderr
    assert "keep .counterfoil/" in done.stderr
    assert (tmp_path / FOLDER / KEY).exists()


def test_run_goes_on_when_its_job_is_not_let_in(
    served: Running, issuer: Issuer, tmp_path: Path
) -> None:
    """The command's own exit code counts; what was recorded waits in the spool."""
    given = token(served, issuer, "foreign", repository_id="666")

    done = foil(served, tmp_path, given, "run", "--", sys.executable, "-c", "raise SystemExit(3)")

    assert done.returncode == 3
    assert "job_token_refused" in done.stderr
    assert list((tmp_path / ".counterfoil").rglob("*.spool"))
