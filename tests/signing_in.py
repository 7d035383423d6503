"""Signing in over HTTP, as a browser and its authenticator do, without either."""

import hashlib
import json
import re
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

from counterfoil.app.access_log import what_of
from counterfoil.app.acting_sign_in import Invitation
from counterfoil.app.actions import act
from counterfoil.events.entry import read_entry
from counterfoil.policy.access import LOG, Credential
from counterfoil.web.sessions import csrf_token
from tests.authenticator import Authenticator
from tests.web_server import Reply, Running

FORM = "application/x-www-form-urlencoded"
# Whoever holds the files of the ledger: no policy is asked about them.
OWNER = Credential("local", "local", "local:owner")


def describe(web: Running, handle: str, role: str = "viewer") -> None:
    """Make a person known, with a role everywhere."""
    act(web.home, OWNER, "actor-describe", {"handle": handle}, "api")
    act(web.home, OWNER, "role-grant", {"to": handle, "role": role}, "api")


def invitation(web: Running, handle: str) -> str:
    """Invite somebody; return the secret of the link."""
    made = act(web.home, OWNER, "invite", {"handle": handle}, "api")
    assert isinstance(made, Invitation)
    return urllib.parse.parse_qs(urllib.parse.urlsplit(made.link).query)["token"][0]


def handle_for(name: str) -> str:
    """Return a handle of its own for a test of that name, the same in every run."""
    return f"p{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def reason(reply: Reply) -> str:
    """Return why a sign-in was refused."""
    assert (reply.status, reply.code) == (403, "sign_in_refused"), reply.body
    return str(reply.json()["reason"])


def size(web: Running) -> int:
    """Return how many entries the log of access has."""
    return web.home.log.head(LOG).size


def events(web: Running, start: int = 0) -> list[str]:
    """Return what the log of access says from an entry on: noun and predicate."""
    kept = web.home.log.kept(LOG, start, size(web))
    return [what_of(read_entry(one.entry).type) for one in kept]


@dataclass
class Browser:
    """Cookies, and one authenticator."""

    web: Running
    cookies: dict[str, str] = field(default_factory=dict)
    authenticator: Authenticator = field(init=False)
    origin: str = field(init=False)

    def __post_init__(self) -> None:
        self.origin = f"http://{self.web.host}"
        self.authenticator = Authenticator(self.origin, "localhost")

    @property
    def session(self) -> str:
        """The session cookie's value, "" without one."""
        return self.cookies.get("counterfoil", "")

    @property
    def csrf(self) -> str:
        """What a page of this session carries in its forms."""
        return csrf_token(self.session) if self.session else ""

    def get(self, path: str, **headers: str) -> Reply:
        """Open a page."""
        return self._call("GET", path, None, headers)

    def form(self, path: str, fields: dict[str, str], **headers: str) -> Reply:
        """Send a form as a page of ours does; `Origin=""` leaves it out."""
        body = urllib.parse.urlencode({"csrf": self.csrf, **fields}).encode()
        return self._call("POST", path, body, {"Content-Type": FORM, **headers})

    def post(self, path: str, body: Any, **headers: str) -> Reply:
        """Send JSON as a script of ours does; `Origin=""` leaves it out."""
        sent = {"Content-Type": "application/json", "X-Counterfoil-CSRF": self.csrf, **headers}
        return self._call("POST", path, json.dumps(body).encode(), sent)

    def _call(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Reply:
        sent = {**({"Origin": self.origin} if method == "POST" else {}), **headers}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        plain = {name: value for name, value in sent.items() if value}
        reply = self.web.call(method, path, body, plain, token=None)
        for name, value in re.findall(r'(counterfoil[a-z-]*)="?([0-9a-f]*)"?;', reply.set_cookies):
            self.cookies[name] = value
            if not value:
                del self.cookies[name]
        return reply

    # What a person does.

    def accept(self, token: str, **members: Any) -> Reply:
        """Make the passkey somebody is invited to make."""
        asked = self.post("/invitation/ask", {"token": token})
        if asked.status != 200:
            return asked
        made = json.loads(self.authenticator.create(asked.body.decode()))
        whole = {"token": token, "name": "laptop", "credential": made}
        return self.post("/invitation", {**whole, **members})

    def sign_in(self, back: str = "/") -> Reply:
        """Sign in with the passkey."""
        self.authenticator.counter += 1
        asked = self.post("/sign-in/passkey/ask", {"next": back})
        shown = json.loads(self.authenticator.get(asked.body.decode()))
        return self.post("/sign-in/passkey", {"credential": shown})

    def step_up(self, back: str = "/") -> Reply:
        """Show the passkey again."""
        self.authenticator.counter += 1
        asked = self.post("/step-up/ask", {})
        if asked.status != 200:
            return asked
        shown = json.loads(self.authenticator.get(asked.body.decode()))
        return self.post(f"/step-up?next={urllib.parse.quote(back)}", {"credential": shown})

    def sign_out(self) -> Reply:
        """Press the button."""
        return self.form("/sign-out", {})

    def is_in(self) -> bool:
        """Whether the session reads what needs one."""
        return self.get("/v1/runs").status == 200


def enrolled(web: Running, handle: str, role: str = "viewer") -> Browser:
    """Return the browser of somebody who was invited just now, and is signed in."""
    describe(web, handle, role)
    browser = Browser(web)
    browser.authenticator.credential_id = f"the passkey of {handle}".encode()
    reply = browser.accept(invitation(web, handle))
    assert reply.status == 200, reply.body
    return browser


def handle_of(browser: Browser) -> str:
    """Return whose passkey a browser's authenticator holds."""
    return browser.authenticator.credential_id.decode().rpartition(" ")[2]
