"""A job's token becomes a session: who is let in, who is not, and what the log says of it."""

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from joserfc.jwk import RSAKey

from counterfoil.app import jwks
from counterfoil.app.exchange import SESSIONS_MAX
from counterfoil.app.home import Home, open_home
from counterfoil.app.jwks import ASK_AGAIN_S
from counterfoil.clock import SteppedClock
from counterfoil.errors import CounterfoilError, RequestError, UnavailableError
from counterfoil.events.event import make_event
from counterfoil.ids import SystemRandomness
from counterfoil.policy.possession import WINDOW_S
from counterfoil.stores.state_jobs import JobSession
from tests.ci_tokens import (
    KINDS,
    MADE_S,
    NOW_S,
    ORGANIZATION,
    claims_of,
    ec_key,
    okp_key,
    prove,
    rsa_key,
    sign,
)
from tests.exchanging import URL, Ci, said
from tests.issuer import KEYS, Issuer, failing, issuing, redirecting, send

EVENT = make_event(
    type="com.example.step.finished",
    source="https://ci.example/acme/shop",
    id="1",
    time="2026-03-02T09:56:00Z",
    authtype="service_account",
    authid="ci.example:acme/shop",
)
COMMIT = "9b1c7f3a2d5e4c6f8a0b1c2d3e4f5a6b7c8d9e0f"


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock("2026-03-02T09:56:00.000Z")


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing(Issuer()) as running:
        running.keys = (rsa_key("one"),)
        yield running


@pytest.fixture
def ci(home: Home, issuer: Issuer) -> Ci:
    found = Ci(home, issuer)
    found.trust()
    return found


def refusal(ci: Ci, token: bytes, **bringing: object) -> str:
    """Return code and reason a token is refused with, and see that nothing came of it."""
    before = len(said(ci.home, "session.opened"))
    with pytest.raises(CounterfoilError) as error:
        ci.bring(token, **bringing)  # type: ignore[arg-type]
    assert token.decode("latin-1") not in error.value.message
    assert error.value.message.isascii()
    assert len(said(ci.home, "session.opened")) == before
    reason = error.value.facts.get("reason")
    return f"{error.value.code}: {reason}" if reason else error.value.code


def test_the_samples_are_of_the_time_of_the_clock(clock: SteppedClock) -> None:
    assert clock.now().timestamp() == NOW_S


def test_a_job_records_within_what_its_rule_says_and_no_longer(ci: Ci, clock: SteppedClock) -> None:
    opened = ci.bring(ci.token())
    credential = ci.credential(opened)

    assert credential is not None
    place = ci.issuer.url.removeprefix("http://").replace(":", "_")
    assert (credential.kind, credential.handle) == ("ci", f"ci:github@{place}:74")
    assert ci.home.access.decide(credential, "record", "default").allowed
    assert ci.home.access.decide(credential, "report", "default").allowed
    assert not ci.home.access.decide(credential, "read", "default").allowed
    assert not ci.home.access.decide(credential, "record", "other").allowed
    assert not ci.home.access.decide(credential, "trust", "_access").allowed
    clock.step(opened.lasts_s - 0.001)
    assert ci.credential(opened) is not None
    clock.step(0.001)
    assert ci.credential(opened) is None


@pytest.mark.parametrize("kind", KINDS)
def test_the_log_says_which_job_was_let_in_by_which_rule(kind: str, home: Home) -> None:
    """Names are shown, ids are the account; nobody's login or mail is kept."""
    path = f"/org/{ORGANIZATION}" if kind == "circleci" else ""
    with issuing(Issuer(path=path)) as issuer:
        issuer.keys = (rsa_key("one"),)
        ci = Ci(home, issuer, kind)
        rule = ci.trust()
        opened = ci.bring(ci.token())

    [entry] = said(home, "session.opened")
    data = entry.event["data"]
    assert isinstance(data, dict)
    claims = data["claims"]
    assert isinstance(claims, dict)
    assert (entry.entry.subject, data["how"], data["with"]) == (opened.id, "ci", rule)
    assert entry.entry.recordedby == opened.id
    assert claims["sub"] == claims_of(kind)["sub"]
    assert "ana@acme.example" not in json.dumps(entry.event)
    if kind == "github":
        about = [one.ref for one in entry.entry.refs if one.role == "about"]
        place = issuer.url.removeprefix("http://")
        assert about == [
            f"commit:{place}/acme/checkout@{COMMIT}",
            f"run:{place}/acme/checkout/7001",
        ]


def test_what_a_job_records_is_proven_to_be_its_sessions(ci: Ci) -> None:
    """From its first entry on: not only once somebody changes who may."""
    opened = ci.bring(ci.token())
    credential = ci.credential(opened)
    assert credential is not None
    event = make_event(
        type=EVENT.type,
        source=EVENT.source,
        id="its own",
        time=EVENT.time,
        authtype="service_account",
        authid=credential.handle,
    )
    [answer] = ci.home.recorder.record("default", [event], credential, "api")

    view = ci.home.reader.entry("default", answer.index)
    assert view.entry.recordedby == opened.id
    holder = ci.home.access.directory.actors[credential.actor].handle
    assert (view.actor.how, view.actor.prover, view.actor.matched) == ("proven", holder, holder)


def test_a_session_of_a_job_leaves_what_is_remembered_of_who_may(ci: Ci) -> None:
    """Every job has one; if each forgot all decisions, a busy CI would have all of them asked anew."""
    access = ci.home.access
    spread: list[int] = []
    access.changed.append(lambda: spread.append(access.version))
    version = access.version

    opened = ci.bring(ci.token())

    assert (access.version, spread) == (version, [])
    assert access.directory.holder_of(opened.id) is not None


# One token, one key.


def test_several_commands_of_a_job_come_under_its_key(ci: Ci) -> None:
    token = ci.token()
    ids = {ci.bring(token).id for _ in range(3)}

    assert len(ids) == 3


@pytest.mark.parametrize("other", [okp_key("thief"), ec_key("thief")], ids=["Ed25519", "P-256"])
def test_a_copied_token_under_another_key_is_a_replay(ci: Ci, other: object) -> None:
    token = ci.token()
    ci.bring(token)

    assert refusal(ci, token, key=other) == "job_token_replayed"
    assert ci.bring(token).token


def test_a_token_signed_anew_by_its_issuer_is_still_the_same_token(ci: Ci) -> None:
    """PS256 signatures differ each time; the jti does not."""
    free = RSAKey.import_key(
        {**RSAKey.generate_key(2048).as_dict(private=True), "kid": "free", "use": "sig"}
    )
    ci.issuer.keys = (free,)
    claims = claims_of("github", iss=ci.issuer.url)
    ci.bring(sign(claims, free, algorithm="PS256"))

    assert refusal(ci, sign(claims, free, algorithm="PS256"), key=okp_key("thief")) == (
        "job_token_replayed"
    )


def test_a_circleci_token_is_told_by_what_was_signed(home: Home) -> None:
    """CircleCI gives no jti; a token without one of another CI is refused."""
    with issuing(Issuer(path=f"/org/{ORGANIZATION}")) as issuer:
        issuer.keys = (rsa_key("one"),)
        ci = Ci(home, issuer, "circleci")
        ci.trust()
        token, other = ci.token(), ci.token(iat=MADE_S + 1)
        ci.bring(token)

        assert refusal(ci, token, key=okp_key("thief")) == "job_token_replayed"
        assert ci.bring(other, okp_key("another job")).token


def test_of_two_who_come_at_once_one_is_first(ci: Ci) -> None:
    token = ci.token()
    keys = [okp_key(f"racer {number}") for number in range(8)]

    def race(number: int) -> str:
        try:
            ci.bring(token, keys[number])
        except RequestError as error:
            return error.code
        return "in"

    with ThreadPoolExecutor(8) as pool:
        came = sorted(pool.map(race, range(8)))

    assert came == ["in", *["job_token_replayed"] * 7]


def test_the_binding_outlives_a_restart(
    ci: Ci, home: Home, directory: Path, clock: SteppedClock
) -> None:
    token = ci.token()
    opened = ci.bring(token)
    home.close()
    with open_home(directory, clock, SystemRandomness()) as again:
        after = Ci(again, ci.issuer)

        assert refusal(after, token, key=okp_key("thief")) == "job_token_replayed"
        assert after.bring(token).token
        assert after.credential(opened) is not None


def test_what_is_remembered_goes_when_the_token_could_not_come_again(
    ci: Ci, home: Home, clock: SteppedClock
) -> None:
    ci.bring(ci.token())
    clock.step(86_400)
    later = NOW_S + 86_400
    ci.bring(ci.token(jti="later", iat=later, nbf=later, exp=later + 60))
    with home.state._transaction() as connection:
        counts = [
            connection.execute(sa.select(sa.func.count()).select_from(sa.table(name))).scalar_one()
            for name in ("job_tokens", "job_proofs", "job_sessions")
        ]

    assert counts == [1, 1, 1]


# Proofs.


def test_a_stolen_proof_is_worth_nothing_the_second_time(ci: Ci) -> None:
    token = ci.token()
    proof = prove(token, okp_key("job"), url=URL)
    ci.bring(token, proof=proof)

    assert refusal(ci, token, proof=proof) == "proof_invalid"


def test_a_stolen_proof_stays_used_for_as_long_as_it_could_count(
    ci: Ci, clock: SteppedClock
) -> None:
    token = ci.token()
    proof = prove(token, okp_key("job"), url=URL, made_s=NOW_S + WINDOW_S)
    ci.bring(token, proof=proof)
    clock.step(2 * WINDOW_S)

    assert refusal(ci, token, proof=proof) == "proof_invalid"


def test_a_proof_of_another_call_is_none_of_this_one(ci: Ci) -> None:
    token, other = ci.token(), ci.token(jti="other")

    assert refusal(ci, token, proof=prove(other, okp_key("job"), url=URL)) == "proof_invalid"
    assert refusal(ci, token, url="https://evil.example/v1/token/exchange") == "proof_invalid"
    assert refusal(ci, token, made_s=NOW_S - WINDOW_S - 1) == "proof_invalid"
    assert refusal(ci, token, proof=b"x") == "proof_invalid"


def test_a_refused_proof_binds_nothing(ci: Ci) -> None:
    """Else whoever reads a token first could keep its job out."""
    token = ci.token()
    refusal(ci, token, key=okp_key("thief"), url="https://evil.example")

    assert ci.bring(token).token


# Tokens that are not let in.

FOREIGN = {
    "expired": ({"exp": NOW_S - 31}, "job_token_invalid: expired"),
    "not yet valid": ({"nbf": NOW_S + 600, "exp": NOW_S + 700}, "job_token_invalid: not_yet"),
    "for somebody else": ({"aud": "https://elsewhere.example"}, "job_token_invalid: audience"),
    "without a jti": ({"jti": None}, "job_token_invalid: jti"),
    "of another repository": ({"repository_id": "75"}, "job_token_refused: id"),
    "of another repository under the same name": (
        {"repository_id": "75", "repository": "acme/checkout"},
        "job_token_refused: id",
    ),
    "of another workflow": ({"job_workflow_ref": "x"}, "job_token_refused: workflow"),
}


@pytest.mark.parametrize(("changed", "expected"), FOREIGN.values(), ids=FOREIGN.keys())
def test_a_token_is_refused_by_what_it_says(
    ci: Ci, changed: dict[str, object], expected: str
) -> None:
    assert refusal(ci, ci.token(**changed)) == expected


def test_the_same_repository_under_another_name_is_let_in(ci: Ci) -> None:
    assert ci.bring(
        ci.token(repository="acme/till", sub="repo:acme/till:ref:refs/heads/main")
    ).token


def test_a_rule_for_other_ids_is_not_told_to_strangers(ci: Ci) -> None:
    """Anybody may have a public CI sign a token for our audience, and ask."""
    with pytest.raises(RequestError) as error:
        ci.bring(ci.token(repository_id="666"))

    assert "74" not in error.value.message
    assert "release.yml" not in error.value.message


def test_a_job_somebody_had_a_shell_in_is_refused(home: Home) -> None:
    with issuing(Issuer(path=f"/org/{ORGANIZATION}")) as issuer:
        issuer.keys = (rsa_key("one"),)
        ci = Ci(home, issuer, "circleci")
        ci.trust()
        rerun = {"oidc.circleci.com/ssh-rerun": True}

        assert refusal(ci, ci.token(**rerun)) == "job_token_refused: ssh_rerun"


def test_a_token_for_another_project_is_refused(ci: Ci) -> None:
    assert refusal(ci, ci.token(), project="other") == "job_token_refused: project"


def test_an_issuer_no_rule_names_is_not_even_asked(ci: Ci) -> None:
    with issuing(Issuer()) as stranger:
        stranger.keys = (rsa_key("one"),)
        token = sign(claims_of("github", iss=stranger.url), rsa_key("one"))

        assert refusal(ci, token) == "job_token_refused: issuer"
        assert stranger.asked == []


def _encode(value: object) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")


def test_a_token_nobody_signed_is_refused(ci: Ci) -> None:
    claims = _encode(claims_of("github", iss=ci.issuer.url))
    unsigned = _encode({"alg": "none", "kid": "one"}) + b"." + claims + b"."

    assert refusal(ci, unsigned) == "job_token_invalid: form"
    assert refusal(ci, unsigned + b"AA") == "job_token_invalid: alg"


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(ci: Ci) -> None:
    public = RSAKey.import_key(rsa_key("one").as_dict(private=False)).as_pem(private=False)
    signed = _encode({"alg": "HS256", "kid": "one"}) + b"."
    signed += _encode(claims_of("github", iss=ci.issuer.url))
    forged = hmac.new(public, signed, hashlib.sha256).digest()

    assert refusal(ci, signed + b"." + base64.urlsafe_b64encode(forged).rstrip(b"=")) == (
        "job_token_invalid: alg"
    )


def test_a_token_by_a_key_its_issuer_does_not_have_is_refused(ci: Ci) -> None:
    claims = claims_of("github", iss=ci.issuer.url)

    assert refusal(ci, sign(claims, rsa_key("two"))) == "job_token_invalid: kid"
    forged = RSAKey.generate_key(2048, {"kid": "one"})
    assert refusal(ci, sign(claims, forged)) == "job_token_invalid: signature"
    assert refusal(ci, sign(claims, rsa_key("one"), {"kid": ""})) == "job_token_invalid: kid"


def test_the_log_says_that_an_issuer_changed_a_key_under_its_name(
    ci: Ci, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rotation has a name of its own; whoever swaps a key under one may not be the issuer."""
    monkeypatch.setattr(jwks, "FRESH_S", 0.0)
    monkeypatch.setattr(jwks, "ASK_AGAIN_S", 0.0)
    other = RSAKey.generate_key(2048, {"kid": "one"})
    ci.bring(ci.token())
    assert not said(ci.home, "trust.rekeyed")
    ci.issuer.keys = (other,)

    assert refusal(ci, ci.token()) == "job_token_invalid: signature"

    [entry] = said(ci.home, "trust.rekeyed")
    [rule] = ci.home.jobs.rules()
    assert (entry.entry.subject, entry.entry.recordedby) == (rule, "server")
    assert entry.event["data"] == {
        "issuer": ci.issuer.url,
        "kid": "one",
        "before": rsa_key("one").thumbprint(),
        "after": other.thumbprint(),
    }


def test_a_key_a_token_brings_along_opens_nothing(ci: Ci) -> None:
    forger = RSAKey.generate_key(2048, {"kid": "mine"})
    with issuing(Issuer()) as evil:
        evil.keys = (forger,)
        brought = {"jku": f"{evil.url}{KEYS}", "jwk": forger.as_dict(private=False)}
        token = sign(claims_of("github", iss=ci.issuer.url), forger, brought)

        assert refusal(ci, token) == "job_token_invalid: kid"
        assert evil.asked == []


AWAY = {
    "down": failing(503),
    "huge": lambda handler: send(handler, b"x" * 10_000_000),
    "elsewhere": redirecting("https://evil.example/keys"),
    "no keys": lambda handler: send(handler, b"<html>"),
}


@pytest.mark.parametrize("respond", AWAY.values(), ids=AWAY.keys())
def test_an_issuer_whose_keys_cannot_be_got_lets_nobody_in(ci: Ci, respond: object) -> None:
    ci.issuer.instead[KEYS] = respond  # type: ignore[assignment]

    with pytest.raises(UnavailableError) as error:
        ci.bring(ci.token())
    assert error.value.code == "issuer_unreachable"
    assert error.value.facts["retry_after_s"] == ASK_AGAIN_S


def test_a_flood_of_strangers_costs_the_issuer_one_question(ci: Ci) -> None:
    claims = claims_of("github", iss=ci.issuer.url)
    ci.bring(ci.token())
    asked = len(ci.issuer.asked)
    for number in range(50):
        token = sign(claims, rsa_key("two"), {"kid": f"k{number}"})
        assert refusal(ci, token) == "job_token_invalid: kid"

    assert len(ci.issuer.asked) == asked


def test_a_job_that_asks_without_end_is_told_to_wait(ci: Ci) -> None:
    """A session is an event for ever; a job that forgets to keep its own must not fill the log."""
    token = ci.token()
    bound = hashlib.sha256(
        b"\0".join((ci.issuer.url.encode(), b"jti", claims_of("github")["jti"].encode()))
    ).digest()
    for number in range(SESSIONS_MAX):
        digest = hashlib.sha256(str(number).encode()).digest()
        ci.home.state.jobs.add(
            JobSession(digest, f"session:{number}", "trust:x", "ci:x", bound, "2027")
        )

    assert refusal(ci, token) == "busy"
    assert ci.bring(ci.token(jti="another job")).token


# Secrets.


def test_no_token_proof_or_session_is_logged_or_kept(
    ci: Ci, caplog: pytest.LogCaptureFixture, directory: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    token = ci.token()
    proof = prove(token, okp_key("job"), url=URL)
    opened = ci.bring(token, proof=proof)
    refusal(ci, token, key=okp_key("thief"))
    ci.home.state._engine.dispose()
    ci.home.close()

    files = [path for path in directory.rglob("*") if path.is_file()]
    assert len(files) > 5
    for secret in (token, proof, opened.token.encode()):
        # Parts too: a token cut off is still most of a token.
        for part in (secret, secret[-40:]):
            assert part.decode() not in caplog.text
            assert not [path for path in files if part in path.read_bytes()]
