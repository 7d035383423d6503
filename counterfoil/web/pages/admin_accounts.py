"""Accounts to map: who acted and is nobody's yet.  Nobody is guessed."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.accounts_to_map import AccountToMap, accounts_to_map
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.admin_desk import Desk, admin_render, desk_of, forms_of, head_of
from counterfoil.web.pages.forms import Form, Forms, Words
from counterfoil.web.pages.parts import Empty, Links, Mark, mark

ROWS_MAX = 100


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account that is nobody's."""

    account: str
    times: str
    acts_href: str
    when: str
    project: str
    mark: Mark
    link: Form | None


@dataclass(frozen=True, slots=True)
class AccountsView:
    """The page."""

    rows: tuple[AccountRow, ...]
    more: str
    empty: Empty


def build_accounts(desk: Desk, found: list[AccountToMap], forms: Forms) -> AccountsView:
    """Build the page: `found` are the accounts, those that acted most first."""
    more = len(found) - ROWS_MAX
    return AccountsView(
        rows=tuple(_row(desk, one, forms) for one in found[:ROWS_MAX]),
        more=f"{words.number(more)} more acted less often" if more > 0 else "",
        empty=Empty("Every account that acted is somebody's."
                    if desk.directory.actors else "No account has acted yet.", ""),
    )  # fmt: skip


def _row(desk: Desk, one: AccountToMap, forms: Forms) -> AccountRow:
    project = Links(one.project, None)
    return AccountRow(
        account=one.account,
        times=words.count(one.times, "time"),
        acts_href=project.to("/search", q=f'actor:"{one.account}"'),
        when=desk.when(one.last),
        project=one.project,
        mark=mark(one.entry, project),
        link=forms.form(
            "account-link", "Link", "Link it", key=one.ref, hidden={"account": one.account},
            values={"since": one.first[:10]},
            words={
                "handle": Words("Whose is it", "the handle of somebody in the directory"),
                "since": Words("From", "the day of its first act, unless you know better", "date"),
            },
        ),
    )  # fmt: skip


def accounts_page(request: Request, context: Context) -> Response:
    """Answer GET /admin/accounts."""
    desk, forms = desk_of(context), forms_of(request, context)
    context.note_read("accounts")
    found = accounts_to_map(context.home, desk.directory, desk.now)
    view = build_accounts(desk, found, forms)
    say = (
        f"{words.count(len(found), 'account')} acted in some project and "
        f"{'is' if len(found) == 1 else 'are'} nobody's. Link what you know; nobody is guessed."
    )
    head = head_of(context, desk, "Accounts to map", say, [row.link for row in view.rows])
    return admin_render(request, context, "admin_accounts.html", "/admin/accounts", head, view=view)
