"""Two people: what somebody asked for, and another one has to agree to."""

import dataclasses
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.acting_two_people import Waiting, shown_to
from counterfoil.errors import RequestError
from counterfoil.policy.access import LOG
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.admin_desk import (
    Chip,
    Desk,
    admin_render,
    desk_of,
    forms_of,
    head_of,
)
from counterfoil.web.pages.forms import Form, Forms
from counterfoil.web.pages.parts import Empty, Mark, Pill

ROWS_MAX = 100
_STATES = {
    "waits": Pill("waits", "warn", "pending"),
    "under way": Pill("agreed, not done", "warn", "warn"),
    "done": Pill("done", "pass", "pass"),
    "failed": Pill("could not be done", "none", "waived"),
    "withdrawn": Pill("withdrawn", "none", "waived"),
    "over": Pill("over", "none", "waived"),
}


@dataclass(frozen=True, slots=True)
class AskedRow:
    """One thing that was asked for, word by word; `fields` are name and value.

    `closed` says that the reader may not see with which fields.
    """

    entry: int
    action: str
    where: str
    why: str
    fields: tuple[tuple[str, str], ...]
    closed: str
    digest: str
    by: Chip
    when: str
    second: Chip | None
    state: Pill
    mark: Mark
    confirm: Form | None
    withdraw: Form | None


@dataclass(frozen=True, slots=True)
class AskedView:
    """The page."""

    waiting: tuple[AskedRow, ...]
    over: tuple[AskedRow, ...]
    empty: Empty


def build_asked(context: Context, desk: Desk, forms: Forms) -> AskedView:
    """Build the page."""
    home = context.home
    asks = home.asks.all() if context.as_of is None else home.asks.at(context.as_of + 1)
    asks = asks[:ROWS_MAX]
    by = {one.entry: (one.by, one.confirmed_by) for one in asks}
    rows = [
        _row(context, desk, forms, one, *by[one.entry])
        for one in shown_to(home, context.credential, asks, desk.directory, desk.now)
    ]
    return AskedView(
        waiting=tuple(row for row in rows if row.confirm or row.state in _OPEN),
        over=tuple(row for row in rows if not row.confirm and row.state not in _OPEN),
        empty=Empty(
            "Nothing waits for a second person.",
            "What takes two people under the policies in force is asked for here.",
        ),
    )


_OPEN = (_STATES["waits"], _STATES["under way"])


def _row(
    context: Context, desk: Desk, forms: Forms, one: Waiting, by: str, second: str
) -> AskedRow:
    open_ = one.state in {"waits", "under way"} and context.as_of is None
    hidden = {"entry": str(one.entry), "digest": one.digest}
    confirm = forms.form(
        "confirm", "Agree, and do it", "Agree, and do it", key=str(one.entry), tone="main",
        hidden=hidden,
    ) if open_ else None  # fmt: skip
    given = one.given or {}
    return AskedRow(
        entry=one.entry,
        action=one.action,
        where="the ledger" if one.project == LOG else f"project {one.project}",
        why=one.why,
        fields=tuple(
            (name, ", ".join(map(str, value)) if isinstance(value, list) else str(value))
            for name, value in given.items()
            if value not in ("", [], False, None)
        ),
        closed="" if one.given is not None else "with what is closed to you, or erased",
        digest=one.digest,
        by=desk.chip(desk.directory.person_of(by)),
        when=desk.when(one.time) + (f", waits until {desk.when(one.until)}" if open_ else ""),
        second=desk.chip(desk.directory.person_of(second)) if second else None,
        state=_STATES[one.state],
        mark=desk.mark(one.entry),
        confirm=_as_may_be(context, forms, confirm, one.entry) if confirm else None,
        withdraw=forms.form(
            "asked-withdraw", "Say no", "End it", key=str(one.entry), tone="refuse",
            hidden={"entry": str(one.entry)},
        ) if one.state == "waits" and open_ else None,
    )  # fmt: skip


def _as_may_be(context: Context, forms: Forms, form: Form, entry: int) -> Form:
    """Return the form with why the reader's yes would not count, if so."""
    asks = context.home.asks
    ask = asks.get(entry)
    try:
        asks.require_second(ask, context.credential)
    except RequestError as error:
        shown = dataclasses.replace(context.credential, verified=forms.now)
        try:
            asks.require_second(ask, shown)
        except RequestError as then:
            return dataclasses.replace(form, lacking=then.message)
        verify = forms.step_up()
        return dataclasses.replace(form, lacking=error.message, verify_href=verify)
    return form


def asked_page(request: Request, context: Context) -> Response:
    """Answer GET /admin/asked."""
    desk, forms = desk_of(context), forms_of(request, context)
    context.note_read("actors")
    view = build_asked(context, desk, forms)
    made = [form for row in view.waiting for form in (row.confirm, row.withdraw)]
    say = (
        f"{words.count(len(view.waiting), 'thing waits', 'things wait')} for a second person. What is "
        "done is what was asked, word for word, and the log has both names."
    )
    head = head_of(context, desk, "Two people", say, made)
    return admin_render(request, context, "admin_asked.html", "/admin/asked", head, view=view)
