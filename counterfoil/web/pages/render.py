"""From view model to HTML: one Jinja environment, strict about everything.

What must hold: every value is escaped where it stands; hidden characters never pass, whether or
not a template remembers to ask (see `_show`); a name a template misspells is an error, not a
blank.  Pages hold no inline script and no style, so the policy in `web.security` costs nothing.
"""

from functools import cache

import jinja2
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from counterfoil.web import static
from counterfoil.web.pages import words

THEME_COOKIE = "counterfoil-theme"
_THEMES = frozenset({"light", "dark"})


def render(request: Request | None, template: str, status: int = 200, **values: object) -> Response:
    """Render `template` (a file of templates/) as a page.

    Args:
        request: where the stored choice of theme is read from; None gives the system's.
        template: such as "now.html".
        status: HTTP status of the answer.
        values: what the template names; missing ones are an error.
    """
    return HTMLResponse(html(template, theme=theme_of(request), **values), status_code=status)


def html(template: str, **values: object) -> str:
    """Return the page as text; `theme` is "", "light" or "dark"."""
    return _environment().get_template(template).render(**values)


def theme_of(request: Request | None) -> str:
    """Return the stored choice, "" when there is none or it is no theme of ours."""
    stored = request.cookies.get(THEME_COOKIE, "") if request is not None else ""
    return stored if stored in _THEMES else ""


def _show(value: object) -> object:
    """Make every printed value safe to show: the last step before escaping.

    Text that did not go through the `visible` filter still may not act on what stands around
    it.  Macros and filters give Markup, which is made of values that went through here.
    """
    if value is None:
        return "unknown"
    if isinstance(value, str) and not isinstance(value, Markup) and not value.isprintable():
        return "".join(
            character if character == "\n" or not words.hidden(character)
            else f"[U+{ord(character):04X}]"
            for character in value
        )  # fmt: skip
    return value


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("counterfoil.web", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_show,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["visible"] = words.visible
    environment.filters["plain"] = words.plain_visible
    environment.filters["number"] = words.number
    environment.filters["short"] = words.short_digest
    environment.globals["asset"] = static.url
    environment.globals["count"] = words.count
    return environment
