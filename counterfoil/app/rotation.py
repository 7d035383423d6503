"""A log's key handed over to another one, and an earlier one retired, while the ledger serves.

The order is what a crash is measured by:

    later key durable -> entry committed, signed by both -> files follow it -> published

Before the entry stands, the later key is a file nobody uses; once it stands, the next start does
what is left (`signing`).  From the entry on every checkpoint carries both signatures until the
earlier key is retired.
"""

import contextlib
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from counterfoil.app.key_files import KeyFolder
from counterfoil.app.key_source import read_source
from counterfoil.app.signing import Chain, follow_files, read_chain
from counterfoil.clock import format_time
from counterfoil.errors import CounterfoilError, RequestError
from counterfoil.events.canonical import JSON
from counterfoil.events.entry import read_entry
from counterfoil.events.event import Event, make_event
from counterfoil.ledger.sign import Signing
from counterfoil.policy.access import Credential
from counterfoil.tlog.handover import Handover, Retirement, hand_over, retire
from counterfoil.tlog.keys import SignerKey, VerifierKey
from counterfoil.tlog.policy import Log
from counterfoil.tlog.tile import root_from_tiles
from counterfoil.tlog.tree import EMPTY_ROOT, TreeHead
from counterfoil.verifier.aggregate import AGGREGATE
from counterfoil.verifier.succession import (
    RETIRED,
    ROTATED,
    SOURCE,
    Refs,
    handover_refs,
    key_ref,
    retired_id,
    retirement_refs,
    rotated_id,
)

if TYPE_CHECKING:
    from counterfoil.app.home import Home


@dataclass(frozen=True, slots=True)
class Who:
    """Who changes a key, and how they came."""

    credential: Credential
    via: str


@dataclass(frozen=True, slots=True)
class KeyLine:
    """One key of a log as it stands.

    Attributes:
        log: the key, and the last size it vouches for alone.
        state: "in force", "overlap" (it signs as well) or "retired".
        entry: the entry in which it handed over; None while it is in force.
        compromised: whether it was said to be, or to have been, in other hands.
    """

    log: Log
    state: str
    entry: int | None
    compromised: bool


class Rotation:
    """The keys of one log of an open ledger.

    Args:
        home: the open ledger.
        project: whose log.

    Raises:
        RequestError: `project_unknown`, `key_refused`: the aggregate log, whose entries are
            checkpoints and no events.
    """

    def __init__(self, home: "Home", project: str) -> None:
        if project == AGGREGATE:
            raise RequestError(
                "key_refused",
                "the key of the aggregate log stays: its entries are checkpoints, and none can say"
                " that another key follows; see docs/how-to/keys.md",
            )
        home.require_project(project)
        self._home = home
        self._project = project
        self._info = next(one for one in home.log.projects() if one.project == project)
        self._folder = KeyFolder(home.directory / home.config.keys.directory, project)
        self._source = home.config.keys.source.get(project)

    @property
    def _signing(self) -> Signing:
        return self._home.ledger.signing(self._project)

    def chain(self) -> Chain:
        """Return the keys as the log says they follow each other."""
        old = self._folder.old()
        first = old[0][0] if old else self._folder.vkey()
        return read_chain(self._home.log, self._info, first)

    def lines(self) -> list[KeyLine]:
        """Return every key of the log, the one in force first."""
        chain = self.chain()
        entries = {one.earlier: one.head.size for one in chain.handovers}
        beside = self._signing.beside
        found = []
        ends = {log.key: entries.get(log.key, self._signing.since + 1) for log in chain.trust.logs}
        for log in sorted(chain.trust.logs, key=lambda one: ends[one.key], reverse=True):
            state = "retired"
            if log.key == chain.current:
                state = "in force"
            elif beside is not None and beside.vkey == log.key:
                state = "overlap"
            entry = entries.get(log.key)
            # What ends an overlap is said once; whatever is said after it is of other hands.
            again = sum(gone.key == log.key for gone in chain.retirements) > 1
            found.append(KeyLine(log, state, entry, again or log.until != entry))
        return found

    def rotate(self, who: Who, reason: str) -> tuple[int, VerifierKey]:
        """Hand the log over to another key.

        Returns:
            The entry that says so, and the later key.

        Raises:
            RequestError: `key_refused`: the overlap of the last change has not ended, or the
                source has no other key.
            UnavailableError: `key_source`, `storage`, `read_only`; whatever recording raises.
        """
        before = self._signing
        if self.chain().overlapping is not None:
            raise RequestError(
                "key_refused",
                f"an earlier key of log {self._project} still signs; end that first with:"
                f" counterfoil admin keys retire --project {self._project}",
            )
        later = self._later(before)
        made: list[Handover] = []

        def make(head: TreeHead) -> Event:
            one = hand_over(before.signer, later, head)
            made.append(one)
            chain = self.chain()
            chain = replace(chain, handovers=(*chain.handovers, one))
            # Whoever is committed next is signed by both: nobody else records until it stands.
            armed = Signing(later, chain.trust, before.signer, head.size, chain.handovers)
            self._home.ledger.hold(self._project, armed)
            return self._rotated(one, who, reason)

        undo = partial(self._home.ledger.hold, self._project, before)
        try:
            entry = self._home.recorder.record_last(
                self._project, make, who.credential, who.via, failed=undo
            )
        except RequestError:
            self._folder.drop_later()
            raise
        signers = () if self._source is not None else (before.signer, later)
        follow_files(self._folder, self.chain(), signers)
        with contextlib.suppress(CounterfoilError):
            self._home.ledger.export_now()
        return entry, later.vkey

    def retire(
        self, who: Who, *, compromised: bool, since: str = "", key: str = "", reason: str = ""
    ) -> tuple[int, int]:
        """End the overlap of the key before, or say that an earlier key was in other hands.

        Args:
            who: who does it.
            compromised: whether somebody else has, or may have, the key.
            since: up to where it is believed: a size, or a time (RFC 3339); "" for all it signed
                alone.
            key: the first digits of the key's fingerprint; "" for the key before.
            reason: why.

        Returns:
            The entry that says so, and the size up to which the key is believed alone.

        Raises:
            RequestError: `key_refused`: no earlier key is meant; `usage`: `since` is neither.
            UnavailableError, EvidenceError: as of recording; nothing changed then.
        """
        chain = self.chain()
        last = self._meant(chain, key)
        standing = next(log.until for log in chain.trust.logs if log.key == last.earlier)
        size = self._since(since) if since else last.head.size
        if standing is not None and size > standing:
            raise RequestError(
                "key_refused",
                f"key {last.earlier.fingerprint()[:16]} vouches for {standing} entries alone and no"
                f" more: --since {size} says nothing; name a smaller size or an earlier time",
            )
        if not compromised and (since or last.earlier != chain.overlapping):
            raise RequestError(
                "key_refused",
                "no earlier key signs this log any more; to say that one was in other hands, add"
                " --compromised --since SIZE",
            )
        # What is published must not hang on the key that goes.
        self._home.ledger.export_now()
        one = retire(last.earlier, self._signing.signer, self._head_at(size))
        number = sum(gone.key == last.earlier for gone in chain.retirements)
        events = [self._retired(one, number, who, reason, compromised=compromised)]
        if compromised and not number and size == last.head.size:
            # By its size it would be the end of an overlap and no more: so it is said after that.
            events.insert(0, self._retired(one, 0, who, reason, compromised=False))
            events[1] = self._retired(one, 1, who, reason, compromised=True)
        answers = self._home.recorder.record_own(self._project, events, who.credential, who.via)
        self._follow_retirement()
        return answers[-1].index, size

    def _follow_retirement(self) -> None:
        """If we crash before this, the next start does it: the entry says what to forget."""
        chain, signing = self.chain(), self._signing
        beside = signing.beside if chain.overlapping is not None else None
        signing = replace(signing, trust=chain.trust, beside=beside)
        self._home.ledger.hold(self._project, signing)
        if beside is None:
            self._folder.drop_earlier()

    def _later(self, before: Signing) -> SignerKey:
        if self._source is None:
            later = SignerKey.from_seed(self._info.origin, self._home.randomness.token(32))
            self._folder.put_later(later)
            return later
        known = {log.key.public for log in before.trust.logs}
        given = read_source(self._project, self._source)
        fresh = [one for one in given if one.vkey.public not in known]
        if len(fresh) != 1 or fresh[0].name != self._info.origin:
            raise RequestError(
                "key_refused",
                f"the key source of log {self._project} has to give the key in force and one more,"
                f" of the name {self._info.origin}; it gives {len(fresh)} others: make one with"
                " counterfoil admin keys make, and put it beside the one in force",
            )
        return fresh[0]

    def _meant(self, chain: Chain, key: str) -> Handover:
        found = [one for one in chain.handovers if one.earlier.fingerprint().startswith(key)]
        if not found or (key and (len(found) > 1 or len(key) < 8)):
            raise RequestError(
                "key_refused",
                f"log {self._project} has no such earlier key; counterfoil admin keys list shows"
                " them, and 16 digits of the fingerprint name one",
            )
        return found[-1]

    def _since(self, text: str) -> int:
        size = self._home.ledger.status(self._project).size
        if text.isascii() and text.isdecimal() and len(text) <= 15:
            return min(int(text), size)
        try:
            moment = datetime.fromisoformat(text)
            at = format_time(moment)
        except (ValueError, AssertionError, OverflowError) as error:
            raise RequestError(
                "usage",
                f"since {text[:40]!a} is no size and no time such as 2026-11-20T12:00:00Z",
            ) from error
        low, high = 0, size
        while low < high:
            middle = (low + high) // 2
            [entry] = self._home.log.entries(self._project, middle, middle + 1)
            if read_entry(entry).recordedtime < at:
                low = middle + 1
            else:
                high = middle
        return low

    def _head_at(self, size: int) -> TreeHead:
        tile = partial(self._home.log.tile, self._project)
        return TreeHead(size, root_from_tiles(size, tile) if size else EMPTY_ROOT)

    def _rotated(self, one: Handover, who: Who, reason: str) -> Event:
        data: dict[str, JSON] = {"key": str(one.later), "size": one.head.size}
        refs = handover_refs(one)
        return self._event(ROTATED, rotated_id(one.earlier), one.later, data, refs, who, reason)

    def _retired(
        self, one: Retirement, number: int, who: Who, reason: str, *, compromised: bool
    ) -> Event:
        data: dict[str, JSON] = {"size": one.head.size, "compromised": compromised}
        refs = retirement_refs(one)
        return self._event(RETIRED, retired_id(one.key, number), one.key, data, refs, who, reason)

    def _event(
        self, what: str, ident: str, subject: VerifierKey, data: dict[str, JSON], refs: Refs,
        who: Who, reason: str,
    ) -> Event:  # fmt: skip
        """Return an event of the log itself, under the id that the next start looks it up by."""
        actor = self._home.access.directory.actor(who.credential.actor)
        kinds = {"person": "user", "service": "service_account", "agent": "agent"}
        return make_event(
            type=what,
            source=SOURCE,
            id=ident,
            time=format_time(self._home.clock.now()),
            authtype="system" if actor is None else kinds[actor.kind],
            authid=who.credential.handle if actor is None else actor.account,
            subject=key_ref(subject),
            refs=refs,
            data={**data, **({"reason": reason} if reason else {})},
        )
