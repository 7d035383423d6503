"""Trust rules: which jobs of a CI are let in by their own tokens, and as whom."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.acting_trust import Added
from counterfoil.policy.directory import Trust
from counterfoil.policy.trust import Rule
from counterfoil.policy.trust_words import Described, describe
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
    words: Described | None
    facts: tuple[tuple[str, str], ...]
    holder: Chip
    by: Chip | None
    mark: Mark
    remove: Form | None


@dataclass(frozen=True, slots=True)
class TrustView:
    """The page."""

    rules: tuple[TrustCard, ...]
    tried: Added | None
    empty: Empty


def build_trust(desk: Desk, forms: Forms, tried: Added | None) -> TrustView:
    """Build the page; `tried` is what came of the form, in words."""
    rules = sorted(desk.directory.trusts.values(), key=lambda one: -one.entry)
    return TrustView(
        rules=tuple(_card(desk, one, forms) for one in rules),
        tried=tried,
        empty=Empty(
            "No CI is trusted.",
            "Its jobs need tokens until one is:",
            command="counterfoil admin trust add github",
        ),
    )


def _card(desk: Desk, trust: Trust, forms: Forms) -> TrustCard:
    described = _described(trust.rule)
    return TrustCard(
        id=anchor(trust.ref),
        ref=trust.ref,
        kind=str(trust.rule.get("kind", "unknown")),
        words=described,
        facts=() if described else tuple(_facts(trust.rule)),
        holder=desk.chip(trust.holder),
        by=desk.doer(trust.by) if trust.by else None,
        mark=desk.mark(trust.entry),
        remove=forms.form("trust-remove", "Remove this rule", "Remove", key=trust.ref,
                          tone="refuse", hidden={"rule": trust.ref}),
    )  # fmt: skip


def _described(rule: Mapping[str, Any]) -> Described | None:
    """Return a rule in words, None if this version cannot read it."""
    try:
        return describe(msgspec.convert(dict(rule), Rule, strict=False))
    except (msgspec.ValidationError, KeyError):
        return None


def _facts(rule: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a rule that cannot be read any more says, member by member."""
    return [(name, str(value)) for name, value in rule.items()]


def trust_page(request: Request, context: Context) -> Response:
    """Answer GET /admin/trust."""
    desk, forms = desk_of(context), forms_of(request, context)
    context.note_read("actors")
    came = context.told
    tried = came.done if came is not None and isinstance(came.done, Added) else None
    typed = came.given if came is not None and tried is not None and not tried.id else {}
    view = build_trust(desk, forms, tried)
    add = forms.form(
        "trust-add",
        "Trust jobs of a CI",
        "Trust them",
        tone="main",
        values={"projects": context.around, **typed},
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
