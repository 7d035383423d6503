"""Policies: the set in force, every set there was and why, and what another one would change."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.acting_policies import Changed, Previewed
from counterfoil.policy.policy_set import PolicySet
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
)
from counterfoil.web.pages.forms import Form, Words
from counterfoil.web.pages.parts import Banner, Empty, Mark

BUILTIN = "builtin"


@dataclass(frozen=True, slots=True)
class Version:
    """A set that was put in force."""

    digest: str
    current: bool
    when: str
    how: str
    reason: str
    by: Chip | None
    mark: Mark | None


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """One policy of the set in force."""

    id: str
    effect: str
    reason: str
    line: str


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of a diff; `kind` is "minus", "plus", "place" or ""."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What a set would change, before it is put in force."""

    said: str
    digest: str
    warnings: tuple[Banner, ...]
    diff: tuple[DiffLine, ...]
    changes: tuple[Changed, ...]
    more: str
    empty: Empty
    activate: Form | None


@dataclass(frozen=True, slots=True)
class PoliciesView:
    """The page."""

    digest: str
    name: str
    count: str
    rows: tuple[PolicyRow, ...]
    text: str
    versions: tuple[Version, ...]


LINES_SHOWN = 1_000


def build_policies(desk: Desk, policies: PolicySet) -> PoliciesView:
    """Build the page: `policies` are those in force."""
    in_force = desk.directory.policy
    return PoliciesView(
        digest=f"sha256:{policies.digest}",
        name="the built-in set" if in_force == BUILTIN else "a set of your own",
        count=words.count(len(policies.policies), "policy", "policies"),
        rows=tuple(
            PolicyRow(
                one.id,
                f"{one.effect}s",
                one.reason,
                f"line {one.line}",
            )
            for one in policies.policies.values()
        ),
        text=policies.text,
        versions=_versions(desk),
    )  # fmt: skip


def _versions(desk: Desk) -> tuple[Version, ...]:
    made = desk.directory.policies
    versions = [
        Version(
            digest=one.digest,
            current=one is made[-1],
            when=desk.when(one.time),
            how=one.how,
            reason=one.reason,
            by=desk.doer(one.by) if one.by else None,
            mark=desk.mark(one.entry),
        )
        for one in reversed(made)
    ]
    start = Version(
        BUILTIN, not made, "from the start", "", "what a ledger begins with", None, None
    )
    return (*versions, start)


def build_preview(made: Previewed, activate: Form | None) -> Preview:
    """Build what a set would change."""
    warnings = []
    if made.locks_out:
        warnings.append(Banner("fail", "fail", "Nobody could change policies any more.",
                               "Whoever holds the ledger's files could still roll back."))  # fmt: skip
    warnings += [
        Banner("warn", "warn", "A name nobody has.", f"{one[:1].upper()}{one[1:]}.")
        for one in made.unknown
    ]
    lines = made.diff.splitlines()[2:]
    more = len(lines) - LINES_SHOWN
    return Preview(
        said=made.said,
        digest=made.digest,
        warnings=tuple(warnings),
        diff=tuple(_line(line) for line in lines[:LINES_SHOWN]),
        changes=made.changes,
        more=f"{words.number(more)} more lines are not shown" if more > 0 else "",
        empty=Empty(
            "No question would be answered otherwise.",
            f"{words.count(made.asked, 'question')} asked lately {'was' if made.asked == 1 else 'were'} tried under both sets.",
        ),
        activate=activate,
    )


def _line(line: str) -> DiffLine:
    kinds = {"-": "minus", "+": "plus", "@": "place"}
    kind = kinds.get(line[:1], "")
    return DiffLine(kind, line if kind == "place" else line[1:])


def policies_page(request: Request, context: Context) -> Response:
    """Answer GET /admin/policies."""
    desk, forms = desk_of(context), forms_of(request, context)
    view = build_policies(desk, policies_at(context, desk))
    came = context.told
    typed, preview = view.text, None
    made: list[Form | None] = []
    if came is not None and isinstance(came.done, Previewed) and came.action == "policy-preview":
        typed = came.given.get("text", typed)
        activate = forms.form(
            "policy-activate", "Put this set in force", "Put it in force", tone="main",
            hidden={"text": typed}, leave_out=("digest",),
        )  # fmt: skip
        preview = build_preview(came.done, activate)
        made.append(activate)
    again = context.typed is not None and context.typed.form == "policy-activate"
    if again:
        made.append(forms.form(
            "policy-activate", "Put another set in force", "Put it in force", tone="main",
            leave_out=("digest",),
        ))  # fmt: skip
    compare = forms.form(
        "policy-preview", "Try another set", "Say what it would change",
        values={"text": typed}, leave_out=("digest",),
        words={"text": Words("Policies", "Cedar; trying them changes nothing", "area")},
    )  # fmt: skip
    back = forms.form(
        "policy-rollback", "Go back to a set before", "Go back", tone="refuse",
        words={"to": Words("To", "empty: the set before; else builtin, or how a digest begins")},
    )  # fmt: skip
    made += [compare, back if desk.directory.policies else None]
    say = (
        f"In force is {view.name}, {view.count}. What no policy permits is denied, and what one "
        "forbids stays forbidden."
    )
    head = head_of(context, desk, "Policies", say, made)
    return admin_render(
        request, context, "admin_policies.html", "/admin/policies", head, view=view,
        preview=preview, forms=[one for one in made if one is not None and (
            preview is None or one is not preview.activate)],
    )  # fmt: skip
