"""The front door: every event of every origin becomes an entry here, or is refused here.

Who may (policy) -> who it is about (pseudonyms) -> what is committed to (codec, commitments) ->
when it was recorded (one clock, never backwards) -> the ledger.  Nothing else appends.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

import msgspec

from counterfoil.app.blobs import Blobs
from counterfoil.app.clock_check import check_clock
from counterfoil.app.erasing_gate import Gate
from counterfoil.app.posted import Answer
from counterfoil.app.prepare import (
    May,
    Opening,
    Prepared,
    accounts_of,
    open_keys,
    prepare,
    require_allowed,
    stamped,
)
from counterfoil.app.readings import Readings
from counterfoil.app.refusals import Attempt, Refusals
from counterfoil.clock import Clock, format_time
from counterfoil.errors import RequestError, UnavailableError
from counterfoil.events import codec, commitments
from counterfoil.events.entry import read_entry
from counterfoil.events.event import Event
from counterfoil.events.naming import BlobName
from counterfoil.ids import Randomness
from counterfoil.ledger.append import Appended, Ledger, Placed
from counterfoil.ledger.commit import IDEM_ERASED, erased
from counterfoil.ledger.store import BlobKey, Item, KeyStore, LogStore, Person
from counterfoil.policy.access import Credential
from counterfoil.tlog.tree import TreeHead

EVENTS_PER_APPEND = 1_000

SERVER = Credential(id="server", kind="server", handle="counterfoil")
LOCAL = Credential(id="local", kind="local", handle="local")


class Stood(msgspec.Struct, frozen=True):
    """Where prepared entries stand, and the recorded time they were given."""

    recordedtime: str
    placed: Placed


class Recorder:
    """Turns events into entries.  Safe to call from several threads."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        log: LogStore,
        keys: KeyStore,
        blobs: Blobs,
        clock: Clock,
        randomness: Randomness,
        may: May,
    ) -> None:
        self._ledger = ledger
        self._log = log
        self._keys = keys
        self._blobs = blobs
        self._clock = clock
        self._randomness = randomness
        self._may = may
        self._refusals = Refusals(clock)
        self.readings = Readings(clock, randomness, self._account_of)
        self.gate = Gate()
        self._order = threading.Lock()
        self._last_recorded: dict[str, str] = {}

    def record(
        self, project: str, events: Sequence[Event], credential: Credential, via: str
    ) -> list[Answer]:
        """Record `events` in order and wait for their receipts.

        Lists over 1,000 events are appended in parts of 1,000; each part is all or nothing.

        Raises:
            RequestError: refused; `position` names the event in `events`.
            UnavailableError: try again with the same ids; nothing is recorded twice.
            EvidenceError: the log is frozen.
        """
        answers: list[Answer] = []
        for start in range(0, len(events), EVENTS_PER_APPEND):
            part = events[start : start + EVENTS_PER_APPEND]
            try:
                answers += self.submit(project, part, credential, via).result()
            except RequestError as error:
                if isinstance(position := error.facts.get("position"), int):
                    error.facts["position"] = start + position
                error.facts["recorded"] = start
                raise
        return answers

    def submit(
        self, project: str, events: Sequence[Event], credential: Credential, via: str
    ) -> "Future[list[Answer]]":
        """Queue one all-or-nothing batch; the future yields its answers in order.

        Cost: the caller pays commitments and encryption, about 40 us an event; the writer
        thread pays tree, transaction, self-check and signature.
        """
        if project not in {log.project for log in self._log.projects()}:
            raise RequestError("project_unknown", f"this ledger has no log {project!r}")
        require_allowed(events, credential, project, self._may)
        return self._submit(project, events, credential, via)

    def record_own(
        self, project: str, events: Sequence[Event], credential: Credential, via: str = "server"
    ) -> list[Answer]:
        """Record what the ledger says in a log of its own, done under `credential`.

        Whoever calls has asked the policy.  As `record`, but for `not_allowed`.
        """
        answers: list[Answer] = []
        for start in range(0, len(events), EVENTS_PER_APPEND):
            part = events[start : start + EVENTS_PER_APPEND]
            answers += self._submit(project, part, credential, via).result()
        return answers

    def record_last(
        self, project: str, make: Callable[[TreeHead], Event], credential: Credential, via: str,
        *, failed: Callable[[], None] = lambda: None,
    ) -> int:  # fmt: skip
        """Record one event that names the log's own head; nothing else is recorded meanwhile.

        Args:
            project: whose log.
            make: given the head, returns the event; it becomes entry number `head.size`.
            credential: who does it; whoever calls has asked the policy.
            via: how it came.
            failed: called, before anybody else may record, if the event was not recorded.

        Returns:
            The entry's index.

        Raises:
            CounterfoilError: as `record`; nothing was recorded, unless the ledger stopped.

        Cost: everybody who records in this ledger waits for it, some 10 ms.
        """
        with self._order:
            try:
                event = make(self._ledger.settled(project))
                [prepared] = self._prepare(
                    project, [event], [codec.split(event)], {}, credential, via
                )
                item = prepared.stamped(self._stamp(project))
                [appended] = self._ledger.append(project, [item]).result()
            except BaseException:
                failed()
                raise
        return appended.index

    def _submit(
        self, project: str, events: Sequence[Event], credential: Credential, via: str
    ) -> "Future[list[Answer]]":
        parts = [codec.split(event) for event in events]
        named = {blob.digest for one in parts for blob in one.blobs}
        # The keys of blobs, too, are read inside: what is held outside may be erased by then.
        with self.gate.recording():
            held = self._blobs.hold(project, named)
            try:
                prepared = self._prepare(project, events, parts, held, credential, via)
                with self._order:
                    # Stamping and queueing under one lock: the log's order and its clock agree.
                    recorded = self._stamp(project)
                    stamped_items = [one.stamped(recorded) for one in prepared]
                    appended = self._ledger.append(project, stamped_items)
            except BaseException:
                self._blobs.release(named)
                raise
        # Until the log names them, only the hold keeps these blobs from being swept.
        appended.add_done_callback(lambda _done: self._blobs.release(named))
        answered: Future[list[Answer]] = Future()

        def answer(done: "Future[list[Appended]]") -> None:
            if (error := done.exception()) is not None:
                answered.set_exception(error)
                return
            try:
                answered.set_result(
                    [
                        self._answer(project, one, result)
                        for one, result in zip(prepared, done.result(), strict=True)
                    ]
                )
            except BaseException as fault:  # noqa: BLE001  the waiting caller must hear of it
                answered.set_exception(fault)

        appended.add_done_callback(answer)
        return answered

    def place(
        self, project: str, items: Sequence[Item], times_at: Sequence[int]
    ) -> "Future[Stood]":
        """Queue prepared items as one all-or-nothing batch, for a caller who builds the receipts.

        Args:
            project: whose log.
            items: of `Prepared`.
            times_at: of the same, for each item.

        Whoever prepared them has asked the policy, and they name no blobs.  The errors of
        `Ledger.append`, and `clock`, are the future's.
        """
        stood: Future[Stood] = Future()
        with self._order:
            try:
                recorded = self._stamp(project)
            except UnavailableError as error:
                stood.set_exception(error)
                return stood
            ready = [stamped(item, at, recorded) for item, at in zip(items, times_at, strict=True)]
            placing = self._ledger.place(project, ready)

        def answer(done: "Future[Placed]") -> None:
            if (error := done.exception()) is not None:
                stood.set_exception(error)
            else:
                stood.set_result(Stood(recorded, done.result()))

        placing.add_done_callback(answer)
        return stood

    def settle(self) -> None:
        """Return once all that was queued before, by anybody, is in the logs.

        Raises:
            UnavailableError: `busy`, `stopping`, `storage`: nothing was changed.
        """
        self._ledger.settle()

    def record_together(
        self, events: Sequence[tuple[str, Event]], credential: Credential
    ) -> list[int]:
        """Record events of the server's own, one a log, in one transaction: all of them or none.

        Args:
            events: the project and what is recorded in its log; they name no blobs.
            credential: under which it is done.

        Returns:
            The number of each entry.  The errors of `record_own`.
        """
        ready = []
        with self.gate.recording():
            for project, event in events:
                parts = [codec.split(event)]
                [one] = self._prepare(project, [event], parts, {}, credential, "server")
                ready.append((project, one))
            with self._order:
                appended = self._ledger.append_together(
                    [(project, [one.stamped(self._stamp(project))]) for project, one in ready]
                )
        return [future.result()[0].index for future in appended]

    def recall(self, project: str, indices: Sequence[int], credential: Credential) -> list[Answer]:
        """Answer with entries that stand, as duplicates, to who has shown what they came from.

        No openings: what they would open was not shown, only the bytes it was read from.

        Raises:
            RequestError: `not_allowed`, as if they were recorded now.
        """
        answers = []
        for index in indices:
            [written] = self._log.entries(project, index, index + 1)
            entry = read_entry(written)
            decision = self._may(credential, "record", project, entry.source)
            if not decision.allowed:
                raise RequestError("not_allowed", "; ".join(decision.reasons))
            receipt = self._ledger.receipt(project, index)
            answers.append(Answer(entry.id, index, "duplicate", receipt, {}))
        return answers

    def put_blob(
        self, content: bytes, name: str, mediatype: str, project: str = "default"
    ) -> BlobName:
        """Keep evidence bytes that are in memory, before an event names them.

        Durable on return.  The same bytes are kept once.  If no event names them within a day,
        they are removed.

        Raises:
            RequestError: `blob_quota`, `body_too_large`.
        """
        kept = self._blobs.put(project, content)
        return BlobName(digest=kept.digest, name=name, mediatype=mediatype)

    def refuse(self, project: str, attempt: Attempt, credential: Credential) -> None:
        """Count a refused request; it becomes a counted event when its minute is over."""
        self._refusals.count(project, attempt, credential)

    def record_refusals(self, *, everything: bool = False) -> None:
        """Record the counts whose minute is over; with `everything`, the running one too."""
        due: dict[str, list[Event]] = {}
        for project, event in self._refusals.due(self._account_of, everything=everything):
            due.setdefault(project, []).append(event)
        for project in due.keys() & {log.project for log in self._log.projects()}:
            self.record_own(project, due[project], SERVER)

    def record_readings(self, *, everything: bool = False) -> None:
        """Record who read personal data in the hours that are over; or in the running one too."""
        due: dict[str, list[Event]] = {}
        for project, event in self.readings.due(everything=everything):
            due.setdefault(project, []).append(event)
        for project, events in due.items():
            self.record_own(project, events, SERVER)

    def export(
        self, project: str, credential: Credential, what: str, size_bytes: int, *, people: bool
    ) -> None:
        """Record that a copy is made for somebody, before they get it."""
        event = self.readings.export(credential, what, size_bytes, people=people)
        self.record_own(project, [event], credential, "api")

    def _account_of(self, actor: str) -> str | None:
        person = self._keys.person_by_pseudonym(actor)
        return None if person is None else person.account

    def meet(
        self, project: str, keys: Sequence[tuple[str, str]], accounts: Sequence[str]
    ) -> dict[str, Person]:
        """Return the people behind accounts that events name; the unknown are made and kept.

        But not for the repeat of an event that was erased: that would keep again who was in it.

        Args:
            project: whose log.
            keys: source and id of the events, in order.
            accounts: that they name.

        Raises:
            RequestError: `erased`, with `position` and `index`.
        """
        with self.gate.recording():
            return self._meet(project, keys, accounts)

    def _meet(
        self, project: str, keys: Sequence[tuple[str, str]], accounts: Sequence[str]
    ) -> dict[str, Person]:
        """As `meet`, for whoever has passed the gate: it is not passed twice."""
        known = self._log.find_all(project, keys)
        for position, (source, event_id) in enumerate(keys):
            one = known.get((source, event_id))
            if one is not None and one.idem_digest == IDEM_ERASED:
                raise erased(source, event_id, position, one.index)
        return self._keys.people(accounts)

    def _prepare(
        self,
        project: str,
        events: Sequence[Event],
        parts: Sequence[codec.Parts],
        held: Mapping[str, BlobKey],
        credential: Credential,
        via: str,
    ) -> list[Prepared]:
        accounts = accounts_of(events, parts)
        people = self._keys.known_people(accounts)
        if len(people) < len(accounts):
            people = self._meet(project, [(one.source, one.id) for one in events], accounts)
        opened = open_keys(self._randomness, parts, held)
        self._commit_blobs(opened, held)
        return prepare(events, parts, opened, people, credential, via)

    def _commit_blobs(self, opened: Sequence[Opening], held: Mapping[str, BlobKey]) -> None:
        """Read each blob once, for every event of the batch that names it.

        Raises:
            EvidenceError: `missing`, `damaged`: a kept blob cannot be read.
        """
        for digest, key in held.items():
            wanted = [each for one in opened for each in one.blobs if each.digest == digest]
            for piece in self._blobs.opened(key):
                for each in wanted:
                    each.committing.add(piece)

    def _stamp(self, project: str) -> str:
        """Return the recorded time: the clock's, or the last one if the clock stepped back.

        Raises:
            UnavailableError: `clock`: it cannot be right.
        """
        now = self._clock.now()
        check_clock(now)
        if project not in self._last_recorded:
            last = self._ledger.last_entry(project)
            self._last_recorded[project] = read_entry(last).recordedtime if last else ""
        stamp = max(format_time(now), self._last_recorded[project])
        self._last_recorded[project] = stamp
        return stamp

    def _answer(self, project: str, one: Prepared, result: Appended) -> Answer:
        opening = one.opening
        if result.duplicate:
            opening = self._opening_of(project, result.index)
        return Answer(
            id=one.item.id,
            index=result.index,
            status="duplicate" if result.duplicate else "recorded",
            receipt=result.receipt,
            opening=opening,
        )

    def _opening_of(self, project: str, index: int) -> dict[str, bytes]:
        """Derive the openings of a stored entry: its producer has just shown the same content."""
        [kept] = self._log.kept(project, index, index + 1)
        event_key = self._keys.event_key(project, index)
        pieces = self._keys.piece_keys(project, index, index + 1)
        opening: dict[str, bytes] = {}
        owners = {sealed.name: sealed.owner for sealed in kept.sealed}
        for name in read_entry(kept.entry).commit:
            owner = owners.get(name, "event")
            if (own := pieces.get((index, name))) is not None:
                opening[name] = own.opening
                continue
            if owner.startswith("actor:"):
                person = self._keys.person_by_pseudonym(owner)
                key = person.key if person else None
            else:
                key = event_key
            if key is not None:
                opening[name] = commitments.derive_opening(key, kept.salt, name)
        return opening
