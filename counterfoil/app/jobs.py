"""Sessions of CI jobs: found again by digest, as long as their rule stands.

What must hold: a session lets in what its trust rule says at this moment, so that removing the
rule, or its holder, ends it at once; nobody who reads state.db can use what stands there; it
counts for minutes, and over a restart.

The exchange itself, with what it takes to check tokens, is loaded when the first job comes.
"""

import logging
import threading
from typing import TYPE_CHECKING, Final

from counterfoil.app.access import Access
from counterfoil.app.proving import digest
from counterfoil.app.record import SERVER
from counterfoil.clock import Clock, format_time
from counterfoil.errors import CounterfoilError
from counterfoil.policy.access import Credential
from counterfoil.policy.trust import Rule, rules_of
from counterfoil.stores.state_jobs import JobRows, JobSession

if TYPE_CHECKING:
    from counterfoil.app.jwks import KeyBook, Rekeyed

__all__ = ["PREFIX", "JobSession", "Jobs"]

PREFIX: Final = "cfj_"
KID_MAX: Final = 200
RULES_MAX: Final = 50
"""How many rules one event names; their issuer stands in it as well."""

_log = logging.getLogger(__name__)


class Jobs:
    """The jobs of one open ledger.  Safe to call from several threads.

    Args:
        rows: where sessions are kept.
        access: which rules there are.
        clock: says what is over.
    """

    def __init__(self, rows: JobRows, access: Access, clock: Clock) -> None:
        self.rows = rows
        self._access = access
        self._clock = clock
        self._lock = threading.Lock()
        self._open = {one.digest: one for one in rows.sessions(format_time(clock.now()))}
        self._rules: tuple[int, dict[str, Rule]] = (-1, {})
        self._keys: KeyBook | None = None

    @property
    def keys(self) -> "KeyBook":
        """The keys of the issuers, remembered for as long as the ledger is open."""
        from counterfoil.app.jwks import KeyBook  # noqa: PLC0415  heavy, and few ledgers have jobs

        with self._lock:
            if self._keys is None:
                self._keys = KeyBook(self._tell)
            return self._keys

    def _tell(self, change: "Rekeyed") -> None:
        """Have the log say that an issuer changed a key under its name.

        Where that cannot be recorded now, the job that made us look is let in or not all the same;
        then only the server's own log has it.
        """
        found = sorted(ref for ref, rule in self.rules().items() if rule.issuer == change.issuer)
        if not found:
            return
        event = self._access.event(
            "trust.rekeyed",
            SERVER,
            subject=found[0],
            data={**change._asdict(), "kid": change.kid[:KID_MAX]},
            named=[(ref, "about") for ref in found[1:RULES_MAX]],
        )
        try:
            self._access.enact([event], SERVER, "server")
        except CounterfoilError as error:
            _log.warning("a changed key was not recorded: %s", error)

    def rules(self) -> dict[str, Rule]:
        """Return the trust rules in force, by their refs."""
        version = self._access.version
        if self._rules[0] != version:
            trusts = list(self._access.directory.trusts.values())
            self._rules = version, rules_of({one.ref: one.rule for one in trusts})
        return self._rules[1]

    def find(self, token: str) -> Credential | None:
        """Return whose session it is; None when it is unknown, over, or its rule gone."""
        # A digest is looked up, not the token: how long that takes tells nothing about a token.
        found = self._open.get(digest(token))
        if found is None or found.until <= format_time(self._clock.now()):
            return None
        return self.credential(found)

    def credential(self, session: JobSession) -> Credential | None:
        """Return what a session lets in at this moment, None if nothing."""
        rule = self.rules().get(session.rule)
        trust = self._access.directory.trusts.get(session.rule)
        if rule is None or trust is None or self._access.directory.let_in(trust.holder) is None:
            return None
        return Credential(
            id=session.id,
            kind="ci",
            handle=session.account,
            sources=rule.sources or ("",),
            actor=trust.holder,
            projects=rule.projects,
            verbs=rule.verbs,
        )

    def keep(self, session: JobSession) -> None:
        """Let a session in from here on; the log says that it was opened."""
        self.rows.add(session)
        now = format_time(self._clock.now())
        with self._lock:
            live = {digest: one for digest, one in self._open.items() if one.until > now}
            self._open = {**live, session.digest: session}

    def open_sessions(self) -> list[JobSession]:
        """Return the sessions that let somebody in at this moment, by when they end."""
        now = format_time(self._clock.now())
        found = [one for one in list(self._open.values()) if one.until > now]
        return sorted(
            (one for one in found if self.credential(one) is not None),
            key=lambda one: (one.until, one.id),
        )
