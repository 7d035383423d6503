"""The keys of issuers: kept, asked for again, and never guessed."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from counterfoil.app import jwks
from counterfoil.app.jwks import ASK_AGAIN_S, FRESH_S, STALE_S, KeyBook, Rekeyed
from counterfoil.app.outbound import NotFetchedError, fetch
from counterfoil.errors import RequestError, UnavailableError
from counterfoil.policy.jws import KEYS_MAX_BYTES, check_signature, parse_token, thumbprint
from tests.ci_tokens import claims_of, ec_key, rsa_key, sign
from tests.issuer import (
    DESCRIPTION,
    KEYS,
    Issuer,
    failing,
    issuing,
    make_tls,
    redirecting,
    send,
)

ONCE = [DESCRIPTION, KEYS]


class Time:
    """A monotonic clock that moves when told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now_s


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing(Issuer()) as running:
        running.keys = (rsa_key("one"),)
        yield running


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def book(time: Time) -> KeyBook:
    return KeyBook(monotonic_s=time)


def refused(book: KeyBook, issuer: Issuer, kid: str) -> str:
    """Return the code that asking for a key ends with."""
    with pytest.raises((RequestError, UnavailableError)) as error:
        book.key(issuer.url, kid, private=True)
    return error.value.code


def test_a_key_is_found_by_discovery_and_kept(book: KeyBook, issuer: Issuer, time: Time) -> None:
    key = book.key(issuer.url, "one", private=True)
    time.now_s += FRESH_S - 1

    assert thumbprint(key) == rsa_key("one").thumbprint()
    assert book.key(issuer.url, "one", private=True) is key
    assert issuer.asked == ONCE


def test_an_issuer_may_be_a_path_of_a_host(book: KeyBook) -> None:
    """CircleCI has one for each organization."""
    with issuing(Issuer(path="/org/f22b6566")) as issuer:
        issuer.keys = (ec_key("two"),)

        assert thumbprint(book.key(issuer.url, "two", private=True)) == ec_key("two").thumbprint()


def test_keys_come_over_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, book: KeyBook, time: Time
) -> None:
    tls, certificate = make_tls(tmp_path)
    with issuing(Issuer(tls=tls)) as issuer:
        issuer.keys = (rsa_key("one"),)
        assert refused(book, issuer, "one") == "issuer_unreachable"
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        time.now_s += ASK_AGAIN_S

        assert thumbprint(book.key(issuer.url, "one", private=True)) == rsa_key("one").thumbprint()


# Keys that change.


def test_a_new_key_counts_as_soon_as_a_token_names_it(
    book: KeyBook, issuer: Issuer, time: Time
) -> None:
    """Rotation with overlap: both keys are published for a while."""
    book.key(issuer.url, "one", private=True)
    issuer.keys = (rsa_key("one"), rsa_key("two"))
    time.now_s += ASK_AGAIN_S

    assert thumbprint(book.key(issuer.url, "two", private=True)) == rsa_key("two").thumbprint()
    assert thumbprint(book.key(issuer.url, "one", private=True)) == rsa_key("one").thumbprint()
    assert issuer.asked == ONCE * 2


def test_a_key_that_is_withdrawn_counts_no_more_once_the_keys_are_asked_for(
    book: KeyBook, issuer: Issuer, time: Time
) -> None:
    book.key(issuer.url, "one", private=True)
    issuer.keys = (rsa_key("two"),)
    time.now_s += FRESH_S

    assert refused(book, issuer, "one") == "job_token_invalid"


def test_a_key_that_changes_under_its_name_is_believed_and_told(issuer: Issuer, time: Time) -> None:
    told: list[Rekeyed] = []
    book = KeyBook(told.append, monotonic_s=time)
    old = sign(claims_of("github"), rsa_key("one"))
    check_signature(parse_token(old), book.key(issuer.url, "one", private=True))
    other = RSAKey.generate_key(2048, {"kid": "one"})
    issuer.keys = (other, rsa_key("two"))
    time.now_s += FRESH_S

    key = book.key(issuer.url, "one", private=True)

    before, after = rsa_key("one").thumbprint(), other.thumbprint()
    assert told == [Rekeyed(issuer.url, "one", before, after)]
    assert check_signature(parse_token(sign(claims_of("github"), other)), key)
    with pytest.raises(RequestError, match="not signed by its issuer's key"):
        check_signature(parse_token(old), key)


def test_keys_that_stay_are_not_told(issuer: Issuer, time: Time) -> None:
    told: list[tuple[str, str]] = []
    book = KeyBook(lambda *what: told.append(what), monotonic_s=time)
    book.key(issuer.url, "one", private=True)
    time.now_s += FRESH_S
    book.key(issuer.url, "one", private=True)

    assert issuer.asked == ONCE * 2
    assert told == []


# An issuer that is away, or lies.


def test_keys_count_for_a_while_when_their_issuer_is_down(
    book: KeyBook, issuer: Issuer, time: Time
) -> None:
    book.key(issuer.url, "one", private=True)
    issuer.instead[DESCRIPTION] = failing(503)
    time.now_s += STALE_S - 1
    assert thumbprint(book.key(issuer.url, "one", private=True)) == rsa_key("one").thumbprint()

    time.now_s += 1

    assert refused(book, issuer, "one") == "issuer_unreachable"


def test_a_key_that_may_be_a_fresh_one_is_not_refused_while_the_issuer_is_down(
    book: KeyBook, issuer: Issuer, time: Time
) -> None:
    """Its token may be good: who brings it should try again, not give up."""
    book.key(issuer.url, "one", private=True)
    issuer.instead[KEYS] = failing(500)
    time.now_s += ASK_AGAIN_S

    assert refused(book, issuer, "two") == "issuer_unreachable"
    assert refused(book, issuer, "two") == "issuer_unreachable"
    assert thumbprint(book.key(issuer.url, "one", private=True)) == rsa_key("one").thumbprint()


def test_an_issuer_that_never_answered_lets_nobody_in_and_says_when_to_come_back(
    book: KeyBook, issuer: Issuer
) -> None:
    issuer.instead[DESCRIPTION] = failing(500)

    with pytest.raises(UnavailableError) as error:
        book.key(issuer.url, "one", private=True)

    assert error.value.code == "issuer_unreachable"
    assert error.value.facts == {"retry_after_s": int(ASK_AGAIN_S)}
    assert "answered 500" in error.value.message


def _describe(content: bytes) -> Callable[[Issuer], None]:
    return lambda issuer: issuer.instead.update({DESCRIPTION: lambda one: send(one, content)})


def _publish(content: bytes) -> Callable[[Issuer], None]:
    return lambda issuer: issuer.instead.update({KEYS: lambda one: send(one, content)})


def _redirect(path: str) -> Callable[[Issuer], None]:
    return lambda issuer: issuer.instead.update({path: redirecting(f"{issuer.url}/other")})


def _change(**members: Any) -> Callable[[Issuer], None]:
    return lambda issuer: vars(issuer).update(members)


def _lengthen(issuer: Issuer) -> None:
    issuer.named = f"{issuer.url}/"


def _name_no_keys(issuer: Issuer) -> None:
    _describe(json.dumps({"issuer": issuer.url}).encode())(issuer)


LIES: dict[str, Callable[[Issuer], None]] = {
    "calls itself somebody else": _change(named="https://token.actions.githubusercontent.com"),
    "calls itself by a longer name": _lengthen,
    "redirects its description": _redirect(DESCRIPTION),
    "redirects its keys": _redirect(KEYS),
    "keeps its keys where no TLS is": _change(keys_url="http://elsewhere.example/keys"),
    "keeps its keys in a file": _change(keys_url="file:///etc/passwd"),
    "keeps its keys at a cloud's credentials": _change(keys_url="https://169.254.169.254/latest"),
    "names no keys": _name_no_keys,
    "describes itself twice": _describe(b'{"issuer":"a","issuer":"b"}'),
    "describes itself in a list": _describe(b"[]"),
    "describes itself endlessly": _describe(b" " * (jwks.DISCOVERY_MAX_BYTES + 1)),
    "has keys without end": _publish(b" " * (KEYS_MAX_BYTES + 1)),
    "has no keys": _change(keys=()),
    "has keys that are no JSON": _publish(b"<html>"),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_an_issuer_that_lies_lets_nobody_in(
    book: KeyBook, issuer: Issuer, lie: Callable[[Issuer], None]
) -> None:
    lie(issuer)

    assert refused(book, issuer, "one") == "issuer_unreachable"
    assert "/other" not in issuer.asked


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_an_issuer_that_begins_to_lie_changes_no_key(
    book: KeyBook, issuer: Issuer, time: Time, lie: Callable[[Issuer], None]
) -> None:
    book.key(issuer.url, "one", private=True)
    lie(issuer)
    time.now_s += FRESH_S

    assert thumbprint(book.key(issuer.url, "one", private=True)) == rsa_key("one").thumbprint()


def test_an_issuer_in_a_private_network_is_asked_only_where_its_rule_says_so(
    book: KeyBook, issuer: Issuer
) -> None:
    with pytest.raises(UnavailableError, match="no public address"):
        book.key(issuer.url, "one")
    assert issuer.asked == []


# Floods.


def test_a_flood_of_unknown_keys_asks_the_issuer_once(
    book: KeyBook, issuer: Issuer, time: Time
) -> None:
    book.key(issuer.url, "one", private=True)
    time.now_s += ASK_AGAIN_S
    with ThreadPoolExecutor(16) as pool:
        codes = set(pool.map(lambda place: refused(book, issuer, f"x{place}"), range(500)))
        later = set(pool.map(lambda place: refused(book, issuer, f"y{place}"), range(500)))

    assert codes <= {"job_token_invalid", "issuer_unreachable"}
    assert later == {"job_token_invalid"}
    assert issuer.asked == ONCE * 2


def test_many_at_once_ask_the_issuer_once(book: KeyBook, issuer: Issuer) -> None:
    with ThreadPoolExecutor(jwks.WAITING_MAX) as pool:
        found = list(
            pool.map(
                lambda _: thumbprint(book.key(issuer.url, "one", private=True)),
                range(jwks.WAITING_MAX),
            )
        )

    assert found == [rsa_key("one").thumbprint()] * jwks.WAITING_MAX
    assert issuer.asked == ONCE


def test_who_holds_a_known_key_waits_for_nobody(issuer: Issuer, time: Time) -> None:
    """A slow issuer, asked because of a stranger's token, must not stop the others."""
    let, asked = threading.Event(), threading.Event()
    slow = False

    def get(url: str, *, private: bool, limit_bytes: int, timeout_s: float) -> bytes:
        if slow:
            asked.set()
            let.wait(10)
        return fetch(url, private=private, limit_bytes=limit_bytes, timeout_s=timeout_s)

    book = KeyBook(get=get, monotonic_s=time)
    key = book.key(issuer.url, "one", private=True)
    slow = True
    time.now_s += ASK_AGAIN_S
    with ThreadPoolExecutor(1) as pool:
        stranger = pool.submit(refused, book, issuer, "x")
        asked.wait(10)
        found = book.key(issuer.url, "one", private=True)
        finished = stranger.done()
        let.set()

    assert found is key
    assert not finished
    assert stranger.result() == "job_token_invalid"


def test_few_wait_for_a_slow_issuer_and_the_rest_are_sent_away(issuer: Issuer, time: Time) -> None:
    """Each who waits holds a thread that others need."""
    let = threading.Event()
    waiting = threading.Barrier(2)
    first = True

    def get(url: str, *, private: bool, limit_bytes: int, timeout_s: float) -> bytes:
        nonlocal first
        if first:
            first = False
            waiting.wait(10)
            let.wait(10)
        return fetch(url, private=private, limit_bytes=limit_bytes, timeout_s=timeout_s)

    book = KeyBook(get=get, monotonic_s=time)
    done: list[str] = []

    def ask() -> str:
        try:
            book.key(issuer.url, "one", private=True)
        except UnavailableError as error:
            done.append(error.code)
            if len(done) == 3:
                let.set()
            return error.code
        return "found"

    with ThreadPoolExecutor(jwks.WAITING_MAX + 3) as pool:
        opening = pool.submit(ask)
        waiting.wait(10)
        others = [pool.submit(ask) for _ in range(jwks.WAITING_MAX + 2)]
        answers = [one.result() for one in (opening, *others)]

    assert answers.count("issuer_unreachable") == 3
    assert answers.count("found") == jwks.WAITING_MAX


def test_a_failure_is_not_repeated_for_every_token(book: KeyBook, issuer: Issuer) -> None:
    issuer.instead[DESCRIPTION] = failing(500)
    for _ in range(20):
        assert refused(book, issuer, "one") == "issuer_unreachable"

    assert issuer.asked == [DESCRIPTION]


def test_an_issuer_that_is_back_is_asked_after_a_moment(
    book: KeyBook, issuer: Issuer, time: Time
) -> None:
    issuer.instead[DESCRIPTION] = failing(500)
    refused(book, issuer, "one")
    issuer.instead.clear()
    time.now_s += ASK_AGAIN_S

    assert thumbprint(book.key(issuer.url, "one", private=True)) == rsa_key("one").thumbprint()


def test_a_fault_in_getting_keys_leaves_the_book_usable(issuer: Issuer, time: Time) -> None:
    faults = [NotFetchedError("away")]

    def get(url: str, *, private: bool, limit_bytes: int, timeout_s: float) -> bytes:
        if faults:
            raise faults.pop()
        return fetch(url, private=private, limit_bytes=limit_bytes, timeout_s=timeout_s)

    book = KeyBook(get=get, monotonic_s=time)
    assert refused(book, issuer, "one") == "issuer_unreachable"
    time.now_s += ASK_AGAIN_S

    assert thumbprint(book.key(issuer.url, "one", private=True)) == rsa_key("one").thumbprint()
