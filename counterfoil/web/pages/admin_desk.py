"""What every page about people and access is built from: the directory at one moment, and words.

The directory is what the log `_access` says up to an entry, so these pages know every past moment;
acting is off there.  People stand as handles and by their accounts, a mail address among them where
that is the account: who did it and who may is what the log is for.  Their names are personal values,
and reading access is not the right to open them.
"""

import datetime
import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.access_log import happened
from counterfoil.app.home import Home
from counterfoil.clock import format_time
from counterfoil.policy.access import ALL
from counterfoil.policy.directory import Directory, Grant, Span, fold
from counterfoil.policy.policy_set import PolicySet
from counterfoil.web.api.errors import status_of
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.forms import Form, Forms
from counterfoil.web.pages.frame import frame_of, links_of, moment_of
from counterfoil.web.pages.parts import Banner, Links, Mark, Pill, Who, mark
from counterfoil.web.pages.render import render
from counterfoil.web.told import secrets_of

SOON: Final = datetime.timedelta(days=14)
_KINDS: Final = frozenset({"person", "service", "agent"})


@dataclass(frozen=True, slots=True)
class Chip:
    """Somebody, with the way to their page; `href` is None for who is not in the directory."""

    who: Who
    href: str | None


@dataclass(frozen=True, slots=True)
class Desk:
    """The directory at one moment, and how its facts are said.

    Args:
        directory: who there is and who may, at that moment.
        at: the moment.
        marks: links into the log `_access`, at that moment.
        pages: links of these pages.
        account: pseudonym -> account, "" once erased.
    """

    directory: Directory
    at: datetime.datetime
    marks: Links
    pages: Links
    account: Callable[[str], str]

    @property
    def now(self) -> str:
        """The moment as dates compare with it, RFC 3339."""
        return format_time(self.at)

    def mark(self, entry: int) -> Mark:
        """Return the proof mark of an entry of `_access`."""
        return mark(entry, self.marks)

    def everywhere(self, query: str) -> str:
        """Return the search of every log, at the same moment."""
        past = self.now if self.pages.as_of is not None else None
        return self.pages.at(None).to("/search/everywhere", q=query, as_of=past)

    def person_href(self, ref: str) -> str:
        """Return the page of an actor."""
        return self.pages.to("/admin/person", ref=ref)

    def chip(self, ref: str) -> Chip:
        """Return an actor or a team by its ref, as shown."""
        if ref.startswith("team:"):
            name = ref.removeprefix("team:")
            href = self.pages.to("/admin/teams") + f"#{anchor(ref)}"
            return Chip(Who(f"team {name}", "team", "", f"team {name}"), href)
        actor = self.directory.actors.get(ref)
        if actor is None:
            account = self.account(ref) or "erased"
            return Chip(Who(account, "nobody", "", account), None)
        handle = actor.handle or "erased"
        kind = actor.kind if actor.kind in _KINDS else "nobody"
        gone = "" if actor.removed < 0 else ", removed"
        return Chip(Who(handle + gone, kind, "", f"{handle}, {kind}{gone}"), self.person_href(ref))

    def doer(self, ref: str) -> Chip:
        """Return who did something; whoever had no actor held the ledger's files or its token."""
        account = "" if ref in self.directory.actors else self.account(ref)
        if account:
            return Chip(Who(account, "nobody", "", f"{account}, nobody in the directory"), None)
        return self.chip(ref)

    def when(self, text: str) -> str:
        """Say a moment; of a date its day."""
        moment = words.moment(text) or words.moment(f"{text}T00:00:00Z")
        if moment is None:
            return "unknown"
        if moment > self.at or len(text) <= 10:
            return f"{words.day(moment)} {moment.year}"
        return words.when(text, self.at)

    def span(self, span: Span) -> str:
        """Say from when to when something holds."""
        begins = (
            f"from {self.when(span.since)}"
            if span.since > self.now
            else f"since {self.when(span.since)}"
        )
        if not span.until:
            return f"{begins}, no end"
        if span.until <= self.now:
            return f"{begins}, over since {self.when(span.until)}"
        return f"{begins}, until {self.when(span.until)}"

    def ends_soon(self, until: str) -> bool:
        """Whether something that holds ends within two weeks."""
        return bool(until) and self.now < until <= format_time(self.at + SOON)

    def state(self, span: Span) -> Pill | None:
        """Say what is special about a span; None when it simply holds."""
        if span.since > self.now:
            return Pill("not yet", "none", "pending")
        if not span.holds(self.now):
            return Pill("over", "none", "waived")
        if self.ends_soon(span.until):
            return Pill("ends soon", "warn", "clock")
        return None


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a page: its title, the sentence that answers its question, what was just done.

    `said` is what came of the form sent before, `secrets` what is shown this once.
    """

    title: str
    say: str
    crumbs: tuple[tuple[str, str], ...]
    pill: Pill | None
    said: Banner | None
    said_marks: tuple[Mark, ...]
    secrets: tuple[tuple[str, str], ...]
    stray: Banner | None
    past: bool


def desk_of(context: Context) -> Desk:
    """Return the directory at the moment a page is about.

    Cost: nothing for now; for a past moment the log is folded up to it, 150 us an entry.
    """
    home = context.home
    directory = home.access.directory
    if context.as_of is not None:
        directory = fold(happened(home.log, home.keys, 0, context.as_of + 1))
    return Desk(
        directory=directory,
        at=moment_of(context),
        marks=links_of(context),
        pages=Links(context.around, context.as_of),
        account=account_of(home),
    )


def account_of(home: Home) -> Callable[[str], str]:
    """Return how a pseudonym opens."""

    def account(ref: str) -> str:
        person = home.keys.person_by_pseudonym(ref)
        return person.account if person is not None else ""

    return account


def policies_at(context: Context, desk: Desk) -> PolicySet:
    """Return the policy set in force at the moment a page is about.

    Raises:
        EvidenceError: `missing`: its text is kept nowhere.
        RequestError: `policy_refused`: it cannot be read.
    """
    access = context.home.access
    if context.as_of is None:
        return access.policies()
    return PolicySet.parse(access.text_of(desk.directory.policy))


def forms_of(request: Request, context: Context) -> Forms:
    """Return what makes the forms of this page."""
    query = [
        (name, text)
        for name, text in request.query_params.multi_items()
        if name not in {"told", "as_of"}
    ]
    here = f"{request.url.path}?{urllib.parse.urlencode(query)}" if query else request.url.path
    return Forms(
        credential=context.credential,
        decide=context.home.access.decide,
        now=format_time(context.home.clock.now()),
        here=here,
        typed=context.typed,
        past=context.as_of is not None,
    )


def head_of(
    context: Context, desk: Desk, title: str, say: str, forms: Sequence[Form | None] = (),
    *, pill: Pill | None = None, above: Sequence[tuple[str, str]] = (("Admin", "/admin"),),
) -> Head:  # fmt: skip
    """Build the head of a page.

    Args:
        context: tells what was just done or refused.
        desk: of the page.
        title: of the page.
        say: the sentence that answers its question.
        forms: those it shows.
        pill: beside the title.
        above: names and paths of the pages this one stands under.
    """
    done = context.told.done if context.told is not None else None
    said = None
    # What was only tried is said by the page itself.
    if done is not None and (done.entries or not (context.told and context.told.given)):
        said = Banner("pass", "pass", _sentence(done.said), "")
    stray = None
    typed = context.typed
    if typed is not None and not any(one is not None and one.error for one in forms):
        stray = Banner("fail", "fail", "This was not done.", _sentence(typed.error.message))
    return Head(
        title=title,
        say=say,
        crumbs=tuple((name, desk.pages.to(path)) for name, path in above),
        pill=pill,
        said=said,
        said_marks=tuple(desk.mark(entry) for entry in done.entries[:3]) if done else (),
        secrets=tuple(secrets_of(context.told)) if context.told else (),
        stray=stray,
        past=context.as_of is not None,
    )


def admin_render(
    request: Request, context: Context, template: str, active: str, head: Head, **values: object
) -> Response:
    """Render a page about access; a refused form gives it the refusal's status."""
    frame = frame_of(request, context, active)
    status = status_of(context.typed.error) if context.typed is not None else 200
    return render(request, template, status=status, frame=frame, head=head, **values)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def anchor(ref: str) -> str:
    """Return what a row is called in its page."""
    return "".join(one if one.isalnum() else "-" for one in ref)


def scope_words(grant: Grant) -> str:
    """Say where a grant reaches.

    >>> scope_words(Grant(id="g", holder="h", role="r", entry=0, since="", tier="production"))
    'every project, tier production'
    """
    project = "every project" if grant.project == ALL else f"project {grant.project}"
    tier = "" if grant.tier == ALL else f", tier {grant.tier}"
    component = "" if grant.component == ALL else f", component {grant.component}"
    return project + tier + component
