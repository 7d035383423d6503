"""Who may do what, kept and asked: the directory in memory, the policy set in force, decisions.

What must hold: the directory is what the log `_access` says, and nothing else; a change is in
the log before it is in force; a decision is remembered no longer than what it rests on holds.
If we crash between the log and the directory, the next start folds the log.
"""

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from msgspec import UNSET

from counterfoil.app.access_log import happened
from counterfoil.app.around import IN_OWN_NAME, NOBODY_ASKED, Circumstances
from counterfoil.app.posted import Answer
from counterfoil.app.proving import is_fresh
from counterfoil.clock import Clock, format_time
from counterfoil.errors import CounterfoilError, RequestError
from counterfoil.events.canonical import JSON
from counterfoil.events.event import Event, make_event
from counterfoil.events.kinds import OWN
from counterfoil.garbage import not_collected
from counterfoil.ids import Randomness
from counterfoil.ledger.store import KeyStore, LogReads
from counterfoil.policy.access import (
    ADMIN,
    LOG,
    RELAYING,
    RUNNING,
    Credential,
    Decision,
    ceiling,
)
from counterfoil.policy.directory import PROVIDER, PUBLIC, Actor, Directory
from counterfoil.policy.places import Place, place_of, places_of
from counterfoil.policy.request import Context, Object, Principal, Request, restore
from counterfoil.policy.verbs import kind_of
from counterfoil.stores.state_asked import AskedRows

if TYPE_CHECKING:
    from counterfoil.app.record import Recorder
    from counterfoil.policy.policy_set import PolicySet

SOURCE: Final = "urn:counterfoil:access"
REMEMBERED_MAX: Final = 20_000
_NEVER: Final = "9999"

Named = Sequence[tuple[str, str]]


_PLAIN: Final = Circumstances()


class Access:
    """The directory and the decisions of one open ledger.  Safe to call from several threads.

    Args:
        log, keys: where `_access` is read.
        clock, randomness: for what is recorded here.
        tiers: environment -> tier, as the settings say.
        policy_text: digest -> the text of a policy set that was put in force.
        asked_rows: where questions are kept for replays.
    """

    def __init__(
        self,
        log: LogReads,
        keys: KeyStore,
        clock: Clock,
        randomness: Randomness,
        *,
        tiers: Mapping[str, str],
        policy_text: Callable[[str], str],
        asked_rows: AskedRows,
    ) -> None:
        self.directory = Directory()
        self.version = 0
        # When what is remembered has to be asked anew, RFC 3339.
        self.changed: list[Callable[[], None]] = []
        self._log = log
        self._keys = keys
        self._clock = clock
        self._randomness = randomness
        self.tiers = tiers
        self._policy_text = policy_text
        self._recorder: Recorder | None = None
        self.look: Callable[[str, Sequence[str]], Circumstances] | None = None
        self._lock = threading.RLock()
        self._remembered: dict[tuple[object, ...], Decision] = {}
        self.good_until = ""
        self._policies: PolicySet | None = None
        self._policies_digest = ""
        self.asked: dict[str, Request] = {}
        self._asked_rows = asked_rows
        self._written: set[str] = set()

    def open(self, recorder: "Recorder") -> None:
        """Fold the log, and record through `recorder` from here on.

        Raises:
            EvidenceError: an entry of `_access` does not open to what it commits to.
        """
        self._recorder = recorder
        with self._lock:
            self._fold()

    # Deciding.

    def decide(
        self,
        credential: Credential,
        verb: str,
        project: str,
        source: str = "",
        refs: Sequence[str] = (),
        claimed: str = "",
    ) -> Decision:
        """Say whether somebody may do something.

        Args:
            credential: what they came with.
            verb: what they want to do.
            project: where.
            source: the event's `source`, for `record`.
            refs: what it is about, the thing itself first; decisions about the project as a
                whole are remembered, those about a thing are not.
            claimed: the account that an event says did it, where one is to be recorded.

        Cost: below 50 us when it was asked before; 5 ms at most else.
        """
        first = ceiling(credential, verb, project, source)
        if not first.allowed or credential.kind in RELAYING:
            return first
        if refs:
            return self._decide_about(credential, verb, project, refs, claimed)
        moment = self._clock.now()
        now = format_time(moment)
        fresh = is_fresh(credential.verified, moment)
        key = (
            credential.actor or credential.id, credential.kind, verb, project, fresh,
            credential.confirmed,
        )  # fmt: skip
        if now >= self.good_until:
            self._forget(now)
        # Kept where it was looked for: if something began or ended while it was asked, all that
        # is remembered by then is somewhere else, and this answer is for now alone.
        remembered = self._remembered
        found = remembered.get(key)
        if found is None:
            found = self.ask(credential, verb, place_of(project))
            if len(remembered) < REMEMBERED_MAX:
                remembered[key] = found
        return found

    def _decide_about(
        self, credential: Credential, verb: str, project: str, refs: Sequence[str], claimed: str
    ) -> Decision:
        """Ask about a thing: at every place it is at, and under the name of whoever asks."""
        if claimed and credential.kind == "session" and not self._is_own(credential, claimed):
            return Decision(False, (IN_OWN_NAME,))
        around, places = self.around(verb, project, refs)
        if not around.asked:
            return Decision(False, (NOBODY_ASKED,))
        decisions = []
        for place in places:
            decisions.append(self.ask(credential, verb, place, around))
            if not decisions[-1].allowed:
                break
        return decisions[-1]

    def around(
        self, verb: str, project: str, refs: Sequence[str]
    ) -> tuple[Circumstances, tuple[Place, ...]]:
        """Return what an answer about a thing rests on: the circumstances, and every place.

        An approval is where it was asked for, wherever else whoever answers says it is.

        Raises:
            RequestError: `usage`: too many places.
        """
        around = Circumstances()
        if verb == "approve" and self.look is not None:
            around = self.look(project, refs)
        return around, places_of(project, (*refs, *around.about), self.tiers)

    def _is_own(self, credential: Credential, account: str) -> bool:
        """Whether an account is that of the actor behind a credential; of nobody's, every one."""
        if not credential.actor:
            return True
        known = self._keys.known_people([account]).get(account)
        if known is None:
            return False
        owner = self.directory.owner_of(known.pseudonym, format_time(self._clock.now()))
        return owner is not None and owner.ref == credential.actor

    def ask(
        self, credential: Credential, verb: str, place: Place, around: Circumstances = _PLAIN
    ) -> Decision:
        """Ask the policy set in force, whatever is remembered."""
        from counterfoil.policy import engine  # noqa: PLC0415  heavy, and late

        request = self.request(credential, verb, place, around)
        if credential.id == ADMIN.id and not request.context.first and verb not in RUNNING:
            why = f"since a person is enrolled, admin.token is not for {verb}: sign in instead"
            return Decision(False, (why,))
        self._keep(request)
        try:
            policies = self.policies()
        except CounterfoilError as error:
            why = (
                f"the policy set in force cannot be read ({error.message}); "
                "counterfoil admin policies rollback --dir DIR puts the one before in force, "
                "with --to builtin the built-in one"
            )
            return Decision(False, (why,))
        found = engine.decide(policies, request)
        return Decision(found.allowed, found.reasons, found.policies)

    def require(
        self,
        credential: Credential,
        verb: str,
        project: str,
        source: str = "",
        refs: Sequence[str] = (),
    ) -> None:
        """Refuse what may not be.

        Raises:
            RequestError: `token_missing` for a stranger, `not_allowed` for anybody else.
        """
        decision = self.decide(credential, verb, project, source, refs)
        if not decision.allowed:
            code = "token_missing" if credential.kind == "anonymous" else "not_allowed"
            raise RequestError(code, "; ".join(decision.reasons))

    def request(
        self, credential: Credential, verb: str, place: Place, around: Circumstances = _PLAIN
    ) -> Request:
        """Return the question as the policy engine takes it."""
        moment = self._clock.now()
        now = format_time(moment)
        actor = self.directory.let_in(credential.actor) if credential.actor else None
        roles: tuple[str, ...] = ()
        teams: tuple[str, ...] = ()
        if actor is not None:
            # Whoever stands in for an author is that author, as far as they have it from them.
            held = self.directory.roles_at(
                actor.ref, now, project=place.project, tier=place.tier, component=place.component,
                not_for={*around.authors, *around.gate_changers},
            )  # fmt: skip
            roles = tuple(sorted(held))
            teams = self.directory.teams_of(actor.ref, now)
        elif not credential.actor and credential.kind in {"token", "session"}:
            # The first administrator: a token or a link made by whoever holds the files.
            roles = ("administrator",)
        principal = Principal(
            ref=credential.actor or credential.id,
            kind=actor.kind if actor is not None else "nobody",
            roles=roles,
            teams=teams,
        )
        return Request(
            principal=principal,
            verb=verb,
            object=Object(
                "ledger" if place.kind == "ledger" else kind_of(place.kind),
                place.id,
                place.project,
                place.tier,
                place.component,
            ),
            context=Context(
                credential=credential.kind,
                verified=is_fresh(credential.verified, moment),
                first=not credential.actor and not self.directory.anybody_enrolled(),
                gate_changers=around.gate_changers,
                authors=around.authors,
                confirmed=True if credential.confirmed else UNSET,
            ),
        )

    def lately(self) -> list[Request]:
        """Return the questions asked lately, the latest first; for replays."""
        kept = [restore(one) for one in self._asked_rows.all()]
        return list({one.digest: one for one in (*reversed(self.asked.values()), *kept)}.values())

    def changing_policies(self, ref: str) -> Request | None:
        """Return the question whether a person may change policies; None for who is no person."""
        actor = self.directory.actor(ref)
        if actor is None or actor.kind != "person":
            return None
        now = format_time(self._clock.now())
        credential = Credential("session:", "session", actor.handle, actor=ref, verified=now)
        return self.request(credential, "policies", place_of(LOG))

    def text_of(self, digest: str) -> str:
        """Return the text of a policy set that was put in force, or of the built-in one.

        Raises:
            RequestError: `not_found`.
            EvidenceError: `missing`: it was, and is kept nowhere.
        """
        from counterfoil.policy.policy_set import builtin  # noqa: PLC0415  heavy, and late

        if digest == "builtin":
            return builtin().text
        if digest not in {one.digest for one in self.directory.policies}:
            raise RequestError("not_found", f"no policy set {digest[:80]!a} was ever in force")
        return self._policy_text(digest)

    def flush(self) -> None:
        """Write down what was asked since the last time."""
        asked = dict(self.asked)
        fresh = {digest: one for digest, one in asked.items() if digest not in self._written}
        if fresh:
            self._asked_rows.add({digest: one.stored() for digest, one in fresh.items()})
            self._written = set(asked)

    def policies(self) -> "PolicySet":
        """Return the policy set in force.

        Raises:
            RequestError: `policy_invalid`: what is in force cannot be read; then nobody may do
                anything until `admin policies rollback --dir`.
        """
        from counterfoil.policy.policy_set import PolicySet, builtin  # noqa: PLC0415  heavy, and late

        digest = self.directory.policy
        if self._policies is None or self._policies_digest != digest:
            if digest == "builtin":
                self._policies = builtin()
            else:
                self._policies = PolicySet.parse(self._policy_text(digest))
            self._policies_digest = digest
        return self._policies

    # Changing.

    @contextlib.contextmanager
    def changing(self) -> Iterator[Directory]:
        """Hold the directory still between a check and what is recorded because of it."""
        with self._lock:
            yield self.directory

    def event(
        self,
        what: str,
        credential: Credential,
        *,
        subject: str | None,
        data: Mapping[str, JSON],
        named: Named = (),
        blobs: Sequence[Mapping[str, JSON]] = (),
    ) -> Event:
        """Return an event of `_access`, done by whoever holds `credential`.

        Args:
            what: noun and predicate, such as "role.granted".
            credential: who does it.
            subject: a ref or None; of actors by account, `actor:counterfoil:HANDLE`.
            data: members of the data that are there; None is left out.
            named: refs with roles.
            blobs: as in `data.blobs`.
        """
        content: dict[str, JSON] = {name: one for name, one in data.items() if one is not None}
        if named:
            content["refs"] = [{"ref": ref, "role": role} for ref, role in named]
        if blobs:
            content["blobs"] = [dict(one) for one in blobs]
        actor = self.directory.actor(credential.actor) if credential.actor else None
        kinds = {"person": "user", "service": "service_account", "agent": "agent"}
        return make_event(
            type=f"{OWN}{what}.0.1.0",
            source=SOURCE,
            id=self._randomness.token(12).hex(),
            time=format_time(self._clock.now()),
            authtype="system" if actor is None else kinds[actor.kind],
            authid=credential.handle if actor is None else actor.account,
            subject=subject,
            data=content,
        )

    def enact(
        self, events: Sequence[Event], credential: Credential, via: str = "api"
    ) -> list[Answer]:
        """Record changes and put them in force; in force when this returns.

        What changes nobody's rights, such as a session, is known from here on as well, and leaves
        everything that is remembered as it is.

        Whoever calls has asked whether `credential` may.  The errors of `Recorder.record`.
        """
        assert self._recorder is not None, "opened first"
        with self._lock:
            try:
                return self._recorder.record_own(LOG, events, credential, via)
            finally:
                # What was recorded before something failed is in force all the same.
                self._fold()

    def spread(self) -> None:
        """Tell whoever lets people in by himself that whom to let in has changed."""
        with self._lock:
            self.version += 1
            for tell in self.changed:
                tell()

    def forget(self, refs: Collection[str]) -> None:
        """Drop what erased people are called; what was prepared under their keys is given back."""
        with self._lock:
            for ref in refs:
                self.directory.forget(ref)
            self._remembered = {}
            self.spread()

    def account_ref(self, handle: str) -> str:
        """Return how events name the actor of a handle."""
        return f"actor:{PROVIDER}:{handle}"

    def require_actor(self, handle: str) -> Actor:
        """Return the actor of a handle.

        Raises:
            RequestError: `actor_unknown`.
        """
        found = self.directory.by_handle(handle)
        if found is None:
            raise RequestError(
                "actor_unknown", f"nobody is known by the handle {handle[:80]!a}; add them first"
            )
        return found

    def _fold(self) -> None:
        size = self._log.head(LOG).size
        start = self.directory.size
        if size == start and self.version:
            return
        rights = not self.version
        # Nothing here is in a cycle: collecting among many thousands of events finds nothing.
        with not_collected():
            for one in happened(self._log, self._keys, start, size):
                self.directory.apply(one)
                rights = rights or one.what not in PUBLIC
        self.directory.size = size
        if not rights:
            return
        self.version += 1
        # After what changed, not before: what was asked in between is forgotten with the rest.
        self._remembered = {}
        self.good_until = ""
        for tell in self.changed:
            tell()

    def _forget(self, now: str) -> None:
        """Drop what is remembered: something began or ended since; and learn when the next does."""
        with self._lock:
            self._remembered = {}
            self.good_until = min(
                (moment for moment in self.directory.moments() if moment > now), default=_NEVER
            )
            for tell in self.changed:
                tell()

    def _keep(self, request: Request) -> None:
        """Keep a question for replays under another policy set, the last `ASKED_MAX` that came up.

        The same question is kept once, at its first time; one that is answered from memory does
        not come by here.
        """
        digest = request.digest
        if digest in self.asked:
            return
        if len(self.asked) >= ASKED_MAX:
            with contextlib.suppress(StopIteration, KeyError, RuntimeError):
                del self.asked[next(iter(self.asked))]
        self.asked[digest] = request


ASKED_MAX: Final = 2_000
