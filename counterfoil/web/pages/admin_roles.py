"""Roles: who has which, where, until when; what each may do; and those that do not go together."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.policy.policy_set import PolicySet
from counterfoil.policy.reach import roles_for
from counterfoil.policy.roles import ROLES, conflicts
from counterfoil.policy.verbs import VERBS
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.admin_desk import (
    Chip,
    Desk,
    admin_render,
    desk_of,
    forms_of,
    head_of,
    policies_at,
    scope_words,
)
from counterfoil.web.pages.forms import Form, Forms
from counterfoil.web.pages.parts import Banner, Empty, Mark, Pill

ROWS_MAX = 200


@dataclass(frozen=True, slots=True)
class GrantRow:
    """One role that was given."""

    holder: Chip
    role: str
    span: str
    state: Pill | None
    by: Chip | None
    mark: Mark
    revoke: Form | None


@dataclass(frozen=True, slots=True)
class Scope:
    """The roles given in one place."""

    id: str
    title: str
    count: str
    rows: tuple[GrantRow, ...]


@dataclass(frozen=True, slots=True)
class Ability:
    """One verb, and for each role whether some policy permits it."""

    verb: str
    meaning: str
    sensitive: bool
    cells: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class RolesView:
    """The page."""

    scopes: tuple[Scope, ...]
    more: str
    empty: Empty
    conflicts: tuple[Banner, ...]
    roles: tuple[tuple[str, str], ...]
    abilities: tuple[Ability, ...]
    never: tuple[tuple[str, str], ...]


def build_roles(desk: Desk, policies: PolicySet, forms: Forms) -> RolesView:
    """Build the page: `policies` are those in force."""
    grants = sorted(desk.directory.grants.values(), key=lambda one: (scope_words(one), one.role))
    by_scope: dict[str, list[GrantRow]] = {}
    for grant in grants[:ROWS_MAX]:
        row = GrantRow(
            holder=desk.chip(grant.holder),
            role=grant.role,
            span=desk.span(grant),
            state=desk.state(grant),
            by=desk.doer(grant.by) if grant.by else None,
            mark=desk.mark(grant.entry),
            revoke=forms.form("role-revoke", "Take back", "Take back", key=grant.id, tone="refuse",
                              hidden={"grant": grant.id}),
        )  # fmt: skip
        by_scope.setdefault(scope_words(grant), []).append(row)
    more = len(grants) - ROWS_MAX
    return RolesView(
        scopes=tuple(
            Scope(f"scope-{number}", title, words.count(len(rows), "role"), tuple(rows))
            for number, (title, rows) in enumerate(by_scope.items(), start=1)
        ),
        more=f"{words.number(more)} more are not shown; see them on the pages of people"
        if more > 0
        else "",
        empty=Empty("No role is given.", "Nobody in the directory may do anything yet."),
        conflicts=tuple(_conflicts(desk)),
        roles=tuple(ROLES.items()),
        abilities=abilities(policies),
        never=tuple(
            (one.id, one.reason) for one in policies.policies.values() if one.effect == "forbid"
        ),
    )


def abilities(policies: PolicySet) -> tuple[Ability, ...]:
    """Return what roles may do, read from the permits of a policy set.

    A permit that names a role in any condition counts for it: the exact answer in one case is the
    engine's, on the page that explains access.
    """
    return tuple(
        Ability(name, verb.meaning, verb.sensitive, _cells(policies, name))
        for name, verb in VERBS.items()
    )


def _cells(policies: PolicySet, verb: str) -> tuple[bool, ...]:
    named = roles_for(policies, verb)
    return tuple(role in named for role in ROLES)


def _conflicts(desk: Desk) -> list[Banner]:
    found = []
    for actor in desk.directory.actors.values():
        held = {grant.role for grant in desk.directory.grants_of(actor.ref, desk.now)}
        if beside := conflicts(held):
            found.append(Banner(
                "warn", "warn", f"{actor.handle or 'Somebody erased'} is an auditor and also {words.listing(list(beside))}.",
                "An auditor writes nothing but reviews, so the other roles give nothing.",
                "See them", desk.person_href(actor.ref),
            ))  # fmt: skip
    return found


def roles_page(request: Request, context: Context) -> Response:
    """Answer GET /admin/roles."""
    desk, forms = desk_of(context), forms_of(request, context)
    context.note_read("actors")
    policies = policies_at(context, desk)
    view = build_roles(desk, policies, forms)
    add = forms.form("role-grant", "Give a role", "Give", tone="main")
    every = [add, *(row.revoke for scope in view.scopes for row in scope.rows)]
    total = len(desk.directory.grants)
    say = f"{words.count(total, 'role is', 'roles are')} given. A role holds where it was given, from a date to a date."
    head = head_of(context, desk, "Roles", say, every)
    return admin_render(
        request, context, "admin_roles.html", "/admin/roles", head, view=view, add=add
    )
