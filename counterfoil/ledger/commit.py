"""The group commit: requests in, one transaction, checked and signed heads out.

docs/life-of-an-event.md numbers the steps of this file and says what a crash after each of them
leaves behind.  The order is the specification:

    plan -> keys durable -> insert, tiles, head -> COMMIT -> read back -> sign -> receipts

Refusals are answered after the commit too: a conflict may be with an entry of the same batch,
which exists only once the batch does.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

import msgspec

from counterfoil.errors import CounterfoilError, EvidenceError, RequestError, UnavailableError
from counterfoil.ledger.edge import RightEdge
from counterfoil.ledger.measure import Batch
from counterfoil.ledger.receipt import build_receipt
from counterfoil.ledger.receipts import Added, Receipts
from counterfoil.ledger.selfcheck import check_committed
from counterfoil.ledger.sign import Notary, Signed
from counterfoil.ledger.store import Item, KeyStore, Known, LogStore, Row, Writing
from counterfoil.tlog.proof import Node
from counterfoil.tlog.tile import node_from_tiles
from counterfoil.tlog.tree import leaf_hash

IDEM_CONTEXT = b"counterfoil.idem.v1\0"
IDEM_ERASED = bytes(32)
"""Stands in the place of the digest of an entry that something was erased of."""


class Appended(msgspec.Struct, frozen=True):
    """What became of one item.

    Args:
        index: its entry's index, from 0.
        duplicate: whether the entry stood there before this item.
        receipt: a tlog-proof under a head that covers it; `extra` is the entry.
    """

    index: int
    duplicate: bool
    receipt: bytes


class Placed(msgspec.Struct, frozen=True):
    """What became of the items of a request whose sender builds the receipts.

    Args:
        indices: the index of each item's entry, from 0.
        duplicates: how many of the entries stood there before.
        added: all that the same commit added, side by side; one for all its requests.
    """

    indices: tuple[int, ...]
    duplicates: int
    added: Added


@dataclass(frozen=True, slots=True)
class Request:
    """One append call: items of one project, recorded all together or not at all.

    One of the futures is there: `future` is answered with receipts, `placed` with what it takes
    to build them.
    """

    project: str
    items: tuple[Item, ...]
    future: "Future[list[Appended]] | None" = None
    placed: "Future[Placed] | None" = None

    def begin(self) -> bool:
        """Say whether anybody still waits; from here on the request cannot be cancelled."""
        waiting = self.future if self.future is not None else self.placed
        return waiting is not None and waiting.set_running_or_notify_cancel()

    def fail(self, error: BaseException) -> None:
        """Answer with an error, unless an answer was given."""
        for waiting in (self.future, self.placed):
            if waiting is not None and not waiting.done():
                waiting.set_exception(error)


@dataclass(slots=True)
class LogState:
    """What the writer holds of one log between batches.  Only the writer thread changes it."""

    origin: str
    edge: RightEdge
    signed: Signed
    frozen: str = ""


class _Keyed(msgspec.Struct, frozen=True):
    """Who has taken an idempotency key in this batch."""

    index: int
    digest: bytes
    position: int


@dataclass(slots=True)
class _Plan:
    """What one batch will do to one log, from the edge `before` it to that `after` it."""

    before: RightEdge
    after: RightEdge
    rows: list[Row] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    stored: dict[tuple[str, str], Known] = field(default_factory=dict)
    keyed: dict[tuple[str, str], _Keyed] = field(default_factory=dict)
    accepted: list[tuple[Request, list[tuple[int, bool]]]] = field(default_factory=list)
    refused: list[tuple[Request, RequestError]] = field(default_factory=list)


class Committer:
    """Carries out batches; one thread calls it.

    Args:
        store: the truth.
        keys: the key store.
        notary: signs checked heads.
        logs: the state of every log, by project.

    Attributes:
        batch: what the last batch was and took.
    """

    def __init__(
        self, store: LogStore, keys: KeyStore, notary: Notary, logs: dict[str, LogState]
    ) -> None:
        self._store = store
        self._keys = keys
        self._notary = notary
        self._logs = logs
        self.batch = Batch()

    def commit(self, requests: Sequence[Request]) -> list[Signed]:
        """Record a batch and answer every request in it.

        Returns:
            The signed heads that are larger than before.

        Raises:
            Exception: whatever the transaction raised.  No request was answered then, and
                whether anything is durable is unknown: stop, and let a restart find out.
        """
        plans: dict[str, _Plan] = {}
        self.batch = Batch()
        with self._store.write() as writing:
            for project in dict.fromkeys(request.project for request in requests):
                mine = [request for request in requests if request.project == project]
                plans[project] = self._open_plan(project, mine, writing)
                for request in mine:
                    self._plan(request, plans[project])
            for project, plan in plans.items():
                if plan.rows:
                    plan.after = self._write(project, plan, writing)
            self.batch.lap("plan")
        self.batch.lap("commit")
        # Only now is anything true: entries, keys, idempotency, tiles and head, all of it.
        grown = []
        for project, plan in plans.items():
            if (signed := self._finish(project, plan)) is not None:
                grown.append(signed)
        self.batch.lap("answer")
        return grown

    def _open_plan(self, project: str, requests: Sequence[Request], writing: Writing) -> _Plan:
        edge = self._logs[project].edge
        if writing.head(project) != edge.head:
            raise UnavailableError(
                "locked",
                f"log {project} is no longer at size {edge.head.size}: another program writes",
            )
        keys = {(item.source, item.id) for request in requests for item in request.items}
        return _Plan(edge, edge, stored=writing.find_all(project, keys))

    def _plan(self, request: Request, plan: _Plan) -> None:
        """Give every item of a request its place, or refuse the request and only that."""
        fresh = _Plan(plan.before, plan.before)
        first = plan.before.head.size + len(plan.rows)
        try:
            placed = [
                self._place(request.project, position, item, first, plan, fresh)
                for position, item in enumerate(request.items)
            ]
        except RequestError as refusal:
            plan.refused.append((request, refusal))
            return
        plan.rows += fresh.rows
        plan.keyed |= fresh.keyed
        plan.accepted.append((request, placed))

    def _place(
        self,
        project: str,
        position: int,
        item: Item,
        first: int,
        plan: _Plan,
        fresh: _Plan,
    ) -> tuple[int, bool]:
        """Return an item's index and whether it is a duplicate; a fresh one is added to `fresh`."""
        key = (item.source, item.id)
        if (twin := fresh.keyed.get(key)) is not None:
            if twin.digest != item.digest:
                # No index: the twin is of the request that is refused, so it gets none.
                raise RequestError(
                    "id_conflict",
                    f"{item.source} {item.id} stands twice in this request with different "
                    f"content, at {twin.position} and {position}: give one a fresh id",
                    position=position,
                    first_position=twin.position,
                )
            return twin.index, True
        if (known := plan.keyed.get(key)) is not None:
            index, same = known.index, known.digest == item.digest
        elif (stored := plan.stored.get(key)) is not None:
            index = stored.index
            same = self._same(project, item, position, index, stored.idem_digest)
        else:
            index = first + len(fresh.rows)
            fresh.keyed[key] = _Keyed(index, item.digest, position)
            fresh.rows.append(Row(item, _idem_digest(item.event_key, item.digest)))
            return index, False
        if not same:
            raise RequestError(
                "id_conflict",
                f"{item.source} {item.id} is entry {index} with other content: "
                "send the same content, or a fresh id",
                position=position,
                index=index,
            )
        return index, True

    def _same(
        self, project: str, item: Item, position: int, index: int, idem_digest: bytes
    ) -> bool:
        """Compare under the key of the entry that stands; without it nobody can tell."""
        key = self._keys.event_key(project, index)
        if key is None or idem_digest == IDEM_ERASED:
            raise erased(item.source, item.id, position, index)
        return hmac.compare_digest(_idem_digest(key, item.digest), idem_digest)

    def _write(self, project: str, plan: _Plan, writing: Writing) -> RightEdge:
        old = plan.before.head
        # Durable before the commit: an entry whose key is lost could never be opened.  Keys of
        # a transaction that fails are orphans, and the next batch overwrites them.
        self.batch.lap("plan")
        self._keys.put_event_keys(project, old.size, [row.item.event_key for row in plan.rows])
        self.batch.lap("keys")
        plan.leaves = [leaf_hash(row.item.entry) for row in plan.rows]
        edge, tiles = plan.before.grow(plan.leaves)
        writing.insert(project, old.size, plan.rows)
        writing.put_tiles(project, tiles)
        writing.advance(project, old, edge.head)
        return edge

    def _finish(self, project: str, plan: _Plan) -> Signed | None:
        """Check, sign and answer for one log; freeze it if storage does not agree."""
        log = self._logs[project]
        signed = None
        try:
            if plan.rows:
                old_size = plan.before.head.size
                items = [row.item for row in plan.rows]
                self.batch.lap("answer")
                checked = check_committed(self._store, project, old_size, plan.after.head, items)
                self.batch.lap("check")
                self.batch.entries += len(items)
                signed = self._notary.sign(checked)
                log.edge, log.signed = plan.after, signed
            answers = self._answers(project, plan, log)
        except EvidenceError as mismatch:
            log.frozen = mismatch.message
            for request in [*(one for one, _ in plan.accepted), *(one for one, _ in plan.refused)]:
                request.fail(frozen(project, log.frozen))
            return None
        for answer in answers:
            answer()
        for request, refusal in plan.refused:
            request.fail(refusal)
        return signed

    def _answers(self, project: str, plan: _Plan, log: LogState) -> list[Callable[[], None]]:
        """Return what answers each accepted request; every receipt is built and checked here."""
        added = self._added(plan, log.signed)
        node = node_from_tiles(partial(self._store.tile, project))
        receipts: Receipts | None = None
        answers: list[Callable[[], None]] = []
        for request, places in plan.accepted:
            if request.placed is not None:
                indices = tuple(index for index, _ in places)
                placed = Placed(indices, sum(duplicate for _, duplicate in places), added)
                answers.append(partial(request.placed.set_result, placed))
                continue
            if receipts is None:
                receipts = Receipts(added)
            appended = []
            for index, duplicate in places:
                if index < added.first:
                    receipt = self._receipt(project, index, log.signed, node)
                else:
                    # Of a twin in this commit it is the entry that stands: its time is its own.
                    place = index - added.first
                    entry = plan.rows[place].item.entry
                    receipt = receipts.receipt(index, entry, added.leaves[place])
                appended.append(Appended(index, duplicate, receipt))
                self.batch.replays += duplicate
            assert request.future is not None
            answers.append(partial(request.future.set_result, appended))
        return answers

    def _added(self, plan: _Plan, signed: Signed) -> Added:
        head, before = signed.head, plan.before
        return Added(
            before.head.size, before.frontier.nodes, tuple(plan.leaves), head.size, head.root,
            signed.checkpoint,
        )  # fmt: skip

    def _receipt(self, project: str, index: int, signed: Signed, node: Node) -> bytes:
        """Return the receipt of an entry that stood there before this commit."""
        [entry] = self._store.entries(project, index, index + 1)
        return build_receipt(index, entry, signed.head, signed.checkpoint, node)


def frozen(project: str, why: str) -> CounterfoilError:
    """Return the error every append to a frozen log gets."""
    return EvidenceError("frozen", f"log {project} is frozen and signs nothing more: {why}")


def _idem_digest(event_key: bytes, digest: bytes) -> bytes:
    """Return the digest kept for an idempotency key.

    It is keyed with the entry's erasable key, so after erasing nobody can test a guess of the
    content against it.
    """
    return hmac.digest(event_key, IDEM_CONTEXT + digest, hashlib.sha256)


def erased(source: str, event_id: str, position: int, index: int) -> RequestError:
    """Return the refusal of a repeat that nobody can compare any more."""
    return RequestError(
        "erased",
        f"{source} {event_id} is entry {index}, which has been erased since",
        position=position,
        index=index,
    )
