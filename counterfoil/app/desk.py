"""A worker's half of recording: bytes to prepared entries, and placed entries to answers.

It holds no signing key and writes no file: `erasable.db` is read for the people an event names,
and the process that writes is asked for everything else.  What is not plain (blobs, refusals) it
does not judge: `take` says None, and the writer's own process does the request from its first
byte.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from counterfoil.app.posted import Answer
from counterfoil.app.prepare import (
    Prepared,
    accounts_of,
    open_keys,
    prepare,
    require_allowed,
    stamp_entry,
)
from counterfoil.app.wire import Placed
from counterfoil.errors import CounterfoilError
from counterfoil.events import codec
from counterfoil.events.event import parse_posting
from counterfoil.ids import Randomness
from counterfoil.ledger.receipts import Receipts
from counterfoil.policy.access import Credential, Decision, ceiling
from counterfoil.policy.places import verb_of
from counterfoil.stores.erasable import ErasableStore
from counterfoil.tlog.tree import leaf_hash


@dataclasses.dataclass(frozen=True, slots=True)
class Strangers:
    """Accounts that have no pseudonym yet, and source and id of the events that name them."""

    accounts: list[str]
    keys: list[tuple[str, str]]


class Desk:
    """Prepares and answers for one ledger directory.  One thread uses it.

    Args:
        directory: of the ledger, whose lock another process holds.
        randomness: where the keys of events come from.

    Raises:
        CounterfoilError: `erasable.db` cannot be read.
    """

    def __init__(self, directory: Path, randomness: Randomness) -> None:
        self._keys = ErasableStore(directory / "erasable.db", randomness, write=False)
        self._randomness = randomness

    def take(
        self, project: str, body: bytes, content_type: str, credential: Credential
    ) -> list[Prepared] | Strangers | None:
        """Return the events of a request, ready for the ledger.

        Strangers have to be met first; None: the events are not plain.
        """
        try:
            events = parse_posting(body, content_type)
            if any(verb_of(event.type) != "record" for event in events):
                return None
            require_allowed(events, credential, project, _may)
            parts = [codec.split(event) for event in events]
            if any(one.blobs for one in parts):
                return None
            # Read each time: what is not kept here cannot outlive its erasure.
            accounts = accounts_of(events, parts)
            people = self._keys.known_people(accounts)
            if len(people) < len(accounts):
                unknown = [account for account in accounts if account not in people]
                return Strangers(unknown, [(event.source, event.id) for event in events])
            opened = open_keys(self._randomness, parts, {})
            return prepare(events, parts, opened, people, credential, "api")
        except CounterfoilError:
            return None

    def close(self) -> None:
        """Let go of the file."""
        self._keys.close()


def _may(
    credential: Credential, verb: str, project: str, source: str = "",
    refs: Sequence[str] = (), claimed: str = "",
) -> Decision:  # fmt: skip
    """Say whether a credential can be good for it; that its actor may was found out before."""
    del refs, claimed
    return ceiling(credential, verb, project, source)


def answers_to(
    placed: Placed, sent: Mapping[int, Sequence[Prepared]]
) -> Iterator[tuple[int, list[Answer]]]:
    """Yield the answers to requests whose entries stand in the log, by the requests' numbers.

    Args:
        placed: where they stand, and what receipts are built from.
        sent: what was sent to be placed, by number.

    Raises:
        EvidenceError: `proof`: what the writer says does not lead to its signed root.
    """
    receipts = Receipts(placed.added)
    for standing in placed.requests:
        stamp = standing.recordedtime.encode()
        answers = []
        for index, one in enumerate(sent[standing.number], standing.first):
            entry = stamp_entry(one.item.entry, one.time_at, stamp)
            receipt = receipts.receipt(index, entry, leaf_hash(entry))
            answers.append(Answer(one.item.id, index, "recorded", receipt, one.opening))
        yield standing.number, answers
