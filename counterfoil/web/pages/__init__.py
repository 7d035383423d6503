"""The pages people read: view models built by pure functions, templates that only print.

A handler takes (request, context), reads through `context.home.reader` and `context.home.blobs`
alone, and blocks, so the server runs it in a thread.  Errors leave a handler as `RequestError`
and become `error_page`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.policy.access import LOG
from counterfoil.web.context import Context
from counterfoil.web.pages.admin import admin_page
from counterfoil.web.pages.admin_accounts import accounts_page
from counterfoil.web.pages.admin_asked import asked_page
from counterfoil.web.pages.admin_explain import explain_page
from counterfoil.web.pages.admin_import import import_page
from counterfoil.web.pages.admin_people import people_page
from counterfoil.web.pages.admin_person import person_page
from counterfoil.web.pages.admin_policies import policies_page
from counterfoil.web.pages.admin_retention import retention_page
from counterfoil.web.pages.admin_roles import roles_page
from counterfoil.web.pages.admin_sessions import sessions_page
from counterfoil.web.pages.admin_teams import teams_page
from counterfoil.web.pages.admin_tokens import tokens_page
from counterfoil.web.pages.admin_trust import trust_page
from counterfoil.web.pages.changed import changed_page
from counterfoil.web.pages.doors import error_page, theme_page
from counterfoil.web.pages.entry import entry_page
from counterfoil.web.pages.everywhere import everywhere_page
from counterfoil.web.pages.files import file_image, file_page
from counterfoil.web.pages.health import health_page
from counterfoil.web.pages.log import log_page
from counterfoil.web.pages.now import now_page
from counterfoil.web.pages.raw import raw_part
from counterfoil.web.pages.releases import release_page, releases_page
from counterfoil.web.pages.render import render
from counterfoil.web.pages.runs import run_page, runs_page
from counterfoil.web.pages.search import search_page
from counterfoil.web.pages.tests import test_page

__all__ = ["ROUTES", "Context", "PageRoute", "error_page", "render"]


@dataclass(frozen=True, slots=True)
class PageRoute:
    """A page: answers `path` for whoever may `read`; pages change nothing, so GET is enough.

    Args:
        path: where it is.
        handler: reads and renders it.
        log: the log it is about, "" for the project the address names.
    """

    path: str
    handler: Callable[[Request, Context], Response]
    log: str = ""


ROUTES: tuple[PageRoute, ...] = (
    PageRoute("/", now_page),
    PageRoute("/runs", runs_page),
    PageRoute("/run", run_page),
    PageRoute("/test", test_page),
    PageRoute("/changed", changed_page),
    PageRoute("/releases", releases_page),
    PageRoute("/release", release_page),
    PageRoute("/search", search_page),
    PageRoute("/search/everywhere", everywhere_page),
    PageRoute("/log", log_page),
    PageRoute("/health", health_page),
    PageRoute("/entries/{index}", entry_page),
    PageRoute("/entries/{index}/raw", raw_part),
    PageRoute("/entries/{index}/files/{position}", file_page),
    PageRoute("/entries/{index}/files/{position}/image", file_image),
    PageRoute("/theme", theme_page),
    PageRoute("/admin", admin_page, LOG),
    PageRoute("/admin/people", people_page, LOG),
    PageRoute("/admin/import", import_page, LOG),
    PageRoute("/admin/person", person_page, LOG),
    PageRoute("/admin/teams", teams_page, LOG),
    PageRoute("/admin/accounts", accounts_page, LOG),
    PageRoute("/admin/roles", roles_page, LOG),
    PageRoute("/admin/tokens", tokens_page, LOG),
    PageRoute("/admin/sessions", sessions_page, LOG),
    PageRoute("/admin/trust", trust_page, LOG),
    PageRoute("/admin/policies", policies_page, LOG),
    PageRoute("/admin/explain", explain_page, LOG),
    PageRoute("/admin/asked", asked_page, LOG),
    PageRoute("/admin/retention", retention_page, LOG),
)
