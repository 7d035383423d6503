"""The front door: every event of every origin becomes an entry here, or is refused here.

Who may (policy) -> who it is about (pseudonyms) -> what is committed to (codec, commitments) ->
when it was recorded (one clock, never backwards) -> the ledger.  Nothing else appends.
"""

import base64
import dataclasses
import hashlib
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future

import msgspec

from counterfoil.app.blobs import Blobs
from counterfoil.app.refusals import Refusals
from counterfoil.clock import Clock, format_time
from counterfoil.errors import RequestError
from counterfoil.events import canonical, codec, commitments, registry
from counterfoil.events.entry import Entry, read_entry, write_entry
from counterfoil.events.event import BlobName, Event
from counterfoil.ids import Randomness
from counterfoil.ledger.append import Appended, Ledger
from counterfoil.ledger.store import BlobKey, Item, KeyStore, LogStore, Person, Sealed
from counterfoil.policy.access import Credential, decide

SALT_BYTES = 16
KEY_BYTES = 32
EVENTS_PER_APPEND = 1_000

SERVER = Credential(id="server", kind="server", handle="counterfoil")
LOCAL = Credential(id="local", kind="local", handle="local")


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What the producer of one event gets back.

    Attributes:
        id: the event's id, as posted.
        index: its entry number, from 0.
        status: "recorded" or "duplicate".
        receipt: a C2SP tlog-proof whose extra line is the entry.
        opening: name -> 32 bytes that open the commitments of the entry.
    """

    id: str
    index: int
    status: str
    receipt: bytes
    opening: Mapping[str, bytes]

    def to_json(self) -> dict[str, object]:
        """Return the answer as `POST /v1/events` prints it."""
        return {
            "id": self.id,
            "index": self.index,
            "status": self.status,
            "receipt": self.receipt.decode(),
            "opening": {
                name: base64.b64encode(key).decode() for name, key in sorted(self.opening.items())
            },
        }


@dataclasses.dataclass(frozen=True, slots=True)
class _Prepared:
    """An event with its keys, commitments and sealed values: all but its recorded time."""

    event: Event
    entry: Entry
    event_key: bytes
    salt: bytes
    digest: bytes
    sealed: tuple[Sealed, ...]
    blobs: tuple[str, ...]
    opening: Mapping[str, bytes]


@dataclasses.dataclass(frozen=True, slots=True)
class _NamedBlob:
    """One blob that is kept, as one event names it."""

    name: str
    digest: str
    committing: commitments.Committing


class _Opening:
    """The fresh keys of one event, and the commitments to its blobs while they are made."""

    def __init__(
        self, randomness: Randomness, parts: codec.Parts, held: Mapping[str, BlobKey]
    ) -> None:
        self.event_key = randomness.token(KEY_BYTES)
        self.salt = randomness.token(SALT_BYTES)
        self.opening = {"body": self._derive("body")}
        self.stored = tuple(
            held[blob.digest].stored if blob.digest in held else "" for blob in parts.blobs
        )
        self.blobs: list[_NamedBlob] = []
        for position, blob in enumerate(parts.blobs):
            if blob.digest in held:
                name = f"blob/{position}"
                self.opening[name] = self._derive(name)
                making = commitments.Committing(self.opening[name])
                self.blobs.append(_NamedBlob(name, blob.digest, making))

    def commitments(self) -> dict[str, bytes]:
        """Return the commitments to the blobs by name; every byte must have been added."""
        return {each.name: each.committing.commitment() for each in self.blobs}

    def _derive(self, name: str) -> bytes:
        return commitments.derive_opening(self.event_key, self.salt, name)


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
    ) -> None:
        self._ledger = ledger
        self._log = log
        self._keys = keys
        self._blobs = blobs
        self._clock = clock
        self._randomness = randomness
        self._refusals = Refusals(clock)
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
        for position, event in enumerate(events):
            decision = decide(credential, "record", project, event.source)
            if not decision.allowed:
                reason = "; ".join(decision.reasons)
                raise RequestError("not_allowed", reason, position=position)
        parts = [codec.split(event) for event in events]
        named = {blob.digest for one in parts for blob in one.blobs}
        held = self._blobs.hold(named)
        try:
            prepared = self._prepare(events, parts, held, credential, via)
            with self._order:
                # Stamping and queueing under one lock: the log's order and its clock agree.
                recorded = self._stamp(project)
                items = [_item(position, one, recorded) for position, one in enumerate(prepared)]
                appended = self._ledger.append(project, items)
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
            decision = decide(credential, "record", project, entry.source)
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

    def refuse(self, project: str, source: str, reason: str, credential: Credential) -> None:
        """Count a refused request; it becomes a counted event when its minute is over."""
        self._refusals.count(project, source, reason, credential.id)

    def record_refusals(self, *, everything: bool = False) -> None:
        """Record the counts whose minute is over; with `everything`, the running one too."""
        due: dict[str, list[Event]] = {}
        for project, event in self._refusals.due(everything=everything):
            due.setdefault(project, []).append(event)
        for project in due.keys() & {log.project for log in self._log.projects()}:
            self.record(project, due[project], SERVER, "server")

    def _prepare(
        self,
        events: Sequence[Event],
        parts: Sequence[codec.Parts],
        held: Mapping[str, BlobKey],
        credential: Credential,
        via: str,
    ) -> list[_Prepared]:
        accounts = {event.authid for event in events}
        for one in parts:
            accounts.update(field.person for field in one.personal if field.person is not None)
        people = self._keys.people(sorted(accounts))
        opened = [_Opening(self._randomness, one, held) for one in parts]
        self._commit_blobs(opened, held)
        prepared: list[_Prepared] = []
        for position, (event, split) in enumerate(zip(events, parts, strict=True)):
            try:
                prepared.append(self._seal(event, split, opened[position], people, credential, via))
            except RequestError as error:
                error.facts.setdefault("position", position)
                raise
        return prepared

    def _commit_blobs(self, opened: Sequence["_Opening"], held: Mapping[str, BlobKey]) -> None:
        """Read each blob once, for every event of the batch that names it.

        Raises:
            EvidenceError: `missing`, `damaged`: a kept blob cannot be read.
        """
        for digest, key in held.items():
            wanted = [each for one in opened for each in one.blobs if each.digest == digest]
            for piece in self._blobs.opened(key):
                for each in wanted:
                    each.committing.add(piece)

    def _seal(
        self,
        event: Event,
        parts: codec.Parts,
        opened: "_Opening",
        people: Mapping[str, Person],
        credential: Credential,
        via: str,
    ) -> _Prepared:
        event_key, salt, opening = opened.event_key, opened.salt, dict(opened.opening)
        retention = registry.retention(event.type, via)
        if retention == "technical":
            sealed = [Sealed("body", "plain", parts.body)]
        else:
            box = commitments.seal(event_key, salt, "body", parts.body)
            sealed = [Sealed("body", "event", box)]
        for field in parts.personal:
            owner, key = "event", event_key
            if field.person is not None:
                owner, key = people[field.person].pseudonym, people[field.person].key
            opening[field.name] = commitments.derive_opening(key, salt, field.name)
            box = commitments.seal(key, salt, field.name, canonical.write(field.value))
            sealed.append(Sealed(field.name, owner, box))

        def pseudonym(account: str) -> str:
            return people[account].pseudonym

        entry = Entry(
            id=event.id,
            source=event.source,
            type=event.type,
            subject=codec.public_subject(event, pseudonym),
            time=event.time,
            recordedtime="",
            recordedby=credential.id,
            via=via,
            producer=event.producer,
            boot=event.boot,
            seq=event.seq,
            refs=codec.public_refs(event, pseudonym),
            retention=retention,
            commit=codec.commit_map(parts, opening, opened.commitments()),
        )
        digest = hashlib.sha256(canonical.write(event.to_json())).digest()
        return _Prepared(
            event, entry, event_key, salt, digest, tuple(sealed), opened.stored, opening
        )

    def _stamp(self, project: str) -> str:
        """Return the recorded time: the clock's, or the last one if the clock stepped back."""
        if project not in self._last_recorded:
            last = self._ledger.last_entry(project)
            self._last_recorded[project] = read_entry(last).recordedtime if last else ""
        stamp = max(format_time(self._clock.now()), self._last_recorded[project])
        self._last_recorded[project] = stamp
        return stamp

    def _answer(self, project: str, one: _Prepared, result: Appended) -> Answer:
        opening = one.opening
        if result.duplicate:
            opening = self._opening_of(project, result.index)
        return Answer(
            id=one.event.id,
            index=result.index,
            status="duplicate" if result.duplicate else "recorded",
            receipt=result.receipt,
            opening=opening,
        )

    def _opening_of(self, project: str, index: int) -> dict[str, bytes]:
        """Derive the openings of a stored entry: its producer has just shown the same content."""
        [kept] = self._log.kept(project, index, index + 1)
        event_key = self._keys.event_key(project, index)
        opening: dict[str, bytes] = {}
        owners = {sealed.name: sealed.owner for sealed in kept.sealed}
        for name in read_entry(kept.entry).commit:
            owner = owners.get(name, "event")
            if owner.startswith("actor:"):
                person = self._keys.person_by_pseudonym(owner)
                key = person.key if person else None
            else:
                key = event_key
            if key is not None:
                opening[name] = commitments.derive_opening(key, kept.salt, name)
        return opening


def _item(position: int, one: _Prepared, recorded: str) -> Item:
    entry = msgspec.structs.replace(one.entry, recordedtime=recorded)
    try:
        written = write_entry(entry)
    except RequestError as error:
        error.facts["position"] = position
        raise
    return Item(
        source=one.event.source,
        id=one.event.id,
        digest=one.digest,
        entry=written,
        event_key=one.event_key,
        salt=one.salt,
        sealed=one.sealed,
        blobs=one.blobs,
    )
