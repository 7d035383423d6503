"""Access, explained: may somebody do something, why, and what would make it otherwise."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.explaining import Explained, Ground, explain
from counterfoil.errors import RequestError
from counterfoil.policy.access import LOG
from counterfoil.policy.directory import Grant
from counterfoil.policy.verbs import VERBS
from counterfoil.web.context import Context
from counterfoil.web.pages.admin_desk import (
    Chip,
    Desk,
    admin_render,
    desk_of,
    head_of,
    scope_words,
)
from counterfoil.web.pages.parts import Banner, Mark, Pill

ASKED_MAX = 300


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, as it was typed."""

    actor: str
    verb: str
    project: str
    ref: str


@dataclass(frozen=True, slots=True)
class GrantLine:
    """Where a role comes from."""

    role: str
    where: str
    holder: Chip
    mark: Mark


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question."""

    pill: Pill
    question: str
    reasons: tuple[str, ...]
    would_pass: tuple[str, ...]
    deciding: tuple[Ground, ...]
    grants: tuple[GrantLine, ...]
    elsewhere: tuple[GrantLine, ...]
    teams: str
    policy: str


@dataclass(frozen=True, slots=True)
class ExplainView:
    """The page: the question as asked, and its answer; `kept` is what its form sends along."""

    asked: Asked
    kept: tuple[tuple[str, str], ...]
    verbs: tuple[tuple[str, str], ...]
    projects: tuple[str, ...]
    answer: Answer | None
    wrong: Banner | None


def build_answer(desk: Desk, found: Explained) -> Answer:
    """Build the answer."""
    return Answer(
        pill=Pill("yes", "pass", "pass") if found.allowed else Pill("no", "fail", "fail"),
        question=found.question[:1].upper() + found.question[1:],
        reasons=found.reasons,
        would_pass=found.would_pass,
        deciding=found.deciding,
        grants=tuple(_grant(desk, one) for one in found.grants),
        elsewhere=tuple(_grant(desk, one) for one in found.elsewhere),
        teams=", ".join(team.removeprefix("team:") for team in found.teams) or "none",
        policy="the built-in set" if found.policy == "builtin" else found.policy,
    )


def _grant(desk: Desk, one: Grant) -> GrantLine:
    return GrantLine(
        one.role,
        f"in {scope_words(one)}, {desk.span(one)}",
        desk.chip(one.holder),
        desk.mark(one.entry),
    )


def explain_page(request: Request, context: Context) -> Response:
    """Answer GET /admin/explain?actor=&verb=&in=&ref=."""
    desk, home = desk_of(context), context.home
    query = {
        name: request.query_params.get(name, "").strip()[:ASKED_MAX]
        for name in ("actor", "verb", "in", "ref")
    }
    asked = Asked(query["actor"], query["verb"], query["in"] or context.around, query["ref"])
    answer, wrong = None, None
    if asked.actor and context.as_of is None:
        try:
            home.require_project(asked.project)
            found = explain(
                home.access, home.clock, asked.actor, asked.verb, asked.project, asked.ref
            )
            context.note_read("actors")
            answer = build_answer(desk, found)
        except RequestError as error:
            wrong = Banner("fail", "fail", "This cannot be asked.", error.message)
    view = ExplainView(
        asked=asked,
        kept=desk.pages.pairs(),
        verbs=tuple((name, verb.meaning) for name, verb in VERBS.items()),
        projects=tuple(one.project for one in home.log.projects() if one.project != LOG),
        answer=answer,
        wrong=wrong,
    )
    say = (
        "May somebody do something, why, and what would make it otherwise? "
        "The answer is the engine's own, under the policies in force."
    )
    head = head_of(context, desk, "Explain access", say)
    return admin_render(request, context, "admin_explain.html", "/admin/explain", head, view=view)
