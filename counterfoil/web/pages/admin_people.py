"""People: everybody there is, with what is theirs; agents and services with who answers for them."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.policy.directory import Actor
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.admin import signs_in
from counterfoil.web.pages.admin_desk import (
    Chip,
    Desk,
    admin_render,
    desk_of,
    forms_of,
    head_of,
)
from counterfoil.web.pages.forms import Words
from counterfoil.web.pages.parts import Empty, Mark

ROWS_MAX = 200


@dataclass(frozen=True, slots=True)
class PersonRow:
    """Somebody in a list."""

    chip: Chip
    kind: str
    behalf: Chip | None
    accounts: tuple[str, ...]
    more_accounts: str
    roles: str
    teams: str
    signs_in: bool
    mark: Mark


@dataclass(frozen=True, slots=True)
class Group:
    """Actors of a kind."""

    title: str
    id: str
    count: str
    rows: tuple[PersonRow, ...]
    machine: bool
    empty: Empty


@dataclass(frozen=True, slots=True)
class PeopleView:
    """The page; `kept` is what its form sends along, `file` where a file is taken over."""

    find: str
    file: str
    kept: tuple[tuple[str, str], ...]
    groups: tuple[Group, ...]


def build_people(desk: Desk, find: str) -> PeopleView:
    """Build the page: `find` is part of the handles wanted, "" for all."""
    actors = [one for one in desk.directory.actors.values() if one.removed < 0]
    found = sorted((one for one in actors if find in one.handle), key=lambda one: one.handle)
    people = [one for one in found if one.kind == "person"]
    machines = [one for one in found if one.kind != "person"]
    asked = f"No handle contains “{find}”." if find else ""
    return PeopleView(
        find=find,
        file=desk.pages.to("/admin/import"),
        kept=desk.pages.pairs(),
        groups=(
            _group(desk, "People", "people", people, machine=False, empty=Empty(
                asked or "Nobody is described yet.",
                "" if asked else "Add the first person with the form on this page, or many by a file.")),
            _group(desk, "Services and agents", "machines", machines, machine=True, empty=Empty(
                asked or "No service and no agent is described.",
                "" if asked else "A token makes the service it is for, if there is none.")),
        ),
    )  # fmt: skip


def _group(
    desk: Desk, title: str, id_: str, actors: list[Actor], *, machine: bool, empty: Empty
) -> Group:
    count = words.number(len(actors))
    if len(actors) > ROWS_MAX:
        count = f"{ROWS_MAX} of {count}; find the others by handle"
    signing = signs_in(desk)
    rows = tuple(_row(desk, one, one.ref in signing) for one in actors[:ROWS_MAX])
    return Group(title, id_, count, rows, machine, empty)


def _row(desk: Desk, actor: Actor, signing: bool) -> PersonRow:  # noqa: FBT001  a fact of the row
    directory, now = desk.directory, desk.now
    links = [link for link in directory.accounts_of(actor.ref) if link.holds(now)]
    roles = sorted({grant.role for grant in directory.grants_of(actor.ref, now)})
    teams = sorted(team.removeprefix("team:") for team in directory.teams_of(actor.ref, now))
    return PersonRow(
        chip=desk.chip(actor.ref),
        kind=actor.kind,
        behalf=desk.chip(actor.behalf) if actor.behalf else None,
        accounts=tuple(desk.account(link.account) or "erased" for link in links[:2]),
        more_accounts=f"and {len(links) - 2} more" if len(links) > 2 else "",
        roles=words.listing(roles),
        teams=words.listing(teams),
        signs_in=signing,
        mark=desk.mark(actor.entry),
    )


def people_page(request: Request, context: Context) -> Response:
    """Answer GET /admin/people."""
    desk, forms = desk_of(context), forms_of(request, context)
    find = request.query_params.get("find", "").strip().lower()[:64]
    context.note_read("accounts")
    view = build_people(desk, find)
    add = forms.form(
        "actor-describe", "Add somebody", "Add", tone="main", leave_out=("name",),
        words={"behalf": Words("On whose behalf", "agents need it, services may have it: a person's handle")},
    )  # fmt: skip
    say = (
        "Everybody who can act here. What somebody did is theirs over all their accounts, "
        "and stays theirs."
    )
    if find:
        say = f"Handles that contain “{find}”."
    head = head_of(context, desk, "People", say, [add])
    return admin_render(
        request, context, "admin_people.html", "/admin/people", head, view=view, add=add
    )
