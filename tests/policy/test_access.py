import pytest

from counterfoil.policy.access import ANONYMOUS, KINDS, VERBS, Credential, Decision, decide

# The whole table, written down a second time on purpose: a change has to be made twice.
ALLOWED = {
    ("token", "read"),
    ("token", "record"),
    ("token", "report"),
    ("token", "webhook"),
    ("token", "admin"),
    ("session", "read"),
    ("session", "record"),
    ("session", "report"),
    ("webhook", "webhook"),
    ("webhook", "record"),
    ("local", "read"),
    ("local", "record"),
    ("local", "report"),
    ("local", "admin"),
    ("server", "record"),
}


def decision(kind: str, verb: str, project: str = "default", source: str = "") -> Decision:
    return decide(Credential("id", kind, "handle"), verb, project, source)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_may_do_what_the_table_says_and_nothing_else(kind: str, verb: str) -> None:
    assert decision(kind, verb).allowed == ((kind, verb) in ALLOWED)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("verb", VERBS)
def test_every_decision_has_a_reason(kind: str, verb: str) -> None:
    assert all(decision(kind, verb).reasons)
    assert decision(kind, verb).reasons


def test_an_unknown_kind_may_do_nothing() -> None:
    assert not any(decision("root", verb).allowed for verb in VERBS)


def test_an_unknown_verb_is_refused() -> None:
    assert decision("token", "erase") == Decision(False, ("there is no such verb",))


def test_a_stranger_is_told_what_is_needed() -> None:
    assert "token or a session" in decide(ANONYMOUS, "record", "default").reasons[0]


@pytest.mark.parametrize("kind", ["token", "session", "local", "webhook"])
def test_only_the_server_writes_its_own_logs(kind: str) -> None:
    """`_aggregate` says what this server vouches for; no caller may speak there."""
    assert not decision(kind, "record", project="_aggregate").allowed
    assert decision("server", "record", project="_aggregate").allowed


def test_the_servers_own_logs_are_read_like_the_others() -> None:
    assert decision("token", "read", project="_aggregate").allowed


def test_a_credential_speaks_only_as_the_sources_it_was_given() -> None:
    ci = Credential("token:ci", "token", "ci", ("https://ci.example/",))

    assert decide(ci, "record", "default", "https://ci.example/acme").allowed
    assert not decide(ci, "record", "default", "https://elsewhere.example/").allowed
    assert not decide(ci, "record", "default", "x https://ci.example/").allowed


def test_a_question_that_is_not_about_an_event_needs_no_source() -> None:
    ci = Credential("token:ci", "token", "ci", ("https://ci.example/",))

    assert decide(ci, "read", "default").allowed
