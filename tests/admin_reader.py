"""A reader of the pages about access, and what the tests of those pages ask again and again."""

import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

from counterfoil.app import signin
from counterfoil.app.actions import act
from counterfoil.policy.access import ADMIN, LOG
from counterfoil.web.sessions import csrf_token
from tests.web_server import Reply, Running

FORM = "application/x-www-form-urlencoded"


@dataclass
class Reader:
    """Somebody signed in with a browser."""

    web: Running
    cookie: str

    @property
    def csrf(self) -> str:
        """What the forms of this session send back."""
        return csrf_token(self.cookie.partition("=")[2])

    def get(self, path: str) -> Reply:
        """Ask for a page."""
        return self.web.call("GET", path, headers={"Cookie": self.cookie}, token=None)

    def page(self, path: str) -> str:
        """Return a page that is there, as text."""
        reply = self.get(path)
        assert reply.status == 200, reply.body
        return reply.body.decode()

    def send(self, action: str, fields: Mapping[str, str], **headers: str) -> Reply:
        """Post a form as the page of its action has it."""
        sent = {"csrf": self.csrf, "back": "/admin/people", "_form": action, **fields}
        body = urllib.parse.urlencode(sent).encode()
        named = {"Content-Type": FORM, "Cookie": self.cookie, **headers}
        return self.web.call("POST", f"/act/{action}", body, named, token=None)

    def do(self, action: str, **fields: str) -> str:
        """Post a form that works; return the page it leads to."""
        reply = self.send(action, fields)
        assert reply.status == 303, reply.body
        return self.page(reply.headers["location"])


def sign_in(web: Running, handle: str = "") -> Reader:
    """Sign in by a link: as somebody in the directory, or as the first administrator."""
    home = web.home
    who = {"handle": handle, "actor": ref_of(web, handle)} if handle else {}
    address = signin.make_link(home.state, home.clock, home.randomness, f"http://{web.host}", **who)
    token = address.partition("token=")[2]
    reply = web.call(
        "POST", "/sign-in", urllib.parse.urlencode({"token": token}).encode(),
        {"Content-Type": FORM}, token=None,
    )  # fmt: skip
    return Reader(web, reply.headers["set-cookie"].partition(";")[0])


def size(web: Running) -> int:
    """Return how many entries the log of access has, without counts of refusals."""
    return web.size(LOG)


def ref_of(web: Running, handle: str) -> str:
    return web.home.access.require_actor(handle).ref


def section(page: str, ident: str) -> str:
    """Return the part of a page of one id."""
    found = re.search(rf'<section class="card[^>]* id="{ident}".*?</section>', page, re.DOTALL)
    assert found is not None, f"no section {ident}"
    return found[0]


def described(web: Running, handle: str, **more: str) -> None:
    act(web.home, ADMIN, "actor-describe", {"handle": handle, **more}, "api")
