"""The clients of a history: they send, repeat, contradict, and keep what they are answered.

A client that heard nothing sends again, with the same source and id, as real ones do: the server
seals the event afresh, so the entry differs while its content is the same.
"""

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from counterfoil.clock import Clock, format_time
from counterfoil.errors import CounterfoilError, RequestError
from counterfoil.ledger.store import Item, Sealed
from counterfoil.testing.evidence import Key, LogEvidence, Violation
from counterfoil.testing.process import PROJECTS, Answer, Process

SOURCE = "urn:simulated"


@dataclass(frozen=True)
class Sending:
    """One request on its way.

    Args:
        project: to which log.
        items: its events.
        places: whether the sender builds the receipts himself.
    """

    project: str
    items: tuple[Item, ...]
    places: bool


class Clients:
    """Everybody who sends.

    Args:
        plan: decides what they send.
        clock: of the machine, which stamps entries.
        evidence: what they keep, by project.
    """

    def __init__(self, plan: random.Random, clock: Clock, evidence: dict[str, LogEvidence]) -> None:
        self.acknowledged = 0
        self._plan = plan
        self._clock = clock
        self._evidence = evidence
        self._unheard: list[tuple[str, str]] = []
        self._named = 0

    def send(self, process: Process, excused: Callable[[CounterfoilError], None]) -> None:
        """Send a few requests at once and keep the answers.

        Args:
            process: the server.
            excused: raises Violation for an error that nothing explains.
        """
        count = self._plan.choice((1, 1, 1, 2, 3))
        self._exchange(process, [self._compose() for _ in range(count)], excused)

    def repeat_everything(
        self, process: Process, excused: Callable[[CounterfoilError], None], last: int
    ) -> None:
        """Send again the last events that were acknowledged, and all that were not."""
        sendings = []
        for project, evidence in self._evidence.items():
            names = [name for _, name in list(evidence.answered)[-last:]]
            names += [name for of, name in self._unheard if of == project]
            # A name that was sent with two contents has one of them now: which, is asked singly.
            for name in dict.fromkeys(names):
                items = (self._item(project, name, self._content(project, name)),)
                sendings.append(Sending(project, items, places=False))
        self._unheard.clear()
        self._exchange(process, sendings, excused)

    def overwrite(self, process: Process, project: str) -> None:
        """Send as much as was lost; nobody keeps the answers, for they contradict what is kept."""
        count = 1 + max(self._evidence[project].roots) - process.ledger.status(project).size
        items = []
        for _ in range(count):
            self._named += 1
            items.append(self._item(project, f"event-{self._named}", "content"))
        process.append([(project, items, False)], lambda _number, _answers: None)

    def _compose(self) -> Sending:
        plan = self._plan
        project = plan.choice((PROJECTS[0], *PROJECTS))
        known = list(self._evidence[project].answered)
        items: list[Item] = []
        for _ in range(plan.choice((1, 1, 2, 3, 6))):
            manner = plan.random()
            if manner < 0.12 and known:
                name = plan.choice(known[-40:])[1]
                items.append(self._item(project, name, self._content(project, name)))
            elif manner < 0.16 and known:
                name = plan.choice(known[-40:])[1]
                items.append(self._item(project, name, "another content"))
            elif manner < 0.30 and self._unheard:
                project, name = plan.choice(self._unheard)
                items = [self._item(project, name, "content")]
                break
            else:
                self._named += 1
                items.append(self._item(project, f"event-{self._named}", "content"))
        return Sending(project, tuple(items), plan.random() < 0.25)

    def _exchange(
        self,
        process: Process,
        sendings: Sequence[Sending],
        excused: Callable[[CounterfoilError], None],
    ) -> None:
        for sending in sendings:
            self._evidence[sending.project].send(sending.items)
            self._unheard += [(sending.project, item.id) for item in sending.items]

        def hear(number: int, answers: "list[Answer] | CounterfoilError") -> None:
            sending = sendings[number]
            if isinstance(answers, list):
                self._keep(sending, answers)
            elif isinstance(answers, RequestError):
                self._refused(sending, answers)
            else:
                excused(answers)

        process.append([(one.project, one.items, one.places) for one in sendings], hear)

    def _keep(self, sending: Sending, answers: Sequence[Answer]) -> None:
        evidence = self._evidence[sending.project]
        for item, answer in zip(sending.items, answers, strict=True):
            evidence.hear(item, answer)
            self._heard(sending.project, item.id)
        self.acknowledged += len(answers)

    def _refused(self, sending: Sending, error: RequestError) -> None:
        """Hold a refusal against what was sent: a conflict needs two contents under one key."""
        evidence = self._evidence[sending.project]
        if error.code != "id_conflict" or not evidence.conflicts(sending.items):
            raise Violation(f"false alarm: {sending.project}: {error.code}: {error}")
        index, position = error.facts.get("index"), error.facts["position"]
        assert isinstance(position, int)
        item = sending.items[position]
        standing = evidence.answered.get((item.source, item.id))
        if standing is not None and index not in {None, standing[0]}:
            raise Violation(f"idempotency: {sending.project} {item.id} conflicts with {index}")
        for one in sending.items:
            self._heard(sending.project, one.id)

    def _heard(self, project: str, name: str) -> None:
        if (project, name) in self._unheard:
            self._unheard.remove((project, name))

    def _content(self, project: str, name: str) -> str:
        """Return the content under which a name was acknowledged."""
        standing = self._evidence[project].answered.get(_key(name))
        if standing is not None and standing[1] == digest_of(name, "another content"):
            return "another content"
        return "content"

    def _item(self, project: str, name: str, content: str) -> Item:
        return make_item(self._plan, project, name, content, format_time(self._clock.now()))


def make_item(
    randomness: random.Random, project: str, name: str, content: str, moment: str
) -> Item:
    """Return an event as a server prepares it: its content decides the digest, the rest is fresh."""
    salt = randomness.randbytes(16)
    entry = f'{{"id":"{name}","log":"{project}","salt":"{salt.hex()}","time":"{moment}"}}'
    stored = f"sha256:{hashlib.sha256(salt).hexdigest()}"
    return Item(
        source=SOURCE,
        id=name,
        digest=digest_of(name, content),
        entry=entry.encode(),
        event_key=randomness.randbytes(32),
        salt=salt,
        sealed=(Sealed("body", "event", content.encode() * 4),),
        blobs=(stored,) if salt[0] < 32 else (),
    )


def digest_of(name: str, content: str) -> bytes:
    """Return the digest of an event as it was posted."""
    return hashlib.sha256(f"{name}\0{content}".encode()).digest()


def _key(name: str) -> Key:
    return SOURCE, name
