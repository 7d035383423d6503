import pytest

from counterfoil.policy.access import ANONYMOUS, KINDS, VERBS, Credential, Decision, ceiling
from counterfoil.policy.verbs import VERBS as POLICY_VERBS

# The whole table, written down a second time on purpose: a change has to be made twice.
EVERY = frozenset(VERBS)
GOOD_FOR = {
    "token": EVERY - {"approve"},
    "session": EVERY - {"webhook"},
    "ci": {"record", "report", "read", "request", "audit"},
    "webhook": {"webhook", "record"},
    "local": EVERY - {"webhook"},
    "server": {"record"},
    "anonymous": set(),
}


def decision(kind: str, verb: str, project: str = "default", source: str = "") -> Decision:
    return ceiling(Credential("id", kind, "handle"), verb, project, source)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_good_for_what_the_table_says_and_nothing_else(kind: str, verb: str) -> None:
    assert decision(kind, verb).allowed == (verb in GOOD_FOR[kind])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("verb", VERBS)
def test_every_decision_has_a_reason(kind: str, verb: str) -> None:
    assert all(decision(kind, verb).reasons)
    assert decision(kind, verb).reasons


def test_an_unknown_kind_may_do_nothing() -> None:
    assert not any(decision("root", verb).allowed for verb in VERBS)


def test_an_unknown_verb_is_refused() -> None:
    assert decision("token", "own") == Decision(False, ("there is no such verb",))


def test_a_stranger_is_told_what_is_needed() -> None:
    assert "token or a session" in ceiling(ANONYMOUS, "record", "default").reasons[0]


@pytest.mark.parametrize("kind", ["token", "session", "local", "webhook"])
def test_only_the_server_writes_its_own_logs(kind: str) -> None:
    """`_aggregate` says what this server vouches for; no caller may speak there."""
    assert not decision(kind, "record", project="_aggregate").allowed
    assert decision("server", "record", project="_aggregate").allowed


def test_the_servers_own_logs_are_read_like_the_others() -> None:
    assert decision("token", "read", project="_aggregate").allowed


def test_a_credential_speaks_only_as_the_sources_it_was_given() -> None:
    ci = Credential("token:ci", "token", "ci", ("https://ci.example/",))

    assert ceiling(ci, "record", "default", "https://ci.example/acme").allowed
    assert not ceiling(ci, "record", "default", "https://elsewhere.example/").allowed
    assert not ceiling(ci, "record", "default", "x https://ci.example/").allowed


def test_a_question_that_is_not_about_an_event_needs_no_source() -> None:
    ci = Credential("token:ci", "token", "ci", ("https://ci.example/",))

    assert ceiling(ci, "read", "default").allowed


def test_the_verbs_are_those_of_the_policies() -> None:
    """Two lists, because workers load this one alone; they must not drift apart."""
    assert set(VERBS) == set(POLICY_VERBS)


SCOPED = Credential(
    "token:1", "token", "nightly", ("https://ci.example/",), "actor:x", ("shop",), ("record",)
)


@pytest.mark.parametrize(
    ("verb", "project", "source", "allowed"),
    [
        pytest.param("record", "shop", "https://ci.example/a", True, id="inside its scope"),
        pytest.param("record", "cart", "https://ci.example/a", False, id="another project"),
        pytest.param("report", "shop", "https://ci.example/a", False, id="another verb"),
        pytest.param("record", "shop", "https://elsewhere/", False, id="another source"),
        pytest.param("record", "_access", "https://ci.example/a", False, id="the ledger's own log"),
    ],
)
def test_a_token_is_good_for_its_scope_alone(
    verb: str, project: str, source: str, allowed: bool
) -> None:
    assert ceiling(SCOPED, verb, project, source).allowed == allowed
