"""The forms of the pages about people and access: what they do, and what they refuse."""

import html
import re
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app.actions import act
from counterfoil.policy.access import ADMIN, Credential
from tests.admin_reader import Reader, described, ref_of, section, sign_in, size
from tests.web_server import Running, event, running


@pytest.fixture(scope="module")
def reader(web: Running) -> Reader:
    return sign_in(web)


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


def test_an_open_invitation_is_withdrawn_on_the_page_of_the_person(
    web: Running, reader: Reader
) -> None:
    described(web, "unsure")
    act(web.home, ADMIN, "invite", {"handle": "unsure"}, "api")
    back = f"/admin/person?ref={ref_of(web, 'unsure')}"
    assert 'action="/act/invitation-end"' in reader.page(back)

    reply = reader.send("invitation-end", {"handle": "unsure", "back": back})

    assert reply.status == 303
    assert 'action="/act/invitation-end"' not in reader.page(back)


def test_a_refusal_whose_form_is_gone_is_said_at_the_top(reader: Reader) -> None:
    """Somebody else took the role back while this page was open."""
    reply = reader.send("role-revoke", {"grant": "0" * 12, "_form": "role-revoke-gone"})

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

        [made, _] = web.home.access.directory.policies
        reader.do("policy-rollback", to=made.digest[:20], back="/admin/policies")
        assert web.home.access.directory.policy == made.digest


def test_a_set_with_a_typo_comes_back_with_its_line_and_every_character(
    web: Running, reader: Reader
) -> None:
    text = '\n@id("a")\n@reason("<b>")\npermit (principal, action == Action::"raed", resource);\n'

    reply = reader.send("policy-preview", {"text": text, "back": "/admin/policies"})

    page = reply.body.decode()
    assert reply.status == 422
    assert "Line 4" in section(page, "policy-preview")
    assert html.escape(text.lstrip("\n"), quote=True).replace("&quot;", "&#34;") in page
    assert web.home.access.directory.policy == "builtin"


def test_a_set_needs_a_reason(web: Running, reader: Reader) -> None:
    text = web.home.access.policies().text

    reply = reader.send("policy-activate",
                        {"text": text, "reason": " ", "back": "/admin/policies"})  # fmt: skip

    assert reply.status == 400
    assert "Say why" in section(reply.body.decode(), "policy-activate")
    assert web.home.access.directory.policy == "builtin"
