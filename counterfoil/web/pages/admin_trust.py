"""Trust rules: which jobs of a CI are let in by their own tokens, and as whom."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.policy.directory import Trust
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
)
from counterfoil.web.pages.forms import Form, Forms, Words
from counterfoil.web.pages.parts import Empty, Mark

CIS = ("github", "gitlab", "buildkite", "circleci")


@dataclass(frozen=True, slots=True)
class TrustCard:
    """One rule."""

    id: str
    ref: str
    kind: str
    facts: tuple[tuple[str, str], ...]
    holder: Chip
    by: Chip | None
    mark: Mark
    remove: Form | None


@dataclass(frozen=True, slots=True)
class TrustView:
    """The page."""

    rules: tuple[TrustCard, ...]
    empty: Empty


def build_trust(desk: Desk, forms: Forms) -> TrustView:
    """Build the page."""
    rules = sorted(desk.directory.trusts.values(), key=lambda one: -one.entry)
    return TrustView(
        rules=tuple(_card(desk, one, forms) for one in rules),
        empty=Empty(
            "No CI is trusted.",
            "Its jobs need tokens until one is:",
            command="counterfoil admin trust add github",
        ),
    )


def _card(desk: Desk, trust: Trust, forms: Forms) -> TrustCard:
    rule = trust.rule
    return TrustCard(
        id=anchor(trust.ref),
        ref=trust.ref,
        kind=_text(rule, "kind") or "unknown",
        facts=tuple(_facts(rule)),
        holder=desk.chip(trust.holder),
        by=desk.doer(trust.by) if trust.by else None,
        mark=desk.mark(trust.entry),
        remove=forms.form("trust-remove", "Remove this rule", "Remove", key=trust.ref,
                          tone="refuse", hidden={"rule": trust.ref}),
    )  # fmt: skip


def _facts(rule: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a rule asks of a job's token, and what it lets the job do."""
    facts = [
        ("token signed by", _text(rule, "issuer")),
        ("token made for", _text(rule, "audience")),
    ]
    claims = rule.get("claims")
    if isinstance(claims, Mapping):
        facts += [(f"claim {name} is exactly", str(value)) for name, value in claims.items()]
    facts += [
        ("may", _list(rule, "verbs")),
        ("in", _list(rule, "projects")),
        ("may speak as", _list(rule, "sources") or "any source"),
    ]
    seconds = rule.get("session_s")
    if isinstance(seconds, int):
        facts.append(("a session lasts at most", words.duration(seconds)))
    return [(name, text) for name, text in facts if text]


def _text(rule: Mapping[str, Any], member: str) -> str:
    value = rule.get(member)
    return value if isinstance(value, str) else ""


def _list(rule: Mapping[str, Any], member: str) -> str:
    value = rule.get(member)
    return ", ".join(str(one) for one in value) if isinstance(value, list | tuple) else ""


def trust_page(request: Request, context: Context) -> Response:
    """Answer GET /admin/trust."""
    desk, forms = desk_of(context), forms_of(request, context)
    view = build_trust(desk, forms)
    add = forms.form(
        "trust-add",
        "Trust jobs of a CI",
        "Trust them",
        tone="main",
        values={"projects": context.around},
        words={
            "kind": Words("CI", "", "choice", CIS),
            "holder": Words("Jobs act as", "a handle; empty: a service of their own"),
        },
    )
    every = [add, *(one.remove for one in view.rules)]
    say = (
        f"{words.count(len(view.rules), 'rule lets', 'rules let')} CI jobs in without a stored secret. "
        "A job shows its own token; everything a rule asks for must be in it, exactly."
    )
    head = head_of(context, desk, "Trust rules", say, every)
    return admin_render(
        request, context, "admin_trust.html", "/admin/trust", head, view=view, add=add
    )
