"""Signing in with a real OpenID Connect provider: Debian's Glewlwyd."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from counterfoil.app.config import OidcConfig
from counterfoil.app.oidc import Oidc, Proven
from counterfoil.clock import SystemClock
from counterfoil.errors import RequestError
from counterfoil.ids import SystemRandomness
from counterfoil.stores.state import State
from tests.oidc_provider import CLIENT, SECRET, Glewlwyd, glewlwyd

HERE = "http://localhost:8000"
BROWSER = "the secret of a browser"


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Glewlwyd]:
    with glewlwyd(tmp_path_factory.mktemp("glewlwyd")) as running:
        running.set_up("acme", f"{HERE}/sign-in/oidc/acme")
        running.set_up("other", f"{HERE}/sign-in/oidc/other")
        running.set_up("quiet", f"{HERE}/sign-in/oidc/quiet", says_who_it_is=False)
        yield running


@pytest.fixture
def oidc(provider: Glewlwyd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Oidc]:
    monkeypatch.setenv("PROVIDER_SECRET", SECRET)
    state = State(tmp_path / "state.db")
    settings = {
        name: OidcConfig(
            issuer=provider.issuer(name),
            client_id=f"{CLIENT}-{name}",
            client_secret_env="PROVIDER_SECRET",
        )
        for name in ("acme", "other", "quiet")
    }
    yield Oidc(tmp_path, settings, HERE, state.sign_in, SystemClock(), SystemRandomness())
    state.close()


def reason(work: Callable[[], object]) -> str:
    with pytest.raises(RequestError) as refused:
        work()
    assert refused.value.code == "sign_in_refused"
    return str(refused.value.facts["reason"])


def test_somebody_is_who_the_provider_says_by_their_number_there(
    oidc: Oidc, provider: Glewlwyd
) -> None:
    def sign_in() -> Proven:
        address = oidc.begin("acme", holder=BROWSER, purpose="sign-in", detail="/runs")
        return oidc.finish("acme", provider.consent(provider.person(), address), holder=BROWSER)

    first, second = sign_in(), sign_in()

    assert first.account == second.account
    assert first.account.startswith("oidc:acme:")
    assert "ana" not in first.account
    assert (first.purpose, first.detail) == ("sign-in", "/runs")


def test_the_same_person_is_another_account_at_another_provider(
    oidc: Oidc, provider: Glewlwyd
) -> None:
    accounts = set()
    for name in ("acme", "other", "quiet"):
        address = oidc.begin(name, holder=BROWSER, purpose="sign-in")
        answer = provider.consent(provider.person(), address)
        accounts.add(oidc.finish(name, answer, holder=BROWSER).account)

    assert len(accounts) == 3


def test_an_answer_is_taken_once(oidc: Oidc, provider: Glewlwyd) -> None:
    address = oidc.begin("acme", holder=BROWSER, purpose="sign-in")
    answer = provider.consent(provider.person(), address)
    oidc.finish("acme", answer, holder=BROWSER)

    assert reason(lambda: oidc.finish("acme", answer, holder=BROWSER)) == "state"


def test_an_answer_to_another_browser_is_refused_and_its_code_unused(
    oidc: Oidc, provider: Glewlwyd
) -> None:
    """An attacker's answer in a victim's browser would sign the victim in as the attacker."""
    address = oidc.begin("acme", holder="the attacker's browser", purpose="sign-in")
    answer = provider.consent(provider.person(), address)

    assert reason(lambda: oidc.finish("acme", answer, holder=BROWSER)) == "state"


def test_a_stolen_code_is_worth_nothing_in_another_flow(oidc: Oidc, provider: Glewlwyd) -> None:
    """The provider itself checks the code against the challenge it was asked with."""
    stolen = provider.consent(
        provider.person(), oidc.begin("acme", holder="the victim's browser", purpose="sign-in")
    )
    own = provider.consent(provider.person(), oidc.begin("acme", holder=BROWSER, purpose="sign-in"))

    mixed = {**own, "code": stolen["code"]}
    assert reason(lambda: oidc.finish("acme", mixed, holder=BROWSER)) == "code"


def test_a_mixed_up_provider_is_seen_by_the_address_the_browser_comes_to(
    oidc: Oidc, provider: Glewlwyd
) -> None:
    """Also where it does not say who it is: its code must not be shown to another one."""
    address = oidc.begin("quiet", holder=BROWSER, purpose="sign-in")
    answer = provider.consent(provider.person(), address)
    assert "iss" not in answer

    assert reason(lambda: oidc.finish("acme", answer, holder=BROWSER)) == "mixed-up"


def test_a_mixed_up_provider_is_seen_by_what_it_calls_itself(
    oidc: Oidc, provider: Glewlwyd
) -> None:
    for name, said in (("acme", provider.issuer("other")), ("quiet", "https://attacker.example")):
        address = oidc.begin(name, holder=BROWSER, purpose="sign-in")
        answer = {**provider.consent(provider.person(), address), "iss": said}
        assert reason(lambda: oidc.finish(name, answer, holder=BROWSER)) == "mixed-up"  # noqa: B023  called at once


def test_a_wrong_secret_is_a_code_that_is_not_taken(
    provider: Glewlwyd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVIDER_SECRET", "not it")
    state = State(tmp_path / "state.db")
    settings = {
        "acme": OidcConfig(
            issuer=provider.issuer("acme"),
            client_id=f"{CLIENT}-acme",
            client_secret_env="PROVIDER_SECRET",
        )
    }
    oidc = Oidc(tmp_path, settings, HERE, state.sign_in, SystemClock(), SystemRandomness())
    address = oidc.begin("acme", holder=BROWSER, purpose="sign-in")
    answer = provider.consent(provider.person(), address)

    assert reason(lambda: oidc.finish("acme", answer, holder=BROWSER)) == "code"
    state.close()
