"""The pages about people and access: what they show, and to whom."""

import html
import re
from datetime import timedelta
from pathlib import Path

import pytest

from counterfoil.app.acting_trust import Added
from counterfoil.app.actions import act
from counterfoil.app.sessions import Sessions
from counterfoil.clock import format_time
from counterfoil.events.canonical import JSON
from counterfoil.policy.access import ADMIN
from counterfoil.stores.state_jobs import JobSession
from tests.admin_reader import Reader, described, ref_of, section, sign_in, size
from tests.own_token import own_token
from tests.web_server import Running, event, running

PATHS = ("/admin", "/admin/people", "/admin/teams", "/admin/accounts", "/admin/roles",
         "/admin/tokens", "/admin/sessions", "/admin/trust", "/admin/policies", "/admin/explain",
         "/admin/asked", "/admin/retention")  # fmt: skip


@pytest.fixture(scope="module")
def reader(web: Running) -> Reader:
    return sign_in(web)


# What is shown, and to whom


@pytest.mark.parametrize("path", PATHS)
def test_a_page_about_access_answers_whoever_is_signed_in(reader: Reader, path: str) -> None:
    page = reader.page(path)

    assert page.count("<h1>") == 1
    assert f'href="{path}" aria-current="page"' in page.replace(' class="under"', "")


@pytest.mark.parametrize("path", [*PATHS, "/admin/import", "/admin/person?ref=actor:nobody"])
def test_nobody_reads_about_access_without_a_session(web: Running, path: str) -> None:
    reply = web.call("GET", path, token=None)

    assert (reply.status, reply.headers["location"].partition("?")[0]) == (303, "/sign-in")


def test_the_page_of_nobody_is_not_found(reader: Reader) -> None:
    assert reader.get("/admin/person?ref=actor:nobody").status == 404


def test_a_mark_leads_to_the_entry_that_says_so(web: Running, reader: Reader) -> None:
    described(web, "marked")
    entry = web.home.access.require_actor("marked").entry

    page = reader.page("/admin/people?find=marked")

    address = f"/entries/{entry}?project=_access"
    assert html.escape(address) in page
    assert "described" in reader.page(address)


def test_a_page_keeps_the_project_its_reader_came_from(reader: Reader) -> None:
    page = reader.page("/admin/people?project=other")

    assert '<a href="/runs?project=other"' in page
    assert '<span class="project">other</span>' in page


def test_a_person_is_shown_with_all_that_is_theirs(web: Running, reader: Reader) -> None:
    described(web, "whole")
    home = web.home
    act(home, ADMIN, "account-link", {"handle": "whole", "account": "forge.example:whole"}, "api")
    act(home, ADMIN, "role-grant", {"to": "whole", "role": "developer", "project": "other"}, "api")
    own_token(home, "whole", name="wholes-token", projects=["other"])

    page = reader.page(f"/admin/person?ref={ref_of(web, 'whole')}")

    assert "forge.example:whole" in section(page, "accounts")
    roles = section(page, "roles")
    assert "developer" in roles
    assert "in project other" in roles
    assert "administrator" in roles
    assert "wholes-token" in section(page, "tokens")
    assert 'href="/search/everywhere?q=actor:whole"' in page


def test_an_agent_names_on_whose_behalf_it_acts(web: Running, reader: Reader) -> None:
    described(web, "principal")
    described(web, "robot", kind="agent", behalf="principal")

    machines = section(reader.page("/admin/people?find=robot"), "machines")

    assert "robot" in machines
    assert ">principal<" in machines


def test_what_others_wrote_is_shown_and_does_nothing(web: Running, reader: Reader) -> None:
    hostile = "forge.example:<script>alert(1)</script>"
    assert web.call("POST", "/v1/events", event(authid=hostile)).status == 201

    page = reader.page("/admin/accounts")

    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page


def test_an_auditor_with_other_roles_is_pointed_out(tmp_path: Path) -> None:
    """No action makes one; a log that somebody wrote otherwise may hold one."""
    with running(tmp_path / "ledger") as web:
        described(web, "twofold")
        act(web.home, ADMIN, "role-grant", {"to": "twofold", "role": "auditor"}, "api")
        access = web.home.access
        member = (("actor:counterfoil:twofold", "member"),)
        act(web.home, ADMIN, "team-describe", {"team": "builders"}, "api")
        act(web.home, ADMIN, "role-grant", {"to": "team:builders", "role": "developer"}, "api")
        joined = access.event(
            "member.joined", ADMIN, subject="team:builders", data={}, named=member
        )
        access.enact([joined], ADMIN)

        page = sign_in(web).page("/admin/roles")

        assert "twofold is an auditor and also developer" in page
        assert "builders" in sign_in(web).page("/admin/teams")


# The past


def test_a_past_moment_shows_who_there_was_and_no_form(web: Running, reader: Reader) -> None:
    described(web, "earlier")
    then = size(web) - 1
    described(web, "later")

    page = reader.page(f"/admin/people?as_of={then}")

    assert ">earlier<" in page
    assert ">later<" not in page
    assert "Acting is off in the past" in page
    assert "/act/" not in page
    assert ">later<" in reader.page("/admin/people")


def test_a_moment_is_kept_from_log_to_log_as_a_time(web: Running, reader: Reader) -> None:
    """Entry 3 of one log and entry 3 of another have nothing to do with each other."""
    described(web, "timed")
    then = size(web) - 1
    time = web.get(f"/v1/entries/{then}?project=_access").json()["entry"]["recordedtime"]
    described(web, "after")
    assert web.call("POST", "/v1/events", event()).status == 201

    admin = reader.page(f"/admin/people?as_of={then}")
    assert f'href="/runs?as_of={time}"' in admin
    assert f'href="/admin/roles?as_of={then}"' in admin
    [across] = set(re.findall(r'href="(/admin[?][^"]*)"', reader.page("/log?as_of=0")))
    assert re.fullmatch(r"/admin\?as_of=2\d{3}-.*Z", across)
    assert "Acting is off in the past" in reader.page(across)


@pytest.mark.parametrize("path", PATHS)
def test_every_page_has_a_past(web: Running, reader: Reader, path: str) -> None:
    described(web, "someone")

    assert "/act/" not in reader.page(f"{path}?as_of=0")


# Who may


def test_who_may_not_is_told_why_and_gets_no_form(tmp_path: Path) -> None:
    """Once somebody has a passkey, a session that showed none does nothing sensitive."""
    with running(tmp_path / "ledger") as web:
        reader = sign_in(web)
        described(web, "first")
        assert "/act/actor-describe" in reader.page("/admin/people")
        access = web.home.access
        key: dict[str, JSON] = {"passkey": "5m4xVaXN0cmluZw", "name": "laptop", "public_key": "pQECAyYgASFYIA",
               "counter": 0, "rp": "localhost", "vouched": "files"}  # fmt: skip
        subject = access.account_ref("first")
        access.enact([access.event("passkey.enrolled", ADMIN, subject=subject, data=key)], ADMIN)

        form = section(reader.page("/admin/people"), "actor-describe")
        before = size(web)
        refused = reader.send("actor-describe", {"handle": "second"})

        assert "<input" not in form
        assert "You may not do this" in form
        assert "fresh verification" in form
        assert refused.status == 403
        assert "fresh verification" in refused.body.decode()
        assert size(web) == before
        assert "laptop" in reader.page(f"/admin/person?ref={ref_of(web, 'first')}")


def test_whoever_may_not_read_about_access_sees_no_way_there(web: Running) -> None:
    """A role in one project says nothing about the ledger as a whole."""
    described(web, "narrow")
    act(
        web.home,
        ADMIN,
        "role-grant",
        {"to": "narrow", "role": "viewer", "project": "default"},
        "api",
    )

    narrow = sign_in(web, "narrow")

    assert 'href="/admin"' not in narrow.page("/")
    assert {narrow.get(path).status for path in PATHS} == {403}
    assert narrow.send("actor-describe", {"handle": "sly"}).status == 403
    assert web.home.access.directory.by_handle("sly") is None


def test_whoever_only_reads_is_told_why_there_is_no_form(web: Running) -> None:
    described(web, "wide")
    act(web.home, ADMIN, "role-grant", {"to": "wide", "role": "viewer"}, "api")

    page = sign_in(web, "wide").page("/admin/roles")

    form = section(page, "role-grant")
    assert "<input" not in form
    assert "needs the role administrator" in form
    assert "/step-up" not in form


def test_an_administrator_who_showed_no_passkey_lately_is_led_to_show_it(web: Running) -> None:
    described(web, "chief")
    act(web.home, ADMIN, "role-grant", {"to": "chief", "role": "administrator"}, "api")
    chief = sign_in(web, "chief")

    form = section(chief.page("/admin/people?find=chief"), "actor-describe")

    assert 'href="/step-up?next=%2Fadmin%2Fpeople%3Ffind%3Dchief"' in form
    assert "<input" not in form
    person = chief.page(f"/admin/person?ref={ref_of(web, 'chief')}")
    assert "with a link, vouched for" in section(person, "sessions")


# Sessions


def test_open_sessions_are_listed_and_ended_by_whoever_may(web: Running, reader: Reader) -> None:
    described(web, "gone")
    act(web.home, ADMIN, "role-grant", {"to": "gone", "role": "viewer"}, "api")
    other = sign_in(web, "gone")
    assert other.get("/").status == 200

    people = section(reader.page("/admin/sessions"), "people")

    [session] = Sessions(web.home.state.sign_in, web.home.clock, web.home.randomness).listed(
        ref_of(web, "gone")
    )
    assert ">gone<" in people
    assert "the administrator&#39;s link" in people
    assert f"q=ref:{session.id}" in people
    reader.do("session-end", session=session.id, reason="a lost laptop", back="/admin/sessions")
    assert other.get("/").status == 303
    assert session.id not in reader.page("/admin/sessions")


def test_a_ci_jobs_session_is_listed_with_the_rule_it_is_under(
    web: Running, reader: Reader
) -> None:
    described(web, "shop-jobs", kind="service")
    given: dict[str, JSON] = {
        "kind": "github",
        "claims": ["repository_id=74", "job_workflow_ref=acme/ci/.github/workflows/ci.yml@*"],
        "holder": "shop-jobs",
        "projects": ["default"],
    }
    added = act(web.home, ADMIN, "trust-add", given, "api")
    assert isinstance(added, Added)
    rule = added.id
    until = format_time(web.home.clock.now() + timedelta(minutes=5))
    web.home.jobs.keep(JobSession(b"d" * 32, "session:job1", rule, "ci:github:74", b"b", until))

    jobs = section(reader.page("/admin/sessions"), "jobs")

    assert ">shop-jobs<" in jobs
    assert "ci:github:74" in jobs
    assert rule in jobs
    act(web.home, ADMIN, "trust-remove", {"rule": rule}, "api")
    assert "No CI job has a session." in reader.page("/admin/sessions")


def test_sessions_are_shown_to_nobody_who_may_not_end_them(web: Running) -> None:
    described(web, "looker")
    act(web.home, ADMIN, "role-grant", {"to": "looker", "role": "viewer"}, "api")

    page = sign_in(web, "looker").page("/admin/sessions")

    assert 'id="people"' not in page
    assert "needs the verb sessions" in page


def test_sessions_of_the_past_are_what_the_log_says(web: Running, reader: Reader) -> None:
    page = reader.page(f"/admin/sessions?as_of={size(web) - 1}")

    assert 'id="people"' not in page
    assert "q=type" in page


# Policies, and access explained


def test_the_policies_in_force_are_shown_with_their_text(reader: Reader) -> None:
    page = reader.page("/admin/policies")

    assert "approve-not-under-own-gate" in page
    assert "@id(&#34;sensitive-verified&#34;)" in page


def test_access_is_explained_with_what_would_make_it_pass(web: Running, reader: Reader) -> None:
    described(web, "asked")
    reader.page("/admin/explain")
    kept = set(web.home.access.asked)

    page = reader.page("/admin/explain?actor=asked&verb=record&in=default")

    answer = section(page, "answer")
    assert "May asked record default?" in answer
    assert "</svg>no</span>" in answer
    assert "have the role developer in project default" in answer
    assert set(web.home.access.asked) - kept == set()

    act(web.home, ADMIN, "role-grant", {"to": "asked", "role": "developer"}, "api")
    after = reader.page("/admin/explain?actor=asked&verb=record&in=default")
    assert "</svg>yes</span>" in section(after, "answer")
    assert "a developer records work" in section(after, "deciding")
    [grant] = [one for one in web.home.access.directory.grants.values() if one.role == "developer"
               and one.holder == ref_of(web, "asked")]  # fmt: skip
    assert f'href="/entries/{grant.entry}?project=_access"' in section(after, "rests")


def test_roles_that_do_not_reach_there_are_told_apart_from_what_the_answer_rests_on(
    web: Running, reader: Reader
) -> None:
    """Otherwise somebody with the role elsewhere looks as if they had none, or had it here."""
    described(web, "afar")
    given = {"to": "afar", "role": "approver", "project": "other", "tier": "staging"}
    act(web.home, ADMIN, "role-grant", given, "api")
    [grant] = [one for one in web.home.access.directory.grants.values()
               if one.holder == ref_of(web, "afar")]  # fmt: skip

    there = reader.page("/admin/explain?actor=afar&verb=approve&in=other&ref=env:staging")
    elsewhere = reader.page("/admin/explain?actor=afar&verb=approve&in=default&ref=env:staging")

    assert "in project other, tier staging" in section(there, "rests")
    assert 'id="elsewhere"' not in there
    assert "No role holds there." in section(elsewhere, "rests")
    told = section(elsewhere, "elsewhere")
    assert "Roles that do not reach there" in told
    assert "<b>approver</b>" in told
    assert "in project other, tier staging" in told
    assert f'href="/entries/{grant.entry}?project=_access"' in told


@pytest.mark.parametrize(
    ("query", "said"),
    [("actor=nobody-here&verb=read&in=default", "nobody is known"),
     ("actor=someone&verb=fly&in=default", "is no verb"),
     ("actor=someone&verb=read&in=nowhere", "no log")],
    ids=["who", "verb", "project"],
)  # fmt: skip
def test_a_question_that_cannot_be_asked_says_why(
    web: Running, reader: Reader, query: str, said: str
) -> None:
    described(web, "someone")

    assert said in html.unescape(reader.page(f"/admin/explain?{query}"))
