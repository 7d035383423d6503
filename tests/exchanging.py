"""A ledger that trusts a CI on this machine, and what its jobs bring."""

from dataclasses import dataclass
from typing import Any

from joserfc.jwk import ECKey, OKPKey

from counterfoil.app.actions import act
from counterfoil.app.answers import EntryView
from counterfoil.app.exchange import Brought, Opened, exchange
from counterfoil.app.home import Home
from counterfoil.app.record import LOCAL
from counterfoil.policy.access import LOG, Credential
from tests.ci_tokens import AUDIENCE, RULES, claims_of, okp_key, prove, rsa_key, sign
from tests.issuer import Issuer

URL = f"{AUDIENCE}/v1/token/exchange"


@dataclass
class Ci:
    """One CI whose tokens a ledger trusts: an issuer, a rule, and the key of a job."""

    home: Home
    issuer: Issuer
    kind: str = "github"

    def trust(self, **changed: Any) -> str:
        """Add the rule for this CI's jobs; return its id."""
        rule = RULES[self.kind]
        given = {
            "kind": self.kind,
            "issuer": self.issuer.url,
            "audience": AUDIENCE,
            "claims": [f"{name}={value}" for name, value in rule.claims.items()],
            "projects": ["default"],
            "private": True,
            **changed,
        }
        done = act(self.home, LOCAL, "trust-add", given, "cli")
        assert hasattr(done, "id")
        return str(done.id)

    def token(self, **changed: Any) -> bytes:
        """Return a token as a job of this CI gets it."""
        claims = claims_of(self.kind, **{"iss": self.issuer.url, **changed})
        return sign(claims, rsa_key("one"))

    def bring(
        self,
        token: bytes,
        key: ECKey | OKPKey | None = None,
        *,
        project: str = "default",
        proof: bytes = b"",
        **proving: Any,
    ) -> Opened:
        """Exchange a token, proved by a key."""
        made_s = self.home.clock.now().timestamp()
        shown = proof or prove(
            token, key or okp_key("job"), **{"url": URL, "made_s": made_s, **proving}
        )
        return exchange(self.home, Brought(token, shown, URL, project))

    def credential(self, opened: Opened) -> Credential | None:
        """Return what a session lets in."""
        return self.home.jobs.find(opened.token)


def said(home: Home, what: str) -> list[EntryView]:
    """Return every entry of a kind, such as "session.opened", in `_access`, in order."""
    views = [home.reader.entry(LOG, index) for index in range(home.log.head(LOG).size)]
    return [view for view in views if f"counterfoil-{what}." in view.entry.type]
