"""The group commit: requests in, one transaction, checked and signed heads out.

docs/life-of-an-event.md numbers the steps of this file and says what a crash after each of them
leaves behind.  The order is the specification:

    plan -> keys durable -> insert, tiles, head -> COMMIT -> read back -> sign -> receipts

Refusals are answered after the commit too: a conflict may be with an entry of the same batch,
which exists only once the batch does.
"""

import hashlib
import hmac
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from counterfoil.errors import CounterfoilError, EvidenceError, RequestError, UnavailableError
from counterfoil.ledger.edge import RightEdge
from counterfoil.ledger.receipt import Nodes, build_receipt
from counterfoil.ledger.selfcheck import check_committed
from counterfoil.ledger.sign import Notary, Signed
from counterfoil.ledger.store import Item, KeyStore, LogStore, Row, Writing
from counterfoil.tlog.tree import leaf_hash

IDEM_CONTEXT = b"counterfoil.idem.v1\0"


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of one item.

    Args:
        index: its entry's index, from 0.
        duplicate: whether the entry stood there before this item.
        receipt: a tlog-proof under a head that covers it; `extra` is the entry.
    """

    index: int
    duplicate: bool
    receipt: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """One append call: items of one project, recorded all together or not at all."""

    project: str
    items: tuple[Item, ...]
    future: "Future[list[Appended]]"


@dataclass(slots=True)
class LogState:
    """What the writer holds of one log between batches.  Only the writer thread changes it."""

    origin: str
    edge: RightEdge
    signed: Signed
    nodes: Nodes
    frozen: str = ""


@dataclass(frozen=True, slots=True)
class _Keyed:
    """Who has taken an idempotency key in this batch."""

    index: int
    digest: bytes
    position: int


@dataclass(slots=True)
class _Plan:
    """What one batch will do to one log."""

    edge: RightEdge
    rows: list[Row] = field(default_factory=list)
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
    """

    def __init__(
        self, store: LogStore, keys: KeyStore, notary: Notary, logs: dict[str, LogState]
    ) -> None:
        self._store = store
        self._keys = keys
        self._notary = notary
        self._logs = logs

    def commit(self, requests: Sequence[Request]) -> list[Signed]:
        """Record a batch and answer every request in it.

        Returns:
            The signed heads that are larger than before.

        Raises:
            Exception: whatever the transaction raised.  No request was answered then, and
                whether anything is durable is unknown: stop, and let a restart find out.
        """
        plans: dict[str, _Plan] = {}
        with self._store.write() as writing:
            for request in requests:
                project = request.project
                if project not in plans:
                    plans[project] = self._open_plan(project, writing)
                self._plan(request, plans[project], writing)
            for project, plan in plans.items():
                if plan.rows:
                    plan.edge = self._write(project, plan, writing)
        # Only now is anything true: entries, keys, idempotency, tiles and head, all of it.
        grown = []
        for project, plan in plans.items():
            if (signed := self._finish(project, plan)) is not None:
                grown.append(signed)
        return grown

    def _open_plan(self, project: str, writing: Writing) -> _Plan:
        edge = self._logs[project].edge
        if writing.head(project) != edge.head:
            raise UnavailableError(
                "locked",
                f"log {project} is no longer at size {edge.head.size}: another program writes",
            )
        return _Plan(edge)

    def _plan(self, request: Request, plan: _Plan, writing: Writing) -> None:
        """Give every item of a request its place, or refuse the request and only that."""
        fresh = _Plan(plan.edge)
        first = plan.edge.head.size + len(plan.rows)
        try:
            placed = [
                self._place(request.project, position, item, first, plan, fresh, writing)
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
        writing: Writing,
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
        elif (stored := writing.find(project, *key)) is not None:
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
        if key is None:
            raise RequestError(
                "erased",
                f"{item.source} {item.id} is entry {index}, which has been erased since",
                position=position,
                index=index,
            )
        return hmac.compare_digest(_idem_digest(key, item.digest), idem_digest)

    def _write(self, project: str, plan: _Plan, writing: Writing) -> RightEdge:
        old = plan.edge.head
        # Durable before the commit: an entry whose key is lost could never be opened.  Keys of
        # a transaction that fails are orphans, and the next batch overwrites them.
        self._keys.put_event_keys(project, old.size, [row.item.event_key for row in plan.rows])
        edge, tiles = plan.edge.grow([leaf_hash(row.item.entry) for row in plan.rows])
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
                old_size = log.edge.head.size
                items = [row.item for row in plan.rows]
                checked = check_committed(self._store, project, old_size, plan.edge.head, items)
                signed = self._notary.sign(checked)
                log.edge, log.signed = plan.edge, signed
            answers = [
                (request, self._appended(request, placed, log)) for request, placed in plan.accepted
            ]
        except EvidenceError as mismatch:
            log.frozen = mismatch.message
            for request in [*(one for one, _ in plan.accepted), *(one for one, _ in plan.refused)]:
                request.future.set_exception(frozen(project, log.frozen))
            return None
        log.nodes.trim()
        for request, answer in answers:
            request.future.set_result(answer)
        for request, refusal in plan.refused:
            request.future.set_exception(refusal)
        return signed

    def _appended(
        self, request: Request, placed: Sequence[tuple[int, bool]], log: LogState
    ) -> list[Appended]:
        head, checkpoint = log.signed.head, log.signed.checkpoint
        answer = []
        for item, (index, duplicate) in zip(request.items, placed, strict=True):
            entry = item.entry
            if duplicate:
                # The entry that stands, not the one sent: its recorded time is its own.
                [entry] = self._store.entries(request.project, index, index + 1)
            receipt = build_receipt(index, entry, head, checkpoint, log.nodes)
            answer.append(Appended(index, duplicate, receipt))
        return answer


def frozen(project: str, why: str) -> CounterfoilError:
    """Return the error every append to a frozen log gets."""
    return EvidenceError("frozen", f"log {project} is frozen and signs nothing more: {why}")


def _idem_digest(event_key: bytes, digest: bytes) -> bytes:
    """Return the digest kept for an idempotency key.

    It is keyed with the entry's erasable key, so after erasing nobody can test a guess of the
    content against it.
    """
    return hmac.digest(event_key, IDEM_CONTEXT + digest, hashlib.sha256)
