"""The directory, entry by entry: who there is, what is theirs, and when it begins and ends."""

from typing import Any

import pytest

from counterfoil.policy.directory import FOLDED, Directory
from tests.policy.access_entries import ANA, BO, BOT, CY, GITHUB, LATER, MAIL, TEAM, Log


@pytest.fixture
def log() -> Log:
    made = Log()
    made.person(ANA, BO)
    return made


# Who there is


def test_an_actor_is_known_by_handle_kind_and_name(log: Log) -> None:
    found = log.fold().by_handle("ana")

    assert found is not None
    assert (found.ref, found.kind, found.name, found.account) == (
        ANA, "person", "Ana", "counterfoil:ana",
    )  # fmt: skip


def test_a_description_holds_from_there_on(log: Log) -> None:
    log.add("actor.described", ANA, {"kind": "person"}, name="Ana Dev")

    directory = log.fold()

    assert (directory.actors[ANA].name, directory.actors[ANA].entry) == ("Ana Dev", 2)


def test_an_agent_names_who_answers_for_it(log: Log) -> None:
    log.add("actor.described", BOT, {"kind": "agent"}, [(ANA, "on-behalf-of")])

    assert log.fold().actors[BOT].behalf == ANA


def test_who_answered_for_an_agent_is_known_at_every_moment(log: Log) -> None:
    first = log.add("actor.described", BOT, {"kind": "agent"}, [(ANA, "on-behalf-of")])
    second = log.add("actor.described", BOT, {"kind": "agent"}, [(BO, "on-behalf-of")])
    gone = log.add("actor.removed", BO)

    directory = log.fold()

    moments = ("2026-11-01T00:00:00.000Z", first, second, gone, LATER)
    assert [directory.behalf_of(BOT, at) for at in moments] == ["", ANA, BO, "", ""]


def test_an_agent_whose_person_is_removed_is_let_in_nowhere(log: Log) -> None:
    """Nor does it come back with whoever is described anew under the handle."""
    log.add("actor.described", BOT, {"kind": "agent"}, [(ANA, "on-behalf-of")])
    log.add("role.granted", BOT, {"grant": "g", "role": "producer"})
    before = log.fold()
    log.add("actor.removed", ANA)
    log.person(ANA)
    after = log.fold()
    log.add("actor.described", BOT, {"kind": "agent"}, [(BO, "on-behalf-of")])
    again = log.fold()

    for directory, let_in in ((before, True), (after, False), (again, True)):
        assert (directory.let_in(BOT) is not None) is let_in
        assert bool(directory.grants_of(BOT, LATER)) is let_in
        assert directory.actor(BOT) is not None
    assert after.actors[BOT].behalf == ""


def test_a_service_is_let_in_without_a_person(log: Log) -> None:
    log.add("actor.described", BOT, {"kind": "service"}, [(ANA, "on-behalf-of")])
    log.add("actor.removed", ANA)

    assert log.fold().let_in(BOT) is not None


def test_an_unknown_kind_is_never_taken_for_a_person(log: Log) -> None:
    log.add("actor.described", CY, {"kind": "wizard"})

    assert log.fold().actors[CY].kind == "service"


def test_nobody_is_found_once_removed_and_the_handle_is_free(log: Log) -> None:
    log.add("actor.removed", ANA)

    directory = log.fold()

    assert directory.actor(ANA) is None
    assert directory.by_handle("ana") is None
    assert directory.actors[ANA].removed == 2


def test_whoever_comes_back_begins_with_nothing(log: Log) -> None:
    """Somebody who is described again would otherwise find what they once had, in force."""
    log.add("role.granted", ANA, {"grant": "g", "role": "approver"})
    log.add("role.granted", TEAM, {"grant": "t", "role": "developer"})
    log.add("team.described", TEAM)
    log.add("member.joined", TEAM, named=[(ANA, "member")])
    log.add("deputy.named", BO, named=[(ANA, "deputy")])
    log.add("deputy.named", ANA, named=[(BO, "deputy")])
    linked = log.add("account.linked", ANA, {"how": "directory"}, [(GITHUB, "account")])
    log.add("token.issued", "token:1", {"name": "t"}, [(ANA, "holder")])
    log.add("passkey.enrolled", ANA, {"passkey": "k"})
    log.add("invitation.made", ANA, {"invitation": "i"})
    log.add("trust.added", "trust:1", {"kind": "github"}, [(ANA, "holder")])
    log.add("actor.removed", ANA)
    log.person(ANA)

    directory = log.fold()

    assert directory.actor(ANA) is not None
    assert directory.grants_of(ANA, LATER) == []
    assert list(directory.grants) == ["t"]
    assert directory.teams_of(ANA, LATER) == ()
    assert (directory.stands_in_for(ANA, LATER), directory.stands_in_for(BO, LATER)) == ((), ())
    assert (directory.tokens["token:1"].revoked, directory.passkeys["k"].removed) == (13, 13)
    assert directory.invitations == {}
    assert directory.trusts == {}
    assert directory.owner_of(GITHUB, LATER) is None
    owner = directory.owner_of(GITHUB, linked)
    assert owner is not None
    assert owner.ref == ANA, "what it did before stays theirs"


# Accounts: one person once


def test_one_person_is_one_over_all_accounts(log: Log) -> None:
    log.add("account.linked", ANA, {"how": "directory"}, [(GITHUB, "account"), (MAIL, "account")])

    directory = log.fold()

    assert directory.pseudonyms_of(ANA) == (ANA, GITHUB, MAIL)
    owners = {directory.owner_of(one, LATER) for one in directory.pseudonyms_of(ANA)}
    assert owners == {directory.actors[ANA]}


@pytest.mark.parametrize(
    ("at", "owned"),
    [
        ("2026-01-31T23:59:59.999Z", False),
        ("2026-02-01", True),
        ("2026-02-01T00:00:00.000Z", True),
        ("2026-02-28T23:59:59.999Z", True),
        ("2026-03-01T00:00:00.000Z", False),
    ],
    ids=["the moment before", "that day", "its first moment", "the last moment", "the end itself"],
)
def test_a_link_holds_from_its_first_moment_and_not_at_its_end(
    log: Log, at: str, owned: bool
) -> None:
    dates = {"since": "2026-02-01", "until": "2026-03-01"}
    log.add("account.linked", ANA, dates, [(GITHUB, "account")])

    assert (log.fold().owner_of(GITHUB, at) is not None) is owned


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ({"project": "shop", "comment": 0}, ("shop", 0)),
        ({"project": "shop"}, ("", -1)),
        ({"comment": 7}, ("", -1)),
        ({"project": "shop", "comment": -2}, ("", -1)),
        ({"project": "shop", "comment": True}, ("", -1)),
        ({"project": "shop", "comment": "7"}, ("", -1)),
        ({"project": ["shop"], "comment": 7}, ("", -1)),
    ],
    ids=["whole", "no entry", "no project", "below 0", "no number", "text", "no text"],
)
def test_a_link_knows_the_comment_that_proved_it(
    log: Log, data: dict[str, Any], shown: tuple[str, int]
) -> None:
    log.add("account.linked", ANA, {"how": "ceremony", **data}, [(GITHUB, "account")])

    [link] = log.fold().accounts_of(ANA)

    assert (link.project, link.comment) == shown


def test_an_account_changes_hands_and_the_past_stays(log: Log) -> None:
    first = log.add("account.linked", ANA, {}, [(GITHUB, "account")])
    log.add("account.unlinked", ANA, {}, [(GITHUB, "account")])
    log.add("account.linked", BO, {}, [(GITHUB, "account")])

    directory = log.fold()

    then, now = directory.owner_of(GITHUB, first), directory.owner_of(GITHUB, LATER)
    assert (then and then.ref, now and now.ref) == (ANA, BO)


def test_a_link_said_again_from_the_same_moment_gets_the_other_end(log: Log) -> None:
    log.add("account.linked", ANA, {"since": "2026-01-01"}, [(GITHUB, "account")])
    log.add(
        "account.linked", ANA, {"since": "2026-01-01", "until": "2026-02-01"},
        [(GITHUB, "account")],
    )  # fmt: skip

    directory = log.fold()

    assert directory.owner_of(GITHUB, "2026-03-01") is None
    assert len(directory.accounts_of(ANA)) == 1


def test_a_link_that_was_to_begin_is_gone_when_it_is_taken_back(log: Log) -> None:
    log.add("account.linked", ANA, {"since": "2027-01-01"}, [(GITHUB, "account")])
    log.add("account.unlinked", ANA, {}, [(GITHUB, "account")])

    assert log.fold().owner_of(GITHUB, LATER) is None


def test_unlinking_somebody_elses_account_changes_nothing(log: Log) -> None:
    log.add("account.linked", ANA, {}, [(GITHUB, "account")])
    log.add("account.unlinked", BO, {}, [(GITHUB, "account")])

    owner = log.fold().owner_of(GITHUB, LATER)

    assert owner is not None
    assert owner.ref == ANA


# Teams and turns


def test_a_member_belongs_within_the_dates(log: Log) -> None:
    log.add("team.described", TEAM, {"title": "Checkout"})
    dates = {"since": "2026-12-01", "until": "2026-12-08"}
    log.add("member.joined", TEAM, dates, [(ANA, "member")])

    directory = log.fold()

    days = ("2026-11-30", "2026-12-01", "2026-12-07T23:59:59.999Z", "2026-12-08")
    assert [directory.teams_of(ANA, day) == (TEAM,) for day in days] == [False, True, True, False]


def test_a_member_who_left_belongs_no_more(log: Log) -> None:
    log.add("team.described", TEAM)
    log.add("member.joined", TEAM, named=[(ANA, "member"), (BO, "member")])
    log.add("member.left", TEAM, named=[(ANA, "member")])

    directory = log.fold()

    assert (directory.teams_of(ANA, LATER), directory.teams_of(BO, LATER)) == ((), (TEAM,))


def test_a_removed_team_takes_its_members_and_grants_along(log: Log) -> None:
    log.add("team.described", TEAM)
    log.add("member.joined", TEAM, named=[(ANA, "member")])
    log.add("role.granted", TEAM, {"grant": "g", "role": "developer"})
    log.add("team.removed", TEAM)
    log.add("team.described", TEAM)

    directory = log.fold()

    assert directory.teams_of(ANA, LATER) == ()
    assert directory.grants == {}


@pytest.mark.parametrize(
    ("now", "who"),
    [
        ("2026-11-01T23:59:59.999Z", ""),
        ("2026-11-02T00:00:00.000Z", ANA),
        ("2026-11-08T23:59:59.999Z", ANA),
        ("2026-11-09T00:00:00.000Z", BO),
        ("2026-11-16T00:00:00.000Z", ANA),
    ],
    ids=["before the first", "the first", "its last moment", "the next", "and round again"],
)
def test_turns_go_round_by_whole_days(log: Log, now: str, who: str) -> None:
    data = {"turns_from": "2026-11-02", "turn_days": 7}
    log.add("team.described", TEAM, data, [(ANA, "turn"), (BO, "turn")])

    assert log.fold().on_turn(TEAM, now) == who


@pytest.mark.parametrize(
    "data",
    [{}, {"turns_from": "2026-11-02"}, {"turns_from": "soon", "turn_days": 7},
     {"turns_from": "2026-11-02", "turn_days": 0}, {"turns_from": "2026-11-02", "turn_days": "7"}],
    ids=["no dates", "no length", "no date", "no days", "a text"],
)  # fmt: skip
def test_a_team_without_sound_turns_has_nobody_on_turn(log: Log, data: dict[str, Any]) -> None:
    log.add("team.described", TEAM, data, [(ANA, "turn")])

    assert log.fold().on_turn(TEAM, LATER) == ""


def test_turns_go_on_without_whoever_is_removed(log: Log) -> None:
    """A turn nobody takes would leave a team without anybody, without a word."""
    data = {"turns_from": "2026-11-02", "turn_days": 7}
    log.add("actor.described", ANA, {"kind": "person"})
    log.add("team.described", TEAM, data, [(ANA, "turn"), (BO, "turn")])
    assert log.fold().on_turn(TEAM, "2026-11-02") == ANA

    log.add("actor.removed", ANA)

    days = ("2026-11-02", "2026-11-09", "2026-11-16")
    assert {log.fold().on_turn(TEAM, day) for day in days} == {BO}


# Roles and deputies


def test_a_grant_reaches_its_place_and_no_other(log: Log) -> None:
    place = {"project": "shop", "tier": "production", "component": "*"}
    log.add("role.granted", ANA, {"grant": "g", "role": "approver", **place})

    directory = log.fold()

    def at(project: str, tier: str) -> frozenset[str]:
        return directory.roles_at(ANA, LATER, project=project, tier=tier, component="till")

    assert at("shop", "production") == {"approver"}
    assert (at("shop", "staging"), at("other", "production"), at("shop", "")) == (
        frozenset(), frozenset(), frozenset(),
    )  # fmt: skip


def test_a_grant_holds_within_its_dates_and_until_it_is_revoked(log: Log) -> None:
    dates = {"since": "2026-12-01", "until": "2027-01-01"}
    log.add("role.granted", ANA, {"grant": "g", "role": "tester", **dates})
    before = log.fold()
    log.add("role.revoked", ANA, {"grant": "g"})

    days = ("2026-11-30", "2026-12-01", "2026-12-31T23:59:59.999Z", "2027-01-01")
    assert [bool(before.grants_of(ANA, day)) for day in days] == [False, True, True, False]
    assert log.fold().grants_of(ANA, "2026-12-15") == []


def test_a_member_has_what_the_team_was_granted(log: Log) -> None:
    log.add("team.described", TEAM)
    log.add("role.granted", TEAM, {"grant": "g", "role": "developer"})
    log.add("member.joined", TEAM, {"until": "2026-12-01"}, [(ANA, "member")])

    directory = log.fold()

    assert directory.roles_at(ANA, "2026-11-30", project="shop") == {"developer"}
    assert directory.roles_at(ANA, "2026-12-01", project="shop") == frozenset()


def test_a_deputy_has_within_the_dates_what_the_other_and_their_teams_have(log: Log) -> None:
    log.person(CY)
    log.add("team.described", TEAM)
    log.add("member.joined", TEAM, named=[(ANA, "member")])
    log.add("role.granted", TEAM, {"grant": "t", "role": "developer"})
    log.add("role.granted", ANA, {"grant": "a", "role": "approver"})
    dates = {"since": "2026-12-01", "until": "2026-12-15"}
    log.add("deputy.named", ANA, dates, [(BO, "deputy")])
    log.add("deputy.named", BO, dates, [(CY, "deputy")])

    directory = log.fold()

    during, after = "2026-12-14T23:59:59.999Z", "2026-12-15"
    assert directory.roles_at(BO, during, project="shop") == {"developer", "approver"}
    assert directory.roles_at(BO, after, project="shop") == frozenset()
    assert directory.roles_at(CY, during, project="shop") == frozenset(), "deputies of deputies"


def test_nobody_stands_in_for_somebody_who_is_gone(log: Log) -> None:
    log.add("role.granted", ANA, {"grant": "a", "role": "approver"})
    log.add("deputy.named", ANA, {}, [(BO, "deputy")])
    log.add("actor.removed", ANA)

    assert log.fold().grants_of(BO, LATER) == []


def test_an_ended_deputy_stands_in_no_more(log: Log) -> None:
    log.add("deputy.named", ANA, {}, [(BO, "deputy")])
    log.add("deputy.ended", ANA, {}, [(BO, "deputy")])

    assert log.fold().stands_in_for(BO, LATER) == ()


def test_the_moments_are_all_at_which_something_begins_or_ends(log: Log) -> None:
    log.add("role.granted", ANA, {"grant": "g", "role": "tester", "since": "2027-01-01"})
    joined = log.add("member.joined", TEAM, {"until": "2027-02-01"}, [(ANA, "member")])
    dates = {"since": "2027-03-01", "until": "2027-04-01"}
    log.add("deputy.named", ANA, dates, [(BO, "deputy")])

    assert log.fold().moments() == {
        "2027-01-01", joined, "2027-02-01", "2027-03-01", "2027-04-01",
    }  # fmt: skip


# Credentials


def test_a_token_is_known_by_scope_and_ends(log: Log) -> None:
    scope = {"name": "ci", "projects": ["shop"], "verbs": ["record"], "sources": ["https://ci/"]}
    log.add("token.issued", "token:1", scope, [(ANA, "holder")], by=BO)
    live = log.fold().tokens["token:1"]
    log.add("token.revoked", "token:1")

    assert (live.holder, live.projects, live.verbs, live.sources, live.by) == (
        ANA, ("shop",), ("record",), ("https://ci/",), BO,
    )  # fmt: skip
    assert (live.revoked, log.fold().tokens["token:1"].revoked) == (-1, 3)


def test_a_token_of_nobody_is_none(log: Log) -> None:
    log.add("token.issued", "token:1", {"name": "ci"})

    assert log.fold().tokens == {}


def test_an_invitation_is_used_once_by_what_was_enrolled(log: Log) -> None:
    log.add("invitation.made", ANA, {"invitation": "i", "until": "2026-12-01"}, by=BO)
    log.add(
        "passkey.enrolled", ANA, {"passkey": "k", "invitation": "i", "vouched": "invitation"},
        [(BO, "vouched-by")],
    )  # fmt: skip

    directory = log.fold()

    assert (directory.invitations["i"].used, directory.invitations["i"].by) == (3, BO)
    assert (directory.passkeys["k"].actor, directory.passkeys["k"].vouched_by) == (ANA, BO)


def test_an_invitation_that_ended_is_open_no_more_and_a_used_one_stays_used(log: Log) -> None:
    log.add("invitation.made", ANA, {"invitation": "i", "until": LATER}, by=BO, credential="local")
    log.add("invitation.made", BO, {"invitation": "j", "until": LATER}, by=ANA)
    log.add("passkey.enrolled", BO, {"passkey": "k", "invitation": "j"})
    before = log.fold()
    for invitation, who in (("i", ANA), ("j", BO)):
        log.add("invitation.ended", who, {"invitation": invitation})
    after = log.fold()

    now = "2026-11-20"
    assert [one.id for one in before.open_invitations(ANA, now)] == ["i"]
    assert before.open_invitations(BO, now) == after.open_invitations(ANA, now) == []
    assert before.open_invitations(ANA, LATER) == []
    assert before.invitations["i"].through == "local"
    assert list(after.invitations) == ["j"]


def test_somebody_was_enrolled_from_the_first_passkey_on_for_good(log: Log) -> None:
    """Else whoever removes the last person has the rights of the first start again."""
    assert not log.fold().anybody_enrolled()
    log.add("passkey.enrolled", ANA, {"passkey": "k"})
    assert log.fold().anybody_enrolled()
    log.add("passkey.removed", ANA, {"passkey": "k"})
    assert log.fold().anybody_enrolled()


def test_somebody_was_enrolled_from_the_first_account_that_signs_in_on(log: Log) -> None:
    log.add("account.linked", ANA, {"how": "administrator"}, [(GITHUB, "account")])
    assert not log.fold().anybody_enrolled()
    log.add("account.linked", ANA, {"signs_in": True}, [(GITHUB, "account")])
    assert log.fold().anybody_enrolled()
    log.add("actor.removed", ANA)
    assert log.fold().anybody_enrolled()


def test_a_trust_rule_stands_until_it_is_removed(log: Log) -> None:
    log.add("trust.added", "trust:1", {"kind": "github"}, [(BOT, "holder")])
    standing = log.fold().trusts
    log.add("trust.removed", "trust:1")

    assert (standing["trust:1"].holder, standing["trust:1"].rule["kind"]) == (BOT, "github")
    assert log.fold().trusts == {}


def test_the_last_policy_set_is_in_force_and_builtin_before_any(log: Log) -> None:
    assert log.fold().policy == "builtin"
    log.add("policy.activated", "policy:access", {"digest": "sha256:aa", "how": "uploaded"})
    log.add("policy.activated", "policy:access", {"digest": "sha256:bb", "how": "uploaded"})

    assert log.fold().policy == "sha256:bb"


def test_an_entry_of_no_fold_moves_the_size_and_nothing_else(log: Log) -> None:
    log.add("gate.changed", "gate:production")

    directory = log.fold()

    assert directory.size == 3
    assert list(directory.actors) == [ANA, BO]


def test_every_type_that_changes_the_directory_has_a_fold() -> None:
    for what in FOLDED:
        assert hasattr(Directory, f"_{what.replace('.', '_')}"), what
