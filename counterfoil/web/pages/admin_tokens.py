"""Tokens of programs: what each is good for, until when, and when it was last used."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.policy.directory import Token
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
from counterfoil.web.pages.forms import Form, Forms, Words
from counterfoil.web.pages.parts import Empty, Mark, Pill

ROWS_MAX = 200


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One token: `life_href` finds what came under it in every log, and what is said of it."""

    id: str
    name: str
    life_href: str
    holder: Chip
    scope: str
    sources: tuple[str, ...]
    state: Pill | None
    span: str
    used: str
    by: Chip | None
    mark: Mark
    revoke: Form | None


@dataclass(frozen=True, slots=True)
class TokensView:
    """The page."""

    living: tuple[TokenRow, ...]
    over: tuple[TokenRow, ...]
    more: str
    empty: Empty


def build_tokens(desk: Desk, forms: Forms, used: dict[str, tuple[str, int]]) -> TokensView:
    """Build the page; `used`: token -> when it was last used, and how often."""
    tokens = sorted(desk.directory.tokens.values(), key=lambda one: -one.entry)
    living = [one for one in tokens if one.revoked < 0 and one.holds(desk.now)]
    over = [one for one in tokens if one not in living]
    more = max(0, len(living) - ROWS_MAX) + max(0, len(over) - ROWS_MAX)
    return TokensView(
        living=tuple(_row(desk, one, forms, used) for one in living[:ROWS_MAX]),
        over=tuple(_row(desk, one, forms, used) for one in over[:ROWS_MAX]),
        more=f"{words.number(more)} more are not shown" if more else "",
        empty=Empty("No token is in use.", "CI jobs can come without one, by a trust rule."),
    )


def _row(desk: Desk, token: Token, forms: Forms, used: dict[str, tuple[str, int]]) -> TokenRow:
    last, times = used.get(token.id, ("", 0))
    there = token.revoked < 0
    lives = there and token.holds(desk.now)
    return TokenRow(
        id=token.id,
        name=token.name,
        life_href=desk.everywhere(f"ref:{token.id}"),
        holder=desk.chip(token.holder),
        scope=f"{', '.join(token.verbs)} in {'every project' if token.projects == ('*',) else ', '.join(token.projects)}",
        sources=token.sources,
        state=desk.state(token) if there else Pill("revoked", "none", "waived"),
        span=desk.span(token),
        used=f"{words.ago(last, desk.at)}, {words.count(times, 'time')}" if last else "not used yet",
        by=desk.doer(token.by) if token.by else None,
        mark=desk.mark(token.entry if there else token.revoked),
        revoke=forms.form("token-revoke", "Revoke", "Revoke", key=token.id, tone="refuse",
                          hidden={"token": token.id}) if lives else None,
    )  # fmt: skip


def tokens_page(request: Request, context: Context) -> Response:
    """Answer GET /admin/tokens."""
    desk, forms = desk_of(context), forms_of(request, context)
    context.note_read("actors")
    used = context.home.tokens.uses() if context.as_of is None else {}
    view = build_tokens(desk, forms, used)
    add = forms.form("token-issue", "Make a token", "Make the token", tone="main",
                     values={"projects": context.around},
                     words={"name": Words("Name", "a-z, 0-9, and . _ - in between")})  # fmt: skip
    every = [add, *(row.revoke for row in view.living)]
    say = (
        f"{words.count(len(view.living), 'token lets', 'tokens let')} programs in. Each is for some "
        "projects and verbs, ends by itself, was shown once, and is kept as a digest."
    )
    head = head_of(context, desk, "Tokens", say, every)
    return admin_render(
        request, context, "admin_tokens.html", "/admin/tokens", head, view=view, add=add
    )
