"""Admin, the first page: who is enrolled, and what waits for somebody."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.unmapped import unmapped
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.admin_desk import Desk, Head, admin_render, desk_of, head_of
from counterfoil.web.pages.parts import Banner, Empty


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure with what it counts and where the rest stands."""

    name: str
    number: str
    detail: str
    href: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that waits for somebody; `tone` and `icon` as a state has them."""

    tone: str
    icon: str
    what: str
    why: str
    href: str
    step: str


@dataclass(frozen=True, slots=True)
class AdminView:
    """The page."""

    enrolled: Banner | None
    figures: tuple[Figure, ...]
    waiting: tuple[Waiting, ...]
    empty: Empty


def build_admin(desk: Desk, to_map: int | None) -> AdminView:
    """Build the page: `to_map` accounts acted and are nobody's, None where nobody counted."""
    directory, now = desk.directory, desk.now
    actors = [one for one in directory.actors.values() if one.removed < 0]
    people = [one.ref for one in actors if one.kind == "person"]
    signing = signs_in(desk)
    tokens = [one for one in directory.tokens.values() if one.revoked < 0 and one.holds(now)]
    grants = [one for one in directory.grants.values() if one.holds(now)]
    return AdminView(
        enrolled=None
        if directory.anybody_enrolled()
        else Banner(
            "warn",
            "warn",
            "Nobody is enrolled yet.",
            "Until a person has a passkey or signs in by a provider, whoever holds the "
            "administrator's token may do all that needs no person.",
            "Add a person",
            desk.pages.to("/admin/people"),
        ),
        figures=(
            Figure("People", words.number(len(people)),
                   f"{words.number(sum(ref in signing for ref in people))} can sign in",
                   desk.pages.to("/admin/people")),
            Figure("Services and agents", words.number(len(actors) - len(people)),
                   f"{words.number(len(tokens))} tokens in use", desk.pages.to("/admin/tokens")),
            Figure("Roles given", words.number(len(grants)),
                   f"in {words.count(len({one.role for one in grants}), 'role')}",
                   desk.pages.to("/admin/roles")),
            Figure("Accounts to map", "not counted" if to_map is None else words.number(to_map),
                   "in the past" if to_map is None else "acted, and are nobody's",
                   desk.pages.to("/admin/accounts")),
        ),
        waiting=tuple(waiting(desk, to_map or 0)),
        empty=Empty("Nothing waits.", "Every account is somebody's, every person can sign in, and "
                    "nothing ends within two weeks."),
    )  # fmt: skip


def waiting(desk: Desk, to_map: int) -> list[Waiting]:
    """Return what waits, the most urgent first."""
    directory, now = desk.directory, desk.now
    signing = signs_in(desk)
    without = [
        one.handle or "erased"
        for one in directory.actors.values()
        if one.kind == "person" and one.removed < 0 and one.ref not in signing
    ]
    ending = [
        f"{one.name or one.id} {desk.when(one.until)}"
        for one in directory.tokens.values()
        if one.revoked < 0 and desk.ends_soon(one.until)
    ]
    roles = [
        f"{one.role} of {desk.chip(one.holder).who.handle} {desk.when(one.until)}"
        for one in directory.grants.values()
        if desk.ends_soon(one.until)
    ]
    open_ = [
        f"{desk.chip(one.actor).who.handle}, until {desk.when(one.until)}"
        for one in directory.invitations.values()
        if one.used < 0 and one.holds(now)
    ]
    found = []
    if to_map:
        what = (
            f"{words.count(to_map, 'account')} acted and {'is' if to_map == 1 else 'are'} nobody's"
        )
        found.append(Waiting("warn", "unknown", what, "What they did counts for no person.",
                             desk.pages.to("/admin/accounts"), "Map them"))  # fmt: skip
    if ending:
        found.append(Waiting("warn", "clock", f"{words.count(len(ending), 'token')} {_ends(ending)} within two weeks",
                             _few(ending), desk.pages.to("/admin/tokens"), "See tokens"))  # fmt: skip
    if roles:
        found.append(Waiting("warn", "clock", f"{words.count(len(roles), 'role')} {_ends(roles)} within two weeks",
                             _few(roles), desk.pages.to("/admin/roles"), "See roles"))  # fmt: skip
    if open_:
        found.append(Waiting("", "pending", f"{words.count(len(open_), 'invitation')} not used yet",
                             _few(open_), desk.pages.to("/admin/people"), "See people"))  # fmt: skip
    if without:
        what = f"{words.count(len(without), 'person', 'people')} cannot sign in: no passkey, no provider"
        found.append(Waiting("", "person", what, _few(without),
                             desk.pages.to("/admin/people"), "See people"))  # fmt: skip
    return found


def signs_in(desk: Desk) -> set[str]:
    """Return the actors who have a passkey, or an account that signs them in."""
    keys = {one.actor for one in desk.directory.passkeys.values() if one.removed < 0}
    links = {
        link.actor
        for all_ in desk.directory.links.values()
        for link in all_
        if link.signs_in and link.holds(desk.now)
    }
    return keys | links


def _ends(found: Sequence[str]) -> str:
    return "ends" if len(found) == 1 else "end"


def _few(found: Sequence[str]) -> str:
    more = f" and {words.number(len(found) - 3)} more" if len(found) > 3 else ""
    return ", ".join(found[:3]) + more + "."


def admin_page(request: Request, context: Context) -> Response:
    """Answer GET /admin."""
    desk = desk_of(context)
    context.note_read("actors")
    # Accounts are counted as of now: then, nobody knew which would act.
    count = unmapped(context.home, 0)[1] if context.as_of is None else None
    view = build_admin(desk, count)
    head: Head = head_of(context, desk, "Admin", _say(view), above=())
    return admin_render(request, context, "admin.html", "/admin", head, view=view)


def _say(view: AdminView) -> str:
    if not view.waiting:
        return "Who there is and who may do what. Nothing waits for anybody."
    return f"Who there is and who may do what. {words.count(len(view.waiting), 'thing waits', 'things wait')} for somebody."
