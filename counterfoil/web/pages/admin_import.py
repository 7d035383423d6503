"""People from a file: what it would change in words, and only then a button that does exactly that."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.acting_directory import Compared, ShownChange
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.admin_desk import admin_render, desk_of, forms_of, head_of
from counterfoil.web.pages.forms import Form, Words
from counterfoil.web.pages.parts import Empty

CHANGES_SHOWN: Final = 500
FIELDS: Final = ("content", "form", "remove_missing")
COMMAND: Final = "counterfoil admin people import FILE"
UNCHANGED: Final = Empty("Nothing would change.", "What the file says is in force already.")
_HELP: Final = "paste its whole text, 1 MB at most; comparing changes nothing"


@dataclass(frozen=True, slots=True)
class Difference:
    """What a file would change, before it is applied; `more` counts what is not shown."""

    said: str
    digest: str
    changes: tuple[ShownChange, ...]
    more: str
    empty: Empty
    apply: Form | None


def build_difference(found: Compared, apply: Form | None) -> Difference:
    """Build what a file would change."""
    more = len(found.changes) - CHANGES_SHOWN
    return Difference(
        said=words.count(len(found.changes), "change"),
        digest=found.digest,
        changes=found.changes[:CHANGES_SHOWN],
        more=f"{words.number(more)} more changes are not shown; {COMMAND} --json has them all"
        if more > 0
        else "",
        empty=UNCHANGED,
        apply=apply if found.changes else None,
    )


def import_page(request: Request, context: Context) -> Response:
    """Answer GET /admin/import."""
    desk, forms = desk_of(context), forms_of(request, context)
    came, refused = context.told, context.typed
    typed: dict[str, str] = {}
    difference = None
    if came is not None and came.action == "directory-diff" and isinstance(came.done, Compared):
        typed = {name: came.given[name] for name in FIELDS if name in came.given}
        difference = build_difference(came.done, forms.form(
            "directory-import", "Apply this difference", "Apply exactly this", tone="main",
            hidden={**typed, "digest": came.done.digest}, leave_out=FIELDS,
        ))  # fmt: skip
    elif refused is not None and refused.form == "directory-import":
        # What was typed is compared again: the refusal says why it could not be applied.
        typed = {name: refused.fields[name] for name in FIELDS if name in refused.fields}
    compare = forms.form(
        "directory-diff", "A directory file", "Say what it would change", tone="main", values=typed,
        words={"content": Words("The file", _HELP, "area")},
    )  # fmt: skip
    say = (
        "Everybody at once, as your organisation keeps them: what the file would change is shown "
        "first, and exactly that is applied."
    )
    above = (("Admin", "/admin"), ("People", "/admin/people"))
    head = head_of(context, desk, "People from a file", say, [compare], above=above)
    return admin_render(
        request, context, "admin_import.html", "/admin/people", head, difference=difference,
        compare=compare, command=COMMAND,
    )  # fmt: skip
