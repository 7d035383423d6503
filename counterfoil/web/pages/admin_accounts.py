"""Accounts to map: who acted and is nobody's yet.  Nobody is guessed."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.home import Home
from counterfoil.app.unmapped import Unmapped, unmapped
from counterfoil.projections.search import quote
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.admin_desk import Desk, admin_render, desk_of, forms_of, head_of
from counterfoil.web.pages.forms import Form, Forms, Words
from counterfoil.web.pages.parts import Empty, Links, Mark, mark

ROWS_MAX = 100


@dataclass(frozen=True, slots=True)
class Acted:
    """An account that is nobody's, with its first day and its last entry.

    Args:
        one: the account.
        project: where it acted last.
        entry: the last entry it did there.
        first: when its first act was recorded, RFC 3339; "" if the rows do not say.
    """

    one: Unmapped
    project: str
    entry: int
    first: str


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account that is nobody's."""

    account: str
    times: str
    acts_href: str
    when: str
    where: str
    mark: Mark
    link: Form | None


@dataclass(frozen=True, slots=True)
class AccountsView:
    """The page."""

    rows: tuple[AccountRow, ...]
    more: str
    empty: Empty


def build_accounts(desk: Desk, found: list[Acted], total: int, forms: Forms) -> AccountsView:
    """Build the page: `found` are the busiest accounts of `total`."""
    more = total - len(found)
    return AccountsView(
        rows=tuple(_row(desk, each, forms) for each in found),
        more=f"{words.number(more)} more acted less often" if more > 0 else "",
        empty=Empty("Every account that acted is somebody's."
                    if desk.directory.actors else "No account has acted yet.", ""),
    )  # fmt: skip


def _row(desk: Desk, acted: Acted, forms: Forms) -> AccountRow:
    one, project = acted.one, Links(acted.project, None)
    return AccountRow(
        account=one.account or "erased",
        times=words.count(one.acts, "time"),
        acts_href=desk.everywhere(f"actor:{quote(one.account or one.ref, always=True)}"),
        when=desk.when(one.last),
        where=words.listing(list(one.projects)),
        mark=mark(acted.entry, project),
        link=forms.form(
            "account-link", "Link", "Link it", key=one.ref, hidden={"account": one.account},
            values={"since": acted.first[:10]},
            words={
                "handle": Words("Whose is it", "the handle of somebody in the directory"),
                "since": Words("From", "the day of its first act, unless you know better", "date"),
            },
        )
        if one.account
        else None,
    )  # fmt: skip


def acts_of(home: Home, one: Unmapped) -> Acted:
    """Return an account with its first day and its last entry.  Cost: a few looks at an index."""
    rows = home.reader.rows
    firsts: list[str] = []
    lasts: list[tuple[str, str, int]] = []
    for project, last in rows.acted(one.projects, one.ref).items():
        first = rows.first_acted(project, one.ref)
        if first is not None:
            firsts.append(rows.recordedtime(project, first) or "")
            lasts.append((rows.recordedtime(project, last) or "", project, last))
    _, project, entry = max(lasts)
    return Acted(one, project, entry, min(firsts))


def accounts_page(request: Request, context: Context) -> Response:
    """Answer GET /admin/accounts."""
    desk, forms = desk_of(context), forms_of(request, context)
    found, total = [], 0
    say = "Accounts are counted as of now. Go back to now to see and to link them."
    if context.as_of is None:
        context.note_read("accounts")
        unlinked, total = unmapped(context.home, ROWS_MAX)
        found = [acts_of(context.home, one) for one in unlinked]
        say = (
            f"{words.count(total, 'account')} acted in some project and "
            f"{'is' if total == 1 else 'are'} nobody's. Link what you know; nobody is guessed."
        )
    view = build_accounts(desk, found, total, forms)
    head = head_of(context, desk, "Accounts to map", say, [row.link for row in view.rows])
    return admin_render(request, context, "admin_accounts.html", "/admin/accounts", head, view=view)
