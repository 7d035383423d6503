"""Forms of actions: their fields are read from what the action takes, their words are here.

So a form says what its action says, and an action that gains a field gains it on the pages.  A
form is shown to whoever may do it; to others, why not and what would be needed.
"""

import dataclasses
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from counterfoil.app.actions import Action, actions
from counterfoil.app.directory_file import FORMS
from counterfoil.app.handles import KINDS
from counterfoil.policy.access import ALL, LOG, Credential, Decision
from counterfoil.policy.places import TIERS
from counterfoil.policy.roles import ROLES
from counterfoil.web.context import Typed

BACK: Final = "back"
FORM: Final = "_form"
"""Which form of the page it was; no field of an action is called so."""
STEP_UP: Final = "/step-up"
"""Where a reader shows a passkey again, and is led back from."""

Decide = Callable[[Credential, str, str], Decision]


@dataclass(frozen=True, slots=True)
class Words:
    """How a field is asked for.  `kind`: text, list, lines, choice, date, number, check, area."""

    label: str
    help: str = ""
    kind: str = "text"
    choices: tuple[str, ...] = ()


_DATE: Final = "its first moment, UTC"
_WORDS: Final[Mapping[str, Words]] = {
    "handle": Words("Handle", "a-z, 0-9, and . _ - in between; one actor's for life"),
    "kind": Words("Kind", "", "choice", KINDS),
    "name": Words("Name", "what people call it"),
    "behalf": Words("On whose behalf", "the handle of the person who answers for it"),
    "account": Words("Account", "PROVIDER:LOGIN, such as github.com:ana-dev"),
    "to": Words("To", "a handle, or team:NAME"),
    "role": Words("Role", "", "choice", tuple(ROLES)),
    "project": Words("Project", "* is every project"),
    "tier": Words("Environment tier", "", "choice", (ALL, *TIERS)),
    "component": Words("Component", "* is every component"),
    "since": Words("From", f"{_DATE}; empty: at once", "date"),
    "until": Words("Until", f"{_DATE}, not included; empty: no end", "date"),
    "reason": Words("Reason", "kept in the log"),
    "holder": Words("Acts for", "a handle; empty: a service of this name is made"),
    "projects": Words("Projects", "separated by commas; * is every project", "list"),
    "verbs": Words("Good for", "verbs, separated by commas", "list"),
    "sources": Words("May speak as", "beginnings of the event source; empty: any", "list"),
    "days": Words("Lasts", "days, 1 to 366", "number"),
    "deputy": Words("Deputy", "the handle of who stands in"),
    "team": Words("Team", "a-z, 0-9, and . _ - in between"),
    "title": Words("Title", "what people call it"),
    "member": Words("Member", "a handle"),
    "turns": Words("Turns", "handles in order, separated by commas", "list"),
    "turns_from": Words("First turn begins", _DATE, "date"),
    "turn_days": Words("Days of a turn", "", "number"),
    "text": Words("Policies", "Cedar", "area"),
    "content": Words("The file", "its whole text", "area"),
    "form": Words("Written as", "", "choice", FORMS),
    "remove_missing": Words("Remove persons, agents and teams it does not describe"),
    "claims": Words("Its token carries", "NAME=VALUE, one a line, exactly", "lines"),
    "issuer": Words("Issuer", "who signs; empty: the one of its kind"),
    "audience": Words("Audience", "whom its token is for; empty: this server"),
    "session_s": Words("A session lasts", "seconds, 60 to 900", "number"),
    "private": Words("The issuer is in a private network"),
    "request_id": Words("Request", "its number; it stands in the open, so no name"),
    "theirs_only": Words("Leave alone what others wrote of them"),
    "dry_run": Words("Only say what would go"),
    "case": Words("Case", "what it is for, such as the number of a matter"),
    "refs": Words("Refs", "such as release:shop@1.4.2, separated by commas", "list"),
    "actors": Words("People", "handles or accounts, separated by commas", "list"),
    "rule": Words("Rule", "a-z, 0-9, . and -; the same name replaces a rule"),
    "types": Words("Types of events", "as in type: of a search; * is every type"),
    "end": Words("End the rule of this name"),
    "dry": Words("Only say what it would accept and refuse"),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form; `id` is unique on its page."""

    id: str
    name: str
    label: str
    help: str
    kind: str
    choices: tuple[str, ...]
    value: str
    required: bool


@dataclass(frozen=True, slots=True)
class Form:
    """A form as it is shown.

    Args:
        id: unique on its page.
        action: what it posts to.
        title: what it does, as a heading or the words that unfold it.
        button: the words on its button.
        tone: "main", "refuse" for what takes something away, or "".
        fields: what is asked for.
        hidden: what is sent along.
        lacking: "" if the reader may; else why not, in words.
        verify_href: where showing a passkey again would make it so, "" if that does not help.
        error: why it was refused a moment ago, "" if it was not; `code` is of that.
    """

    id: str
    action: str
    title: str
    button: str
    tone: str
    fields: tuple[Field, ...]
    hidden: tuple[tuple[str, str], ...]
    lacking: str
    verify_href: str
    error: str
    code: str


@dataclass(frozen=True, slots=True)
class Forms:
    """Makes the forms of one page for one reader.

    Args:
        credential: whose.
        decide: asks whether they may.
        now: RFC 3339: what a passkey shown this moment would carry.
        here: the page, where a form leads back to.
        typed: the form that was refused, if this page is shown because of it.
        past: the page shows a past moment, where nobody acts.
    """

    credential: Credential
    decide: Decide
    now: str
    here: str
    typed: Typed | None
    past: bool

    def form(
        self,
        name: str,
        title: str,
        button: str,
        *,
        key: str = "",
        tone: str = "",
        hidden: Mapping[str, str] | None = None,
        values: Mapping[str, str] | None = None,
        words: Mapping[str, Words] | None = None,
        leave_out: Sequence[str] = (),
    ) -> Form | None:
        """Return the form of an action; None where there is no such action, or in the past.

        Args:
            name: of the action.
            title: see `Form`.
            button: see `Form`.
            key: tells this form from others of the same action on the page.
            tone: see `Form`.
            hidden: fields that are settled by where the form stands.
            values: what fields hold at first.
            words: how fields are asked for here, where that differs.
            leave_out: fields that are not asked for.
        """
        action = actions().get(name)
        if action is None or self.past:
            return None
        ident = f"{name}-{key}" if key else name
        typed = self.typed if self.typed is not None and self.typed.form == ident else None
        settled = dict(hidden or {})
        shown = {**(values or {}), **(typed.fields if typed else {})}
        lacking, verify = self.lacking(action, settled)
        fields = [
            _field(ident, field, shown, {**_WORDS, **(words or {})})
            for field in msgspec.structs.fields(action.takes)
            if field.name not in settled and field.name not in leave_out
        ]
        return Form(
            id=ident,
            action=name,
            title=title,
            button=button,
            tone=tone,
            fields=tuple(fields),
            hidden=(*settled.items(), (BACK, self.here), (FORM, ident)),
            lacking=lacking,
            verify_href=self.step_up() if verify else "",
            error=f"{typed.error.message[:1].upper()}{typed.error.message[1:]}." if typed else "",
            code=typed.error.code if typed else "",
        )

    def lacking(self, action: Action, settled: Mapping[str, str]) -> tuple[str, bool]:
        """Return why the reader may not do an action, and whether a passkey shown now would do.

        What another person has to agree to may be asked for.
        """
        project = action.project_of(settled)
        if action.also and self.may(action.also):
            return "", False
        agreed = dataclasses.replace(self.credential, confirmed=True)
        found = self.decide(agreed, action.verb, project)
        if found.allowed:
            return "", False
        # What is lacking besides a passkey shown a moment ago is what the reader can do about.
        shown = dataclasses.replace(agreed, verified=self.now)
        then = self.decide(shown, action.verb, project)
        return "; ".join((found if then.allowed else then).reasons), then.allowed

    def step_up(self) -> str:
        """Return where the reader shows a passkey again, and is led back from."""
        return f"{STEP_UP}?{urllib.parse.urlencode({'next': self.here})}"

    def may(self, verb: str) -> bool:
        """Whether the reader may do something to the ledger."""
        return self.decide(self.credential, verb, LOG).allowed


def _field(
    ident: str, field: msgspec.structs.FieldInfo, shown: Mapping[str, str],
    known: Mapping[str, Words],
) -> Field:  # fmt: skip
    words = known.get(field.name) or Words(field.name.replace("_", " ").capitalize())
    kind = words.kind
    if field.type is bool:
        kind = "check"
    return Field(
        id=f"{ident}-{field.name}",
        name=field.encode_name,
        label=words.label,
        help=words.help,
        kind=kind,
        choices=words.choices,
        value=shown.get(field.name, _default(field)),
        required=field.required,
    )


def _default(field: msgspec.structs.FieldInfo) -> str:
    value: Any = field.default
    if value is msgspec.NODEFAULT or value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(str(one) for one in value)
    return str(value)
