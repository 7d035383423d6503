"""Passkeys: what is asked of a browser, and every way in which an answer may be wrong."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from counterfoil.app.passkeys import Key, Passkeys
from counterfoil.app.proving import RelyingParty, relying_party
from counterfoil.clock import SteppedClock
from counterfoil.errors import RequestError
from counterfoil.ids import SeededRandomness
from counterfoil.stores.state import State
from tests.authenticator import BACKED_UP, PRESENT, VERIFIED, Authenticator, from_base64url

PARTY = RelyingParty("foil.example", "https://foil.example")
ANA = "actor:ana"
BROWSER = "the secret of a browser"


class Place:
    """A relying party, a browser that is asked, and one passkey of Ana's."""

    def __init__(self, state: State) -> None:
        self.clock = SteppedClock()
        self.passkeys = Passkeys(PARTY, state.sign_in, self.clock, SeededRandomness("x"))
        self.authenticator = Authenticator(PARTY.origin, PARTY.id, counter=7)
        self.key: Key | None = None

    def enrol(self, **client: Any) -> Key:
        """Make Ana's passkey."""
        asked = self.passkeys.ask_to_enrol(
            holder=BROWSER, purpose="enrol", actor=ANA, handle="ana-dev"
        )
        answer = self.authenticator.create(asked, **client)
        made = self.passkeys.check_enrolled(answer, holder=BROWSER, purpose="enrol", actor=ANA)
        self.key = Key(made.id, ANA, made.public_key, made.counter)
        return self.key

    def ask(self) -> str:
        """Return what a browser is asked when somebody signs in."""
        return self.passkeys.ask(holder=BROWSER, purpose="sign-in", detail="/runs")

    def show(self, answer: bytes, **members: Any) -> str:
        """Return whose passkey an answer is, with what it was begun with."""
        how: dict[str, Any] = {"holder": BROWSER, "purpose": "sign-in", "find": self.find}
        shown = self.passkeys.check_shown(answer, **{**how, **members})
        return f"{shown.key.actor} {shown.detail}"

    def find(self, passkey: str) -> Key | None:
        """Return the one passkey there is, by its id."""
        return self.key if self.key is not None and self.key.id == passkey else None

    def sign_in(self, **client: Any) -> str:
        """Ask, and answer with the one authenticator."""
        self.authenticator.counter += 1
        return self.show(self.authenticator.get(self.ask(), **client))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    state = State(tmp_path / "state.db")
    yield Place(state)
    state.close()


def reason(work: Callable[[], object]) -> str:
    with pytest.raises(RequestError) as refused:
        work()
    assert refused.value.code == "sign_in_refused"
    assert "\n" not in refused.value.message
    return str(refused.value.facts["reason"])


# Whom passkeys are for


@pytest.mark.parametrize(
    ("url", "party"),
    [
        ("https://foil.example", PARTY),
        ("https://foil.example/", PARTY),
        ("https://foil.example:8443", RelyingParty("foil.example", "https://foil.example:8443")),
        ("http://localhost:8000", RelyingParty("localhost", "http://localhost:8000")),
        ("http://127.0.0.1:8000", None),
        ("https://10.0.0.5", None),
        ("https://[::1]:8443", None),
        ("http://foil.example", None),
    ],
)  # fmt: skip
def test_passkeys_are_for_a_name_that_is_safe_to_reach(
    url: str, party: RelyingParty | None
) -> None:
    assert relying_party(url) == party


# What is asked


def test_enrolling_asks_for_a_key_that_is_kept_by_the_authenticator_and_verifies_its_user(
    place: Place,
) -> None:
    asked = json.loads(
        place.passkeys.ask_to_enrol(
            holder=BROWSER, purpose="enrol", actor=ANA, handle="ana-dev", known=["b25l"]
        )
    )

    assert asked["rp"]["id"] == "foil.example"
    assert from_base64url(asked["user"]["id"]) == ANA.encode()
    assert asked["user"]["name"] == "ana-dev"
    assert asked["attestation"] == "none"
    assert asked["authenticatorSelection"] == {
        "residentKey": "required", "requireResidentKey": True, "userVerification": "required",
    }  # fmt: skip
    assert [one["id"] for one in asked["excludeCredentials"]] == ["b25l"]
    assert len(from_base64url(asked["challenge"])) == 32


def test_signing_in_asks_for_any_passkey_of_this_host_and_verifies_its_user(place: Place) -> None:
    asked = json.loads(place.ask())

    assert (asked["rpId"], asked["userVerification"]) == ("foil.example", "required")
    assert asked["allowCredentials"] == []


def test_no_challenge_is_given_twice(place: Place) -> None:
    assert len({json.loads(place.ask())["challenge"] for _ in range(20)}) == 20


# What comes back, as it should


def test_a_passkey_that_was_enrolled_says_whose_it_is(place: Place) -> None:
    place.enrol()

    assert place.sign_in() == place.sign_in() == f"{ANA} /runs"


def test_what_is_known_of_a_fresh_passkey_is_kept(place: Place) -> None:
    place.authenticator.flags |= BACKED_UP
    asked = place.passkeys.ask_to_enrol(
        holder=BROWSER, purpose="enrol", actor=ANA, handle="ana-dev", detail="laptop"
    )
    made = place.passkeys.check_enrolled(
        place.authenticator.create(asked), holder=BROWSER, purpose="enrol", actor=ANA
    )

    assert (made.id, made.counter, made.backed_up) == (place.authenticator.id, 7, True)
    assert (made.aaguid, made.detail) == ("", "laptop")


def test_anybody_can_check_what_was_shown_with_the_public_key_alone(place: Place) -> None:
    """An approval is checked years later, by somebody who has no server."""
    import hashlib

    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = place.enrol()
    place.authenticator.counter += 1
    shown = place.passkeys.check_shown(
        place.authenticator.get(place.ask()), holder=BROWSER, purpose="sign-in", find=place.find
    )

    signed = shown.authenticator_data + hashlib.sha256(shown.client_data).digest()
    place.authenticator.key.public_key().verify(shown.signature, signed, ec.ECDSA(hashes.SHA256()))
    assert shown.key == key


# What comes back wrong


def test_a_replayed_answer_is_refused(place: Place) -> None:
    place.enrol()
    place.authenticator.counter += 1
    answer = place.authenticator.get(place.ask())
    place.show(answer)

    assert reason(lambda: place.show(answer)) == "challenge"


def test_an_answer_that_comes_too_late_is_refused(place: Place) -> None:
    place.enrol()
    asked = place.ask()
    place.clock.step(301)

    assert reason(lambda: place.show(place.authenticator.get(asked))) == "challenge"


def test_a_challenge_we_never_gave_is_refused(place: Place) -> None:
    place.enrol()

    assert reason(lambda: place.sign_in(challenge="AAAA")) == "challenge"


@pytest.mark.parametrize(
    "members",
    [{"holder": "another browser"}, {"purpose": "step-up"}, {"actor": "actor:bo"}],
    ids=["another session", "another purpose", "another person"],
)
def test_a_challenge_of_another_question_is_refused_and_used_up(
    place: Place, members: dict[str, str]
) -> None:
    place.enrol()
    place.authenticator.counter += 1
    answer = place.authenticator.get(place.ask())

    assert reason(lambda: place.show(answer, **members)) == "challenge"
    assert reason(lambda: place.show(answer)) == "challenge"


def test_a_passkey_of_somebody_else_does_not_answer_for_a_person(place: Place) -> None:
    key = place.enrol()
    asked = place.passkeys.ask(holder=BROWSER, purpose="step-up", actor="actor:bo", known=[key.id])
    answer = place.authenticator.get(asked)

    refused = reason(lambda: place.show(answer, purpose="step-up", actor="actor:bo"))

    assert refused == "other-person"


def test_a_passkey_that_says_it_is_somebody_elses_is_refused(place: Place) -> None:
    place.enrol()
    place.authenticator.user = b"actor:bo"

    assert reason(place.sign_in) == "other-person"


@pytest.mark.parametrize("enrolling", [True, False], ids=["enrolling", "signing in"])
@pytest.mark.parametrize(
    ("bent", "client", "expected"),
    [
        ({"flags": PRESENT}, {}, "user-verification"),
        ({"flags": VERIFIED}, {}, "user-verification"),
        ({"origin": "https://foil.example.attacker.example"}, {}, "origin"),
        ({"origin": "https://attacker.example"}, {}, "origin"),
        ({"origin": "http://foil.example"}, {}, "origin"),
        ({"origin": "https://foil.example:8443"}, {}, "origin"),
        ({"rp_id": "attacker.example"}, {}, "rp-id"),
        ({}, {"crossOrigin": True}, "origin"),
        ({}, {"type": "payment.get"}, "purpose"),
    ],
    ids=[
        "user not verified", "user not present", "origin that begins like ours", "another origin",
        "not https", "another port", "another host", "inside a frame of another site",
        "another kind of question",
    ],
)  # fmt: skip
def test_an_answer_that_proves_something_else_is_refused(
    place: Place, enrolling: bool, bent: dict[str, Any], client: dict[str, Any], expected: str
) -> None:
    if not enrolling:
        place.enrol()
    place.authenticator = replace(place.authenticator, **bent)
    work = place.enrol if enrolling else place.sign_in

    assert reason(lambda: work(**client)) == expected


def test_a_signature_by_another_key_is_refused(place: Place) -> None:
    place.enrol()
    place.authenticator.key = Authenticator("", "").key

    assert reason(place.sign_in) == "signature"


def test_a_cloned_authenticator_is_refused_once_it_falls_behind(place: Place) -> None:
    place.enrol()
    clone = replace(place.authenticator)
    place.sign_in()
    place.sign_in()
    clone.counter += 1

    assert reason(lambda: place.show(clone.get(place.ask()))) == "counter"


def test_a_passkey_that_is_not_known_or_was_removed_lets_nobody_in(place: Place) -> None:
    place.enrol()
    place.key = None

    assert reason(place.sign_in) == "unknown"


def test_an_answer_to_enrolling_is_none_to_signing_in(place: Place) -> None:
    place.enrol()
    answer = place.authenticator.create(
        place.passkeys.ask_to_enrol(holder=BROWSER, purpose="enrol", actor=ANA, handle="ana-dev")
    )

    assert reason(lambda: place.show(answer)) == "challenge"


@pytest.mark.parametrize(
    "answer",
    [b"", b"[]", b"{}", b"\xff", b'{"id": 1}', b'{"id": "", "response": {}}', b"x" * 70_000,
     b'{"id": "YQ", "response": {"clientDataJSON": "YQ"}}',
     b'{"id": "YQ", "response": {"clientDataJSON": "e30"}}',
     b'{"id": "\xc3\xa9", "response": {"clientDataJSON": "\xc3\xa9"}}'],
    ids=["nothing", "a list", "nothing in it", "not UTF-8", "a number", "no client data", "huge",
         "client data that is no JSON", "client data without a challenge", "no base64url"],
)  # fmt: skip
def test_what_no_browser_makes_is_refused_in_a_line(place: Place, answer: bytes) -> None:
    assert reason(lambda: place.show(answer)) == "malformed"


@settings(
    derandomize=True, max_examples=60, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(data=st.binary(max_size=80), enrolling=st.booleans())
def test_whatever_an_authenticator_sends_is_refused_and_never_a_fault(
    place: Place, data: bytes, enrolling: bool
) -> None:
    """The library reads CBOR of strangers: whatever it stumbles over is a refusal of ours."""
    from tests.authenticator import base64url

    if enrolling:
        asked = place.passkeys.ask_to_enrol(
            holder=BROWSER, purpose="enrol", actor=ANA, handle="ana-dev"
        )
        answer = json.loads(place.authenticator.create(asked))
        answer["response"]["attestationObject"] = base64url(data)
        sent = json.dumps(answer).encode()
        said = reason(
            lambda: place.passkeys.check_enrolled(sent, holder=BROWSER, purpose="enrol", actor=ANA)
        )
    else:
        place.enrol()
        answer = json.loads(place.authenticator.get(place.ask()))
        answer["response"]["authenticatorData"] = base64url(data)
        sent = json.dumps(answer).encode()
        said = reason(lambda: place.show(sent))
    assert said
