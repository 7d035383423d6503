"""The pages about people and access: what they show, and what their forms do and refuse."""

import html
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app import signin
from counterfoil.app.actions import act
from counterfoil.events.canonical import JSON
from counterfoil.policy.access import ADMIN, LOG, Credential
from counterfoil.web.sessions import csrf_token
from tests.web_server import Reply, Running, event, running

FORM = "application/x-www-form-urlencoded"
PATHS = ("/admin", "/admin/people", "/admin/teams", "/admin/accounts", "/admin/roles",
         "/admin/tokens", "/admin/trust", "/admin/policies", "/admin/explain")  # fmt: skip


@dataclass
class Reader:
    """Somebody signed in with a browser."""

    web: Running
    cookie: str

    @property
    def csrf(self) -> str:
        """What the forms of this session send back."""
        return csrf_token(self.cookie.partition("=")[2])

    def get(self, path: str) -> Reply:
        """Ask for a page."""
        return self.web.call("GET", path, headers={"Cookie": self.cookie}, token=None)

    def page(self, path: str) -> str:
        """Return a page that is there, as text."""
        reply = self.get(path)
        assert reply.status == 200, reply.body
        return reply.body.decode()

    def send(self, action: str, fields: Mapping[str, str], **headers: str) -> Reply:
        """Post a form as the page of its action has it."""
        sent = {"csrf": self.csrf, "back": "/admin/people", "form": action, **fields}
        body = urllib.parse.urlencode(sent).encode()
        named = {"Content-Type": FORM, "Cookie": self.cookie, **headers}
        return self.web.call("POST", f"/act/{action}", body, named, token=None)

    def do(self, action: str, **fields: str) -> str:
        """Post a form that works; return the page it leads to."""
        reply = self.send(action, fields)
        assert reply.status == 303, reply.body
        return self.page(reply.headers["location"])


def sign_in(web: Running, handle: str = "") -> Reader:
    """Sign in by a link: as somebody in the directory, or as the first administrator."""
    home = web.home
    who = {"handle": handle, "actor": ref_of(web, handle)} if handle else {}
    address = signin.make_link(home.state, home.clock, home.randomness, f"http://{web.host}", **who)
    token = address.partition("token=")[2]
    reply = web.call(
        "POST", "/sign-in", urllib.parse.urlencode({"token": token}).encode(),
        {"Content-Type": FORM}, token=None,
    )  # fmt: skip
    return Reader(web, reply.headers["set-cookie"].partition(";")[0])


@pytest.fixture(scope="module")
def reader(web: Running) -> Reader:
    return sign_in(web)


def size(web: Running) -> int:
    """Return how many entries the log of access has, without counts of refusals."""
    return web.size(LOG)


def ref_of(web: Running, handle: str) -> str:
    return web.home.access.require_actor(handle).ref


def section(page: str, ident: str) -> str:
    """Return the part of a page of one id."""
    found = re.search(rf'<section class="card[^>]* id="{ident}".*?</section>', page, re.DOTALL)
    assert found is not None, f"no section {ident}"
    return found[0]


def described(web: Running, handle: str, **more: str) -> None:
    act(web.home, ADMIN, "actor-describe", {"handle": handle, **more}, "api")


# What is shown, and to whom


@pytest.mark.parametrize("path", PATHS)
def test_a_page_about_access_answers_whoever_is_signed_in(reader: Reader, path: str) -> None:
    page = reader.page(path)

    assert page.count("<h1>") == 1
    assert f'href="{path}" aria-current="page"' in page.replace(' class="under"', "")


@pytest.mark.parametrize("path", [*PATHS, "/admin/person?ref=actor:nobody"])
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
    act(home, ADMIN, "token-issue",
        {"name": "wholes-token", "holder": "whole", "projects": ["other"]}, "api")  # fmt: skip

    page = reader.page(f"/admin/person?ref={ref_of(web, 'whole')}")

    assert "forge.example:whole" in section(page, "accounts")
    roles = section(page, "roles")
    assert "developer" in roles
    assert "in project other" in roles
    assert "administrator" in roles
    assert "wholes-token" in section(page, "tokens")
    assert "/search?q=actor:whole" in page


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
    """No grant makes one, but joining a team that has other roles does."""
    with running(tmp_path / "ledger") as web:
        described(web, "twofold")
        act(web.home, ADMIN, "role-grant", {"to": "twofold", "role": "auditor"}, "api")
        access = web.home.access
        member = (("actor:counterfoil:twofold", "member"),)
        access.enact(
            [access.event("team.described", ADMIN, subject="team:builders", data={}),
             access.event("member.joined", ADMIN, subject="team:builders", data={}, named=member)],
            ADMIN,
        )  # fmt: skip
        act(web.home, ADMIN, "role-grant", {"to": "team:builders", "role": "developer"}, "api")

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


# Forms


def test_a_form_does_it_once_and_says_which_entry(web: Running, reader: Reader) -> None:
    before = size(web)
    reply = reader.send("actor-describe", {"handle": "formed", "kind": "person"})
    entry = web.home.access.require_actor("formed").entry
    leads = reply.headers["location"]

    first, again = reader.page(leads), reader.page(leads)

    assert reply.status == 303
    for page in (first, again):
        assert "Formed is known as a person." in page
        assert f'href="/entries/{entry}?project=_access"' in page
    assert size(web) == before + 1
    shown = web.get(f"/v1/entries/{entry}?project=_access").json()["entry"]
    assert (shown["via"], shown["recordedby"][:8]) == ("web", "session:")


def test_a_refused_form_comes_back_as_typed_with_the_error_beside_it(
    web: Running, reader: Reader
) -> None:
    before = size(web)

    reply = reader.send("actor-describe", {"handle": "Not A Handle", "kind": "agent",
                                           "behalf": 'so"me<b>one'})  # fmt: skip
    form = section(reply.body.decode(), "actor-describe")

    assert reply.status == 400
    assert 'role="alert"' in form
    assert "is no handle" in html.unescape(form)
    assert 'value="Not A Handle"' in form
    assert '<option value="agent" selected>' in form
    assert 'value="so&#34;me&lt;b&gt;one"' in form
    assert size(web) == before


def test_of_two_forms_of_one_action_only_the_refused_one_says_so(
    web: Running, reader: Reader
) -> None:
    described(web, "twice")
    act(web.home, ADMIN, "role-grant", {"to": "twice", "role": "viewer"}, "api")
    back = f"/admin/person?ref={ref_of(web, 'twice')}"

    reply = reader.send("role-grant", {"back": back, "to": "twice", "role": "auditor",
                                       "project": "nowhere"})  # fmt: skip

    page = reply.body.decode()
    assert reply.status == 404
    assert page.count("This was not done.") == 1
    assert '<details class="act-fold" open>' in page
    assert 'value="nowhere"' in page


def test_a_refusal_whose_form_is_gone_is_said_at_the_top(reader: Reader) -> None:
    """Somebody else took the role back while this page was open."""
    reply = reader.send("role-revoke", {"grant": "0" * 12, "form": "role-revoke-gone"})

    assert reply.status == 404
    assert "This was not done." in reply.body.decode()


@pytest.mark.parametrize(
    ("csrf", "headers"),
    [("", {}), ("0" * 64, {}), ("own", {"Origin": "https://attacker.example"}),
     ("own", {"Sec-Fetch-Site": "cross-site"})],
    ids=["none", "another", "sent by another site", "sent across sites"],
)  # fmt: skip
def test_a_form_acts_only_with_its_sessions_token(
    web: Running, reader: Reader, csrf: str, headers: dict[str, str]
) -> None:
    before = size(web)
    shown = reader.csrf if csrf == "own" else csrf

    reply = reader.send("actor-describe", {"handle": "forged", "csrf": shown}, **headers)

    assert reply.status == 403
    assert (size(web), web.home.access.directory.by_handle("forged")) == (before, None)


def test_a_form_without_a_session_does_nothing(web: Running) -> None:
    before = size(web)

    reply = Reader(web, "counterfoil=" + "0" * 64).send("actor-describe", {"handle": "ghost"})

    assert reply.status == 401
    assert size(web) == before


@pytest.mark.parametrize(
    "back",
    ["https://attacker.example/", "//attacker.example", "/\\attacker.example", "/runs", "",
     "/admin/people/../../runs", "javascript:alert(1)"],
)  # fmt: skip
def test_a_form_leads_back_to_pages_about_access_and_nowhere_else(
    reader: Reader, back: str
) -> None:
    reply = reader.send("actor-describe", {"handle": "anywhere", "back": back})

    assert reply.headers["location"].startswith("/admin?told=")


def test_an_unknown_action_is_refused_on_a_page(reader: Reader) -> None:
    assert reader.send("fly", {}).status == 404


def test_a_role_is_given_and_taken_back_on_the_page(web: Running, reader: Reader) -> None:
    described(web, "held")
    page = reader.do("role-grant", to="held", role="tester", project="default", back="/admin/roles")
    [grant] = [one for one in web.home.access.directory.grants.values() if one.role == "tester"]
    assert f'id="role-revoke-{grant.id}' in page or f'value="{grant.id}"' in page

    reader.do("role-revoke", grant=grant.id, back="/admin/roles")

    assert grant.id not in web.home.access.directory.grants


# Tokens


def test_a_token_is_shown_once_and_never_again(web: Running, reader: Reader) -> None:
    reply = reader.send("token-issue", {"name": "nightly", "projects": "default, other",
                                        "verbs": "read", "back": "/admin/tokens"})  # fmt: skip
    leads = reply.headers["location"]

    first = reader.page(leads)
    [secret] = re.findall(r"cft_[0-9a-f]{64}", first)
    later = [reader.page(path) for path in (leads, "/admin/tokens", "/admin")]

    assert web.home.tokens.find(secret) is not None
    assert all("cft_" not in page for page in later)
    assert "nightly" in section(later[1], "living")


def test_what_was_done_is_told_to_nobody_else(web: Running, reader: Reader) -> None:
    """Another session that learns the address learns no secret by it."""
    reply = reader.send(
        "token-issue", {"name": "private", "projects": "*", "back": "/admin/tokens"}
    )
    leads = reply.headers["location"]

    other = sign_in(web).page(leads)

    assert "cft_" not in other
    assert "cft_" in reader.page(leads)


def test_a_token_says_when_it_was_last_used_until_it_is_revoked(
    web: Running, reader: Reader
) -> None:
    issued = act(web.home, ADMIN, "token-issue", {"name": "used", "projects": ["*"]}, "api")
    found: Any = issued
    assert "not used yet" in section(reader.page("/admin/tokens"), "living")
    web.call("POST", "/v1/events", event(), token=found.token)

    assert "1 time" in section(reader.page("/admin/tokens"), "living")

    reader.do("token-revoke", token=found.id, reason="leaked", back="/admin/tokens")
    assert "used" in section(reader.page("/admin/tokens"), "over")
    assert web.call("POST", "/v1/events", event(), token=found.token).status == 401


# Accounts to map


def test_an_account_is_listed_with_how_often_until_it_is_somebodys(
    web: Running, reader: Reader
) -> None:
    account = "forge.example:zoe"
    for project in ("default", "default", "other"):
        web.call("POST", f"/v1/events?project={project}", event(authid=account, authtype="user"))
    described(web, "zoe")
    web.settle()

    row = re.search(
        rf"<tr>(?:(?!<tr>).)*{account}.*?</tr>", reader.page("/admin/accounts"), re.DOTALL
    )
    assert row is not None
    assert "3 times" in row[0]
    assert "default and other" in row[0]

    reader.do("account-link", account=account, handle="zoe", back="/admin/accounts")

    assert f'<code><bdi class="outside">{account}' not in reader.page("/admin/accounts")
    person = reader.page(f"/admin/person?ref={ref_of(web, 'zoe')}")
    assert account in section(person, "accounts")


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


# Policies, and access explained


def test_the_policies_in_force_are_shown_with_their_text(reader: Reader) -> None:
    page = reader.page("/admin/policies")

    assert "approve-not-under-own-gate" in page
    assert "@id(&#34;sensitive-verified&#34;)" in page


def test_access_is_explained_with_what_would_make_it_pass(web: Running, reader: Reader) -> None:
    described(web, "asked")
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


# Trust rules


def test_a_trust_rule_is_tried_in_words_then_added_then_removed(tmp_path: Path) -> None:
    with running(tmp_path / "ledger", public_url="https://foil.example") as web:
        web.host = "foil.example"
        reader = sign_in(web)
        asked = {
            "kind": "github", "projects": "default", "back": "/admin/trust",
            "claims": "repository_id=74\r\n"
            "job_workflow_ref=acme/ci/.github/workflows/record.yml@refs/heads/main",
        }  # fmt: skip

        tried = reader.do("trust-add", dry="true", **asked)

        assert web.home.access.directory.trusts == {}
        assert "74" in section(tried, "tried")
        assert "for another audience" in section(tried, "tried")
        assert "repository_id=74\njob_workflow_ref" in section(tried, "trust-add")

        added = reader.do("trust-add", **asked)
        [ref] = web.home.access.directory.trusts
        card = section(added, ref.replace(":", "-"))
        assert "Refuses" in card
        assert "tokens that ended" in card

        reader.do("trust-remove", rule=ref, reason="moved", back="/admin/trust")
        assert web.home.access.directory.trusts == {}


# Policies tried, put in force, rolled back


def test_a_set_is_tried_put_in_force_and_rolled_back_on_the_page(tmp_path: Path) -> None:
    with running(tmp_path / "ledger") as web:
        reader = sign_in(web)
        described(web, "ana")
        act(web.home, ADMIN, "role-grant", {"to": "ana", "role": "viewer"}, "api")
        ana = Credential("session:x", "session", "ana", actor=ref_of(web, "ana"))
        assert web.home.access.decide(ana, "record", "default").allowed is False
        wider = web.home.access.policies().text + (
            '@id("viewer-records")\n@reason("viewers <record> here")\n'
            'permit (principal in Role::"viewer", action == Action::"record", resource);\n'
        )
        before = size(web)

        tried = reader.do(
            "policy-preview", text=wider.replace("\n", "\r\n"), back="/admin/policies"
        )

        shown = section(tried, "preview")
        assert '<ins><bdi class="outside">@id(&#34;viewer-records&#34;)</bdi></ins>' in shown
        assert "<del>" not in shown
        assert "ana: record project default" in shown
        assert "no now, yes then" in shown
        assert size(web) == before

        hidden = re.search(r'<input type="hidden" name="text" value="([^"]*)"', shown)
        assert hidden is not None
        text = html.unescape(hidden[1])
        assert text == wider
        reader.do("policy-activate", text=text, reason="viewers help out", back="/admin/policies")
        assert web.home.access.decide(ana, "record", "default").allowed is True
        page = reader.page("/admin/policies")
        assert "viewers help out" in section(page, "versions")
        assert "viewers &lt;record&gt; here" in section(page, "policies")
        then = reader.page(f"/admin/policies?as_of={before - 1}")
        assert "viewers &lt;record&gt; here" not in then

        reader.do("policy-rollback", reason="too wide", back="/admin/policies")
        assert web.home.access.directory.policy == "builtin"


def test_a_set_with_a_typo_comes_back_with_its_line_and_every_character(
    web: Running, reader: Reader
) -> None:
    text = '\n@id("a")\n@reason("<b>")\npermit (principal, action == Action::"raed", resource);\n'

    reply = reader.send("policy-preview", {"text": text, "back": "/admin/policies"})

    page = reply.body.decode()
    assert reply.status == 422
    assert "line 4" in section(page, "policy-preview")
    assert html.escape(text.lstrip("\n"), quote=True).replace("&quot;", "&#34;") in page
    assert web.home.access.directory.policy == "builtin"


def test_a_set_needs_a_reason(web: Running, reader: Reader) -> None:
    text = web.home.access.policies().text

    reply = reader.send("policy-activate",
                        {"text": text, "reason": " ", "back": "/admin/policies"})  # fmt: skip

    assert reply.status == 400
    assert "say why" in section(reply.body.decode(), "policy-activate")
    assert web.home.access.directory.policy == "builtin"
