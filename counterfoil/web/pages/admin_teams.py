"""Teams: who is in them, until when, and whose turn it is."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.policy.directory import Team
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.admin_desk import (
    Chip,
    Desk,
    admin_render,
    anchor,
    desk_of,
    forms_of,
    head_of,
    scope_words,
)
from counterfoil.web.pages.forms import Form, Forms
from counterfoil.web.pages.parts import Empty, Mark, Pill


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a team."""

    chip: Chip
    span: str
    state: Pill | None
    turn: bool
    mark: Mark
    leave: Form | None


@dataclass(frozen=True, slots=True)
class TeamCard:
    """One team."""

    id: str
    name: str
    title: str
    turn: Chip | None
    turns: str
    roles: tuple[str, ...]
    members: tuple[Member, ...]
    empty: Empty
    mark: Mark
    join: Form | None
    remove: Form | None


@dataclass(frozen=True, slots=True)
class TeamsView:
    """The page."""

    teams: tuple[TeamCard, ...]
    empty: Empty


def build_teams(desk: Desk, forms: Forms) -> TeamsView:
    """Build the page."""
    teams = sorted(desk.directory.teams.values(), key=lambda one: one.ref)
    return TeamsView(
        teams=tuple(_card(desk, one, forms) for one in teams),
        empty=Empty(
            "There is no team.", "Roles can be given to a team, so that they follow who is in it."
        ),
    )


def _card(desk: Desk, team: Team, forms: Forms) -> TeamCard:
    name = team.ref.removeprefix("team:")
    on_turn = desk.directory.on_turn(team.ref, desk.now)
    members = [one for (ref, _), one in desk.directory.members.items() if ref == team.ref]
    return TeamCard(
        id=anchor(team.ref),
        name=name,
        title=team.title,
        turn=desk.chip(on_turn) if on_turn else None,
        turns=f"{words.count(len(team.turns), 'turn')} of {words.count(team.turn_days, 'day')}, "
        f"the first from {desk.when(team.turns_from)}"
        if team.turns and team.turn_days
        else "nobody takes turns",
        roles=tuple(
            f"{one.role} in {scope_words(one)}"
            for one in desk.directory.grants.values()
            if one.holder == team.ref and one.holds(desk.now)
        ),
        members=tuple(
            Member(
                chip=desk.chip(one.actor),
                span=desk.span(one),
                state=desk.state(one),
                turn=one.actor == on_turn,
                mark=desk.mark(one.entry),
                leave=forms.form(
                    "member-leave", "Take out", "Take out of the team",
                    key=f"{name}-{one.actor}", tone="refuse",
                    hidden={"team": name, "handle": handle_of(desk, one.actor)},
                ),
            )
            for one in members
        ),
        empty=Empty("Nobody is in this team.", ""),
        mark=desk.mark(team.entry),
        join=forms.form("member-join", "Add a member", "Add", key=name, hidden={"team": name}),
        remove=forms.form("team-remove", "Remove this team", "Remove", key=name, tone="refuse",
                          hidden={"team": name}),
    )  # fmt: skip


def handle_of(desk: Desk, ref: str) -> str:
    """Return the handle of a pseudonym, "" for who is erased or not described."""
    actor = desk.directory.actors.get(ref)
    return actor.handle if actor is not None else ""


def teams_page(request: Request, context: Context) -> Response:
    """Answer GET /admin/teams."""
    desk, forms = desk_of(context), forms_of(request, context)
    context.note_read("actors")
    view = build_teams(desk, forms)
    add = forms.form("team-describe", "Make a team, or describe one anew", "Describe", tone="main")
    every = [add, *(form for one in view.teams for form in (one.join, one.remove)),
             *(member.leave for one in view.teams for member in one.members)]  # fmt: skip
    say = (
        f"{words.count(len(view.teams), 'team')}: who is in them, until when, and whose turn it is."
    )
    head = head_of(context, desk, "Teams", say, every)
    return admin_render(
        request, context, "admin_teams.html", "/admin/teams", head, view=view, add=add
    )
