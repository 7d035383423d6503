"""Tokens of programs: made, shown once, found again by digest, revoked.

What must hold: nobody who reads state.db can use what stands there; a token that is over,
revoked, or whose holder is gone (of an agent: the person it acts for) lets nobody in from the next
request on; looking one up takes the same work however wrong it is.  Digests of ended tokens are
kept, so that who tries one is counted under its id; a ledger without them refuses the same, and
counts a stranger.
"""

import threading
from collections.abc import Iterable, Sequence
from typing import Final

from counterfoil.app import proving
from counterfoil.app.access import Access
from counterfoil.app.wire import Pass, Passes
from counterfoil.clock import Clock, format_time
from counterfoil.errors import RequestError
from counterfoil.ids import Randomness
from counterfoil.policy.access import ADMIN, ALL, TOKEN_VERBS, Credential
from counterfoil.policy.directory import Token
from counterfoil.stores.state_tokens import TokenRows

TOKEN_BYTES: Final = 32
PREFIX: Final = "cft_"
ENDED_MAX: Final = 10_000
"""Of so many ended tokens the digests are kept; those that were made first go first."""


class Tokens:
    """The tokens of one open ledger.  Safe to call from several threads.

    Args:
        rows: where digests are kept.
        access: what each token is for.
        admin_token: the first administrator's.
        clock, randomness: for making one.
    """

    def __init__(
        self, rows: TokenRows, access: Access, admin_token: str, clock: Clock,
        randomness: Randomness,
    ) -> None:  # fmt: skip
        self._rows = rows
        self._access = access
        self._clock = clock
        self._randomness = randomness
        self._admin = proving.digest(admin_token)
        self._lock = threading.Lock()
        self._ids = {row.digest: row.id for row in rows.all()}
        self._used: dict[str, tuple[str, int]] = {}

    def find(self, token: str) -> Credential | None:
        """Return whose token it is; None when it is unknown, over, revoked, or its holder gone."""
        digest = proving.digest(token)
        # A digest is looked up, not the token: how long that takes tells nothing about a token.
        if digest == self._admin:
            return ADMIN
        found = self._ids.get(digest)
        return self.credential(found) if found is not None else None

    def ended(self, token: str) -> Credential | None:
        """Return what a token that lets nobody in any more was, None for any other.

        For counting refusals under its id; it opens nothing.
        """
        scope = self._access.directory.tokens.get(self._ids.get(proving.digest(token), ""))
        return None if scope is None or self._lives(scope) else _credential(scope)

    def credential(self, token: str) -> Credential | None:
        """Return what the token of an id lets in, None if it lets nobody in."""
        scope = self._access.directory.tokens.get(token)
        return _credential(scope) if scope is not None and self._lives(scope) else None

    def note_used(self, token: str) -> None:
        """Count one use; written down by `flush`."""
        now = format_time(self._clock.now())
        with self._lock:
            self._used[token] = (now, self._used.get(token, ("", 0))[1] + 1)

    def flush(self) -> None:
        """Write down what was used since the last time."""
        with self._lock:
            used, self._used = self._used, {}
        if used:
            self._rows.note_used(used)

    def uses(self) -> dict[str, tuple[str, int]]:
        """Return when each token was last used, and how often."""
        self.flush()
        return {row.id: (row.used, row.uses) for row in self._rows.all()}

    def keep(self, token: str, secret: str) -> None:
        """Keep a token that the log already knows; from here on it lets its holder in."""
        digest = proving.digest(secret)
        self._rows.add(digest, token)
        with self._lock:
            over = self._too_many()
            if over:
                self._rows.remove(over)
            kept = {known: one for known, one in self._ids.items() if one not in over}
            self._ids = {**kept, digest: token}

    def fresh(self) -> tuple[str, str]:
        """Return the id and the text of a token that nobody has yet."""
        return f"token:{self._randomness.token(6).hex()}", (
            PREFIX + self._randomness.token(TOKEN_BYTES).hex()
        )

    def passes(self, projects: Iterable[str]) -> Passes:
        """Return what workers may let in by themselves."""
        version = self._access.version
        known = [one for one in projects if not one.startswith("_")]
        made = {}
        for digest, token in [(self._admin, ""), *list(self._ids.items())]:
            credential = self.credential(token) if token else ADMIN
            if credential is None:
                continue
            may = tuple(
                one for one in known if self._access.decide(credential, "record", one).allowed
            )
            scope = self._access.directory.tokens.get(token)
            until = min(self._access.good_until, scope.until if scope else self._access.good_until)
            made[digest] = Pass(credential, may, until)
        return Passes(version, made)

    def _too_many(self) -> set[str]:
        """Return the ended tokens that are no longer told apart from wrong ones."""
        known = self._access.directory.tokens
        ended = [one for one in self._ids.values() if one in known and not self._lives(known[one])]
        ended.sort(key=lambda one: known[one].entry)
        return set(ended[: max(0, len(ended) - ENDED_MAX)])

    def _lives(self, scope: Token) -> bool:
        now = format_time(self._clock.now())
        return (
            scope.revoked < 0
            and scope.holds(now)
            and self._access.directory.let_in(scope.holder) is not None
        )


def _credential(scope: Token) -> Credential:
    return Credential(
        id=scope.id,
        kind="token",
        handle=scope.name,
        sources=scope.sources or ("",),
        actor=scope.holder,
        projects=scope.projects,
        verbs=scope.verbs,
    )


def check_scope(projects: Sequence[str], known: Iterable[str], verbs: Sequence[str]) -> None:
    """Refuse a scope that names nothing, or what is not there.

    Raises:
        RequestError: `usage`.
    """
    missing = set(projects) - set(known) - {ALL}
    if not projects or missing:
        raise RequestError(
            "usage", f"a token is for projects that are there: {sorted(missing)!r} is not"
            if missing else "name the projects the token is for"
        )  # fmt: skip
    foreign = [verb for verb in verbs if verb not in {*TOKEN_VERBS, ALL}]
    if foreign or not verbs:
        raise RequestError(
            "usage",
            f"{foreign[0][:40]!a} is nothing a token can be for; that is {', '.join(TOKEN_VERBS)}"
            if foreign else "name the verbs the token is for, such as record,report"
        )  # fmt: skip
    if "report" in verbs and not {"record", ALL} & set(verbs):
        raise RequestError("usage", "what a report says becomes events: name record beside report")
