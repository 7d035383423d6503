"""One actor: accounts, teams, roles, deputies, passkeys and tokens, each with the entry that says so."""

from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.everywhere import readable
from counterfoil.app.last_key import last_key_warning
from counterfoil.app.readings_of import QUERY, Reads, readings_of
from counterfoil.app.sessions import Session, Sessions
from counterfoil.errors import RequestError
from counterfoil.policy.directory import Actor, Directory
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.admin_desk import (
    Chip,
    Desk,
    admin_render,
    desk_of,
    forms_of,
    head_of,
    scope_words,
)
from counterfoil.web.pages.admin_sessions import SessionFact, session_fact
from counterfoil.web.pages.forms import Form, Forms, Words
from counterfoil.web.pages.linked import comment_mark, how_linked
from counterfoil.web.pages.parts import Empty, Mark, Pill
from counterfoil.web.pages.parts import mark as entry_mark

_READ = {
    "entry": "whole entries",
    "raw": "kept files",
    "accounts": "accounts of people",
    "actors": "lists of people",
    "sessions": "who is signed in where",
    "export": "exports",
    "erased": "erased since",
}
# As many as fit into a search.
PSEUDONYMS_MAX = 16
_VOUCHED = {
    "invitation": "by an invitation of",
    "own-key": "by another passkey of the same person",
    "files": "by whoever holds the ledger's files",
    "admin-token": "by whoever holds the administrator's token",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing of an actor's: what it is, how it came, whether it holds, who did it.

    `comment` marks the entry of a comment that proved it.
    """

    what: str
    detail: str
    state: Pill | None
    by: Chip | None
    mark: Mark
    chip: Chip | None = None
    end: Form | None = None
    comment: Mark | None = None
    life_href: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of things; `add` gives another one, `warning` is what would be so without them."""

    id: str
    title: str
    facts: tuple[Fact, ...]
    empty: Empty
    add: Form | None = None
    sessions: tuple[SessionFact, ...] = ()
    warning: str = ""
    more_href: str = ""


@dataclass(frozen=True, slots=True)
class PersonView:
    """The page."""

    chip: Chip
    kind: str
    behalf: Chip | None
    acts_href: str
    mark: Mark
    parts: tuple[Part, ...]
    forms: tuple[Form, ...]


def build_person(
    desk: Desk,
    actor: Actor,
    forms: Forms,
    used: dict[str, tuple[str, int]],
    sessions: list[Session] | None,
    reads: Reads,
) -> PersonView:
    """Build the page of an actor.

    Args:
        desk: of the page.
        actor: whose.
        forms: makes its forms.
        used: token -> when it was last used, and how often.
        sessions: where they are signed in; None for a reader who may not see that.
        reads: what they read of personal data, as far as the page's reader may know.
    """
    alive = actor.removed < 0
    parts = [
        _accounts(desk, actor, forms),
        _roles(desk, actor, forms),
        _teams(desk, actor, forms),
        _deputies(desk, actor, forms),
        _tokens(desk, actor, forms, used),
        _reads(desk, actor, reads),
    ]
    own: list[Form | None] = []
    if actor.kind == "person":
        parts.insert(1, _passkeys(desk, actor, forms))
        if sessions is not None:
            parts.insert(2, _sessions(desk, sessions, forms))
        own.append(forms.form("invite", "Invite to sign in", "Make an invitation",
                              hidden={"handle": actor.handle}))  # fmt: skip
    own.append(forms.form("actor-remove", f"Remove {actor.handle}", "Remove", tone="refuse",
                          hidden={"handle": actor.handle}))  # fmt: skip
    shown = [one for one in own if alive]
    shown.append(forms.form("erase", f"Erase {actor.handle}", "Erase for good", tone="refuse",
                            hidden={"subject": actor.ref}, leave_out=("entry", "field", "project"),
                            words={"reason": Words("Reason", "sealed, since it may say who asked")},
                            ))  # fmt: skip
    return PersonView(
        chip=desk.chip(actor.ref),
        kind=actor.kind,
        behalf=desk.chip(actor.behalf) if actor.behalf else None,
        acts_href=desk.everywhere(acts_query(desk.directory, actor)),
        mark=desk.mark(actor.entry if alive else actor.removed),
        parts=tuple(parts),
        forms=tuple(one for one in shown if one is not None and actor.handle),
    )


def acts_query(directory: Directory, actor: Actor) -> str:
    """Return the search for what an actor did, over all accounts.

    A handle means all of them.  Of an erased actor there are only pseudonyms left, one an account.
    """
    if actor.handle:
        return f"actor:{actor.handle}"
    refs = directory.pseudonyms_of(actor.ref)[:PSEUDONYMS_MAX]
    return " ".join(f"actor:{ref}" for ref in refs)


def _accounts(desk: Desk, actor: Actor, forms: Forms) -> Part:
    facts = []
    for link in reversed(desk.directory.accounts_of(actor.ref)):
        account = desk.account(link.account)
        signs = "; signs in with it" if link.signs_in else ""
        end = None
        if link.holds(desk.now) and account:
            end = forms.form("account-unlink", "Unlink", "Unlink", key=link.account, tone="refuse",
                             hidden={"handle": actor.handle, "account": account})  # fmt: skip
        facts.append(Fact(account or "erased", f"linked {how_linked(link)}, {desk.span(link)}{signs}",
                          desk.state(link), None, desk.mark(link.entry), end=end,
                          comment=comment_mark(link)))  # fmt: skip
    add = forms.form("account-link", "Link an account", "Link", hidden={"handle": actor.handle})
    empty = Empty("No account is linked.", "What they do elsewhere counts for nobody yet.")
    return Part("accounts", "Accounts", tuple(facts), empty, add)


def _passkeys(desk: Desk, actor: Actor, forms: Forms) -> Part:
    facts, warning = [], ""
    for key in desk.directory.passkeys.values():
        if key.actor != actor.ref:
            continue
        there = key.removed < 0
        if there:
            warning = warning or last_key_warning(desk.directory, key, desk.now)
        vouched = _VOUCHED.get(key.vouched, "by nobody the log names")
        end = forms.form("passkey-remove", "Remove", "Remove this passkey", key=key.id, tone="refuse",
                         hidden={"handle": actor.handle, "passkey": key.id}) if there else None  # fmt: skip
        facts.append(
            Fact(
                key.name or "a passkey",
                f"enrolled {desk.when(key.since)} at {key.rp}, vouched for {vouched}",
                None if there else Pill("removed", "none", "waived"),
                desk.chip(key.vouched_by) if key.vouched_by else None,
                desk.mark(key.entry if there else key.removed),
                end=end,
            )
        )
    open_ = [
        Fact("an invitation", f"not used yet, {desk.span(one)}", Pill("open", "none", "pending"),
             desk.doer(one.by) if one.by else None, desk.mark(one.entry),
             end=forms.form("invitation-end", "Withdraw", "Withdraw it", key=one.id, tone="refuse",
                            hidden={"handle": actor.handle}))
        for one in desk.directory.open_invitations(actor.ref, desk.now)
    ]  # fmt: skip
    empty = Empty("No passkey is enrolled.", "An invitation lets this person enrol the first one.")
    return Part("passkeys", "Passkeys", (*facts, *open_), empty, warning=warning)


def _sessions(desk: Desk, sessions: list[Session], forms: Forms) -> Part:
    facts = tuple(session_fact(desk, one, forms) for one in sessions)
    empty = Empty("Signed in nowhere.", "")
    return Part("sessions", "Sessions", (), empty, None, facts)


def _roles(desk: Desk, actor: Actor, forms: Forms) -> Part:
    facts = []
    stands = desk.directory.stands_in_for(actor.ref, desk.now)
    for grant in desk.directory.grants_of(actor.ref, desk.now):
        own = grant.holder == actor.ref
        through = "" if own else "; as a member of "
        if not own and grant.holder in stands:
            through = "; stands in for "
        end = None
        if own:
            end = forms.form("role-revoke", "Take back", "Take back", key=grant.id, tone="refuse",
                             hidden={"grant": grant.id})  # fmt: skip
        facts.append(Fact(
            grant.role, f"in {scope_words(grant)}, {desk.span(grant)}{through}", desk.state(grant),
            desk.doer(grant.by) if grant.by else None, desk.mark(grant.entry),
            chip=None if own else desk.chip(grant.holder), end=end,
        ))  # fmt: skip
    add = forms.form("role-grant", "Give a role", "Give", hidden={"to": actor.handle})
    empty = Empty("No role: nothing is allowed.", "Give one here, or let a team have it.")
    return Part("roles", "Roles", tuple(facts), empty, add)


def _teams(desk: Desk, actor: Actor, forms: Forms) -> Part:
    facts = []
    for (team, member), one in desk.directory.members.items():
        if member != actor.ref or team not in desk.directory.teams:
            continue
        turn = "; on turn now" if desk.directory.on_turn(team, desk.now) == actor.ref else ""
        end = forms.form("member-leave", "Leave", "Take out of the team", key=team, tone="refuse",
                         hidden={"handle": actor.handle, "team": team.removeprefix("team:")})  # fmt: skip
        facts.append(Fact("", f"{desk.span(one)}{turn}", desk.state(one), None,
                          desk.mark(one.entry), chip=desk.chip(team), end=end))  # fmt: skip
    empty = Empty("In no team.", "")
    return Part("teams", "Teams", tuple(facts), empty)


def _deputies(desk: Desk, actor: Actor, forms: Forms) -> Part:
    facts = []
    for one in desk.directory.deputies.values():
        if actor.ref not in {one.actor, one.deputy}:
            continue
        mine = one.actor == actor.ref
        other = one.deputy if mine else one.actor
        end = None
        found = desk.directory.actors.get(one.deputy)
        if mine and found is not None:
            end = forms.form("deputy-end", "End", "End it", key=one.deputy, tone="refuse",
                             hidden={"handle": actor.handle, "deputy": found.handle})  # fmt: skip
        what = "is stood in for by" if mine else "stands in for"
        facts.append(Fact(what, desk.span(one), desk.state(one), None, desk.mark(one.entry),
                          chip=desk.chip(other), end=end))  # fmt: skip
    add = forms.form("deputy-name", "Name a deputy", "Name", hidden={"handle": actor.handle})
    empty = Empty("No deputy.", "Nobody stands in, and they stand in for nobody.")
    return Part("deputies", "Deputies", tuple(facts), empty, add)


def _tokens(desk: Desk, actor: Actor, forms: Forms, used: dict[str, tuple[str, int]]) -> Part:
    facts = []
    for token in desk.directory.tokens.values():
        if token.holder != actor.ref:
            continue
        last, times = used.get(token.id, ("", 0))
        use = (
            f"last used {desk.when(last)}, {words.count(times, 'time')}" if last else "not used yet"
        )
        there = token.revoked < 0
        end = forms.form("token-revoke", "Revoke", "Revoke", key=token.id, tone="refuse",
                         hidden={"token": token.id}) if there else None  # fmt: skip
        facts.append(Fact(
            token.name or token.id,
            f"{token.id}: {', '.join(token.verbs)} in {', '.join(token.projects)}; {desk.span(token)}; {use}",
            desk.state(token) if there else Pill("revoked", "none", "waived"),
            desk.doer(token.by) if token.by else None,
            desk.mark(token.entry if there else token.revoked), end=end,
            life_href=desk.everywhere(f"ref:{token.id}"),
        ))  # fmt: skip
    return Part("tokens", "Tokens", tuple(facts), Empty("No token acts for them.", ""))


def _reads(desk: Desk, actor: Actor, reads: Reads) -> Part:
    """Say what somebody read of others: one line a kind and log, with its newest entry."""
    facts = tuple(
        Fact(
            _READ.get(one.what, one.what),
            f"{words.count(one.count, 'time')} in {one.project}, the last {desk.when(one.last)}",
            None,
            None,
            entry_mark(one.index, replace(desk.pages.at(None), project=one.project)),
        )
        for one in reads.rows
    )
    left_out = (
        f"{words.count(reads.more, 'older entry', 'older entries')} are not added up."
        if reads.more
        else ""
    )
    empty = Empty("Nothing of others was read or exported.", "Each look would be on record here.")
    query = f"{acts_query(desk.directory, actor)} {QUERY}"
    return Part("reads", "What they read", facts, empty, warning=left_out,
                more_href=desk.everywhere(query))  # fmt: skip


def person_page(request: Request, context: Context) -> Response:
    """Answer GET /admin/person?ref= or ?handle=.

    Raises:
        RequestError: `not_found`: there was nobody of that ref or handle by then.
    """
    desk, forms = desk_of(context), forms_of(request, context)
    asked = request.query_params
    actor = desk.directory.actors.get(asked.get("ref", ""))
    actor = actor or desk.directory.by_handle(asked.get("handle", ""))
    if actor is None:
        raise RequestError("not_found", "nobody of that name is in the directory at this moment")
    context.note_read("accounts")
    used = context.home.tokens.uses() if context.as_of is None else {}
    sessions = None
    if context.as_of is None and forms.may("sessions"):
        home = context.home
        sessions = Sessions(home.state.sign_in, home.clock, home.randomness).listed(actor.ref)
    view = build_person(desk, actor, forms, used, sessions, _reads_of(context, desk, actor))
    every = [*view.forms, *(part.add for part in view.parts)]
    for part in view.parts:
        every += [fact.end for fact in part.facts] + [fact.end for fact in part.sessions]
    gone = Pill("removed", "none", "waived") if actor.removed >= 0 else None
    say = (
        "Removed: nothing of theirs lets anybody in any more. What they did stays."
        if gone
        else f"What is {actor.handle or 'this erased actor'}'s, who gave it, and until when."
    )
    head = head_of(context, desk, actor.handle or "erased", say, every, pill=gone,
                   above=(("Admin", "/admin"), ("People", "/admin/people")))  # fmt: skip
    return admin_render(request, context, "admin_person.html", "/admin/people", head, view=view)


def _reads_of(context: Context, desk: Desk, actor: Actor) -> Reads:
    """Return what an actor read, in the logs that whoever looks at the page may read."""
    query = acts_query(desk.directory, actor)
    if not query:
        return Reads((), 0)
    logs = readable(context.home, context.credential)
    then = {}
    if context.as_of is not None:
        at = context.home.reader.rows.recordedtime(context.project, context.as_of)
        assert at is not None, "a moment of the page is an entry that is there"
        then = {log: context.home.reader.position_at(log, at) for log in logs}
        logs = [log for log in logs if then[log] >= 0]
    return readings_of(context.home, logs, query, then)
