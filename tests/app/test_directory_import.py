"""An import in two steps: what a file would change, and then exactly that."""

import pytest

from counterfoil.app.actions import act
from counterfoil.app.home import Home
from counterfoil.app.record import LOCAL
from counterfoil.clock import SteppedClock
from counterfoil.errors import RequestError
from counterfoil.events.entry import read_entry
from counterfoil.policy.access import LOG, Credential
from tests.app.directories import CSV, HEAD, YAML, compare, shown, take_over

# The role has one verb that such a grant does not give.
NARROW = "; that does not give all of it: read is asked of a whole project"


def size(home: Home) -> int:
    return home.ledger.status(LOG).size


def refusal(home: Home, content: str, **more: object) -> RequestError:
    before = size(home)
    with pytest.raises(RequestError) as refused:
        compare(home, content, **more)
    assert size(home) == before
    return refused.value


def test_the_first_step_shows_and_changes_nothing(home: Home) -> None:
    found = compare(home, YAML)

    assert size(home) == 0
    assert shown(found) == [
        "add ana-dev person Ana Dev",
        "add bo-dev person Bo Dev",
        "add fixer agent, on behalf of ana-dev",
        "link ana-dev github.com:ana-dev",
        "link ana-dev mail:ana@acme.example since 2026-01-01 until 2027-01-01",
        "link bo-dev github.com:bo-dev",
        "add team:checkout Checkout, turns of 7 days: ana-dev bo-dev",
        "join team:checkout ana-dev",
        "join team:checkout bo-dev since 2026-12-01",
        "stand-in ana-dev bo-dev since 2026-12-01 until 2026-12-15",
        "grant team:checkout developer",
        "grant ana-dev approver in project default, tier production until 2027-01-01" + NARROW,
    ]


def test_the_second_step_does_what_was_shown_and_then_nothing_is_left(home: Home) -> None:
    done = take_over(home, YAML)

    directory = home.access.directory
    ana = directory.by_handle("ana-dev")
    assert ana is not None
    assert (len(done.entries), size(home)) == (12, 12)
    assert len(directory.accounts_of(ana.ref)) == 2
    assert (
        directory.on_turn("team:checkout", "2026-11-10") == home.access.require_actor("bo-dev").ref
    )
    assert directory.roles_at(ana.ref, "2026-12-31", project="default", tier="production") == {
        "developer", "approver",
    }  # fmt: skip
    assert compare(home, YAML).said == "nothing would change"


def test_the_other_form_of_the_same_changes_nothing(home: Home) -> None:
    take_over(home, YAML)

    assert shown(compare(home, CSV, form="csv")) == []


def test_time_passing_makes_no_difference(home: Home, clock: SteppedClock) -> None:
    """What began at once must not look like something else the day after."""
    take_over(home, YAML)
    clock.step(86_400 * 40)

    assert shown(compare(home, YAML)) == []


def test_every_kind_of_change_is_shown_and_comes_true(home: Home) -> None:
    take_over(home, YAML)
    changed = (
        YAML.replace("name: Bo Dev", "name: Bo Developer")
        .replace("accounts: [github.com:bo-dev]", "accounts: [github.com:bo-dev2]")
        .replace("until: 2027-01-01}\n    deputies", "until: 2026-12-31}\n    deputies")
        .replace("{deputy: bo-dev, since: 2026-12-01, until: 2026-12-15}",
                 "{deputy: bo-dev, since: 2026-12-01, until: 2026-12-20}")
        .replace("title: Checkout", "title: Till")
        .replace("      - {handle: bo-dev, since: 2026-12-01}\n", "")
        .replace("tier: production, until: 2027-01-01", "tier: production, until: 2028-01-01")
    )  # fmt: skip

    assert shown(compare(home, changed)) == [
        "unlink bo-dev github.com:bo-dev",
        "change bo-dev person Bo Developer",
        "link ana-dev mail:ana@acme.example since 2026-01-01 until 2026-12-31",
        "link bo-dev github.com:bo-dev2",
        "change team:checkout Till, turns of 7 days: ana-dev bo-dev",
        "leave team:checkout bo-dev",
        "stand-in ana-dev bo-dev since 2026-12-01 until 2026-12-20",
        "revoke ana-dev approver in project default, tier production",
        "grant ana-dev approver in project default, tier production until 2028-01-01" + NARROW,
    ]
    take_over(home, changed)
    assert shown(compare(home, changed)) == []


def test_somebody_missing_stays_unless_removing_is_asked_for(home: Home) -> None:
    take_over(home, YAML)
    act(home, LOCAL, "token-issue", {"name": "shop-ci", "projects": ["default"]}, "cli")
    only_ana = HEAD + "actors:\n  - handle: ana-dev\n    name: Ana Dev\n"

    assert shown(compare(home, only_ana)) == []
    assert shown(compare(home, only_ana, remove_missing=True)) == [
        "remove bo-dev person Bo Dev",
        "remove fixer agent",
        "remove team:checkout Checkout",
    ]
    take_over(home, only_ana, remove_missing=True)
    assert home.access.directory.by_handle("bo-dev") is None
    assert home.access.directory.by_handle("shop-ci") is not None, "services belong to tokens"


def test_a_file_takes_back_only_links_that_a_file_made(home: Home) -> None:
    take_over(home, YAML)
    link = {"handle": "ana-dev", "account": "chat.example:ana"}
    act(home, LOCAL, "account-link", link, "cli")

    less = YAML.replace("      - github.com:ana-dev\n", "")

    assert shown(compare(home, less)) == ["unlink ana-dev github.com:ana-dev"]


def test_an_account_goes_from_one_to_another_in_one_file(home: Home) -> None:
    take_over(home, YAML)
    moved = YAML.replace("      - github.com:ana-dev\n", "").replace(
        "accounts: [github.com:bo-dev]", "accounts: [github.com:bo-dev, github.com:ana-dev]"
    )

    take_over(home, moved)

    person = home.keys.known_people(["github.com:ana-dev"])["github.com:ana-dev"]
    owner = home.access.directory.owner_of(person.pseudonym, "2027-01-01")
    assert owner is not None
    assert owner.handle == "bo-dev"


# What is applied is what was shown


@pytest.mark.parametrize("digest", ["", "0" * 32, "no digest"])
def test_a_digest_that_was_not_shown_applies_nothing(home: Home, digest: str) -> None:
    with pytest.raises(RequestError) as refused:
        act(home, LOCAL, "directory-import", {"content": YAML, "digest": digest}, "cli")

    assert refused.value.code == "directory_changed"
    assert size(home) == 0


def test_another_file_is_not_applied_by_the_digest_of_the_first(home: Home) -> None:
    digest = compare(home, YAML).digest
    other = {"content": YAML + "# seen by nobody\n", "digest": digest}
    with pytest.raises(RequestError) as refused:
        act(home, LOCAL, "directory-import", other, "cli")

    assert refused.value.code == "directory_changed"
    assert size(home) == 0


def test_a_directory_that_changed_since_is_not_changed_further(home: Home) -> None:
    digest = compare(home, YAML).digest
    act(home, LOCAL, "actor-describe", {"handle": "bo-dev", "name": "Somebody"}, "cli")
    with pytest.raises(RequestError) as refused:
        act(home, LOCAL, "directory-import", {"content": YAML, "digest": digest}, "cli")

    assert refused.value.code == "directory_changed"
    assert size(home) == 1


def test_the_same_digest_applies_once(home: Home) -> None:
    given = {"content": YAML, "digest": compare(home, YAML).digest}
    act(home, LOCAL, "directory-import", given, "cli")

    with pytest.raises(RequestError):
        act(home, LOCAL, "directory-import", given, "cli")
    assert size(home) == 12


# What a file may not say, with what is known already

KNOWN = (
    HEAD
    + """
actors:
  - handle: ana-dev
  - handle: bo-dev
    accounts: [github.com:bo-dev]
  - handle: shop-ci
    kind: service
"""
)


REFUSED = {
    "a member nobody describes": (4, "nobody describes 'zed'",
        "teams:\n  - team: a\n    members: [zed]\n"),
    "a turn nobody describes": (3, "nobody describes 'zed'",
        "teams:\n  - team: a\n    turns: [zed]\n    turns_from: 2026-01-01\n    turn_days: 7\n"),
    "a deputy nobody describes": (4, "nobody describes 'zed'",
        "actors:\n  - handle: ana-dev\n    deputies: [zed]\n"),
    "an agent of somebody nobody describes": (3, "nobody describes 'zed'",
        "actors:\n  - handle: bot\n    kind: agent\n    behalf: zed\n"),
    "an agent on behalf of an agent": (3, "only persons answer",
        ("actors:\n  - handle: bot\n    kind: agent\n    behalf: bot2\n"
        "  - handle: bot2\n    kind: agent\n    behalf: bot\n")),
    "another kind for a handle": (3, "has another handle",
        "actors:\n  - handle: shop-ci\n"),
    "a handle that reads like another one": (3, "reads like ana-dev",
        "actors:\n  - handle: ana.dev\n"),
    "two handles that read alike": (4, "reads like cy-1",
        "actors:\n  - handle: cy-1\n  - handle: cy-l\n"),
    "an account that is somebody else's": (4, "github.com:bo-dev is bo-dev's",
        "actors:\n  - handle: ana-dev\n    accounts: [github.com:bo-dev]\n"),
    "an account of two in one file": (7, "is cy's at that time (line 5)",
        ("actors:\n  - handle: cy\n    accounts:\n      - {account: x:y, until: 2027-01-01}\n"
        "  - handle: dee\n    accounts: [x:y]\n")),
    "an account twice": (6, "the same actor's at that time (line 5)",
        "actors:\n  - handle: cy\n    accounts:\n      - x:y\n      - x:y\n"),
    "an account that reads like somebody else's": (4, "reads like 'github.com:bo-dev'",
        "actors:\n  - handle: ana-dev\n    accounts: [github.com:Bo-Dev]\n"),
    "a look-alike in another script": (6, "reads like",
        ('actors:\n  - handle: cy\n    accounts: [x:pop, "y:\u0440\u043e\u0440"]\n'
        "  - handle: dee\n    accounts: [y:pop]\n")),
    "an account from a day to come": (5, "is still to come",
        "actors:\n  - handle: ana-dev\n    accounts:\n      - {account: x:y, since: 2026-11-21}\n"),
    "deputies in a circle": (6, "in a circle",
        ("actors:\n  - handle: ana-dev\n    deputies: [bo-dev]\n  - handle: bo-dev\n"
        "    deputies: [ana-dev]\n")),
    "one's own deputy": (4, "in a circle",
        "actors:\n  - handle: ana-dev\n    deputies: [ana-dev]\n"),
    "a service as a deputy": (4, "persons stand in for persons",
        "actors:\n  - handle: ana-dev\n    deputies: [shop-ci]\n"),
    "a deputy twice": (4, "twice",
        "actors:\n  - handle: ana-dev\n    deputies: [bo-dev, bo-dev]\n"),
    "a member twice": (4, "twice", "teams:\n  - team: a\n    members: [ana-dev, ana-dev]\n"),
    "a role of nobody": (3, "nobody describes 'zed'", "roles:\n  - {to: zed, role: tester}\n"),
    "a role of no team": (3, "nobody describes team:zed",
        "roles:\n  - {to: team:zed, role: tester}\n"),
    "a role in no project": (3, "no project 'zed'",
        "roles:\n  - {to: ana-dev, role: tester, project: zed}\n"),
    "a role twice": (4, "twice",
        "roles:\n  - {to: ana-dev, role: tester}\n  - {to: ana-dev, role: tester}\n"),
    "an auditor who writes": (4, "looks at what others do",
        "roles:\n  - {to: ana-dev, role: auditor}\n  - {to: ana-dev, role: tester}\n"),
}  # fmt: skip


@pytest.mark.parametrize(("line", "why", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_what_does_not_fit_is_refused_with_its_line(
    home: Home, line: int, why: str, text: str
) -> None:
    take_over(home, KNOWN)

    refused = refusal(home, HEAD + text)

    assert refused.code == "directory_refused"
    assert why in refused.message
    assert refused.facts["line"] == line


def test_deputies_may_take_turns(home: Home) -> None:
    """In July one stands in, in August the other: no circle."""
    turns = (
        HEAD
        + """
actors:
  - handle: ana-dev
    deputies:
      - {deputy: bo-dev, since: 2027-07-01, until: 2027-08-01}
  - handle: bo-dev
    deputies:
      - {deputy: ana-dev, since: 2027-08-01, until: 2027-09-01}
"""
    )

    assert len(take_over(home, turns).entries) == 4


def test_a_long_circle_is_found_at_the_moment_it_closes(home: Home) -> None:
    people = [f"p-{n}x" for n in range(40)]
    text = HEAD + "actors:\n" + "".join(
        f"  - handle: {one}\n    deputies:\n"
        f"      - {{deputy: {people[(n + 1) % 40]}, since: 2027-01-{1 + n % 28:02d}}}\n"
        for n, one in enumerate(people)
    )  # fmt: skip

    assert "in a circle" in refusal(home, text).message
    open_ended = text.replace("deputy: p-0x, since: 2027-01-12", "deputy: ana, since: 2027-01-12")
    assert len(compare(home, open_ended + "  - handle: ana\n").changes) == 81


def test_a_plan_may_lie_in_the_future_but_for_accounts(home: Home) -> None:
    """A membership, a deputy, a role and a turn can be planned; whose an account is cannot."""
    plan = YAML.replace("      - ana-dev\n", "      - {handle: ana-dev, since: 2030-01-01}\n")

    assert compare(home, plan).counts["join"] == 2


def test_two_accounts_that_read_alike_may_be_one_persons(home: Home) -> None:
    """GitHub takes Ana-Dev and ana-dev for one login, and so do people."""
    text = HEAD + "actors:\n  - handle: ana-dev\n    accounts: [g:ana-dev, g:Ana-Dev]\n"

    assert compare(home, text).counts == {"add": 1, "link": 2}


# Who may


def person(home: Home, handle: str, *roles: str) -> Credential:
    """Return the session of somebody new, fresh from a passkey."""
    act(home, LOCAL, "actor-describe", {"handle": handle}, "cli")
    for role in roles:
        act(home, LOCAL, "role-grant", {"to": handle, "role": role}, "cli")
    actor = home.access.require_actor(handle)
    return Credential(
        id="session:test", kind="session", handle=handle, actor=actor.ref,
        verified="2026-11-20T14:03:22.000Z",
    )  # fmt: skip


def test_nobody_removes_themselves_by_a_file(home: Home) -> None:
    root = person(home, "root", "administrator")
    with pytest.raises(RequestError, match="nobody removes themselves"):
        act(home, root, "directory-diff", {"content": YAML, "remove_missing": True}, "api")


@pytest.mark.parametrize("role", ["viewer", "developer", "approver", "auditor"])
def test_only_who_may_run_people_compares_or_imports(home: Home, role: str) -> None:
    somebody = person(home, "somebody", role)
    before = size(home)
    for name, more in (("directory-diff", {}), ("directory-import", {"digest": "0" * 32})):
        with pytest.raises(RequestError) as refused:
            act(home, somebody, name, {"content": YAML, **more}, "api")
        assert refused.value.code == "not_allowed"
    assert size(home) == before


def test_an_import_is_done_by_whoever_did_it(home: Home) -> None:
    root = person(home, "root", "administrator")
    digest = compare(home, YAML).digest
    done = act(home, root, "directory-import", {"content": YAML, "digest": digest}, "api")

    [written] = home.log.entries(LOG, done.entries[0], done.entries[0] + 1)
    entry = read_entry(written)
    actors = [one.ref for one in entry.refs if one.role == "actor"]
    assert (entry.recordedby, entry.via) == ("session:test", "api")
    assert actors == [root.actor]
