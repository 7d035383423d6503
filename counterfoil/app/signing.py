"""What signs each log, found at the start: the log says which key is in force, files give it.

The chain is walked by looking up, for each key, the one entry in which it may have handed over
(`succession.rotated_id`), so no log is read for it.  A rotation that a crash broke off is brought
to its end here, or was never begun: its entry decides.

What must hold: nothing is signed by a key the log has not put in force, and where the right key is
not to be had, the ledger does not open and nothing is changed.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from counterfoil.app.config import Config
from counterfoil.app.key_files import KeyFolder
from counterfoil.app.key_source import read_source
from counterfoil.errors import EvidenceError
from counterfoil.events.entry import read_entry
from counterfoil.ledger.sign import Signing
from counterfoil.ledger.store import LogInfo, LogReads
from counterfoil.tlog.handover import CHAIN_MAX, Handover, Retirement, extended
from counterfoil.tlog.keys import SignerKey, VerifierKey
from counterfoil.tlog.policy import Policy
from counterfoil.verifier.succession import (
    SOURCE,
    read_handover,
    read_retirement,
    retired_id,
    rotated_id,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Chain:
    """The keys of one log, as its entries say it.

    Args:
        first: the first key it is known by here.
        handovers: from that key on, in order.
        retirements: of earlier keys.
    """

    first: VerifierKey
    handovers: tuple[Handover, ...] = ()
    retirements: tuple[Retirement, ...] = ()

    @property
    def current(self) -> VerifierKey:
        """The key in force."""
        return self.handovers[-1].later if self.handovers else self.first

    @property
    def trust(self) -> Policy:
        """Every key, each with the last size it vouches for alone."""
        start = Policy.for_vkey(self.current)
        return extended(start, self.handovers, self.retirements)

    @property
    def overlapping(self) -> VerifierKey | None:
        """The key before, while it signs as well."""
        if not self.handovers:
            return None
        before = self.handovers[-1].earlier
        return None if any(one.key == before for one in self.retirements) else before


class ChainReads(Protocol):
    """What following the keys of a log reads of it; `ledger.store.LogReads` has it."""

    def find(self, project: str, source: str, event_id: str) -> int | None:
        """Return the index of the entry recorded under an idempotency key."""
        ...

    def entries(self, project: str, start: int, end: int) -> list[bytes]:
        """Return entry bytes from `start` up to `end`."""
        ...


def read_chain(log: ChainReads, info: LogInfo, first: VerifierKey) -> Chain:
    """Follow the keys of a log from one of them on.

    Raises:
        EvidenceError: `missing`: an entry is not there.
    """
    handovers: list[Handover] = []
    retirements: list[Retirement] = []
    key = first
    while len(handovers) < CHAIN_MAX and (one := _handover(log, info, key)) is not None:
        handovers.append(one)
        key = one.later
    for one in handovers:
        retirements += _retirements(log, info, one.earlier)
    return Chain(first, tuple(handovers), tuple(retirements))


def open_signing(directory: Path, config: Config, log: LogReads) -> dict[str, Signing]:
    """Return what signs each log, and finish what a crash left of a rotation.

    Raises:
        EvidenceError: `missing` or `damaged`: a key is absent, or another one; `key_wrong`: a
            source gives keys, and none is this log's; `rolled_back`: the log is older than keys.
        UnavailableError: `key_source`; `storage`.
    """
    return {info.project: _open(directory, config, log, info) for info in log.projects()}


def follow_files(folder: KeyFolder, chain: Chain, signers: Sequence[SignerKey]) -> None:
    """Bring the key files to what the log says; every step may have been done already.

    Args:
        folder: the files.
        chain: at least one hand-over.
        signers: the key before and the one in force where they are files; none of a source.

    If we crash after any of these, the next start finds the entry and does the rest.
    """
    last = chain.handovers[-1]
    folder.put_old([(one.earlier, one.head.size) for one in chain.handovers])
    held = {one.vkey: one for one in signers}
    if last.earlier in held and chain.overlapping is not None:
        folder.put_earlier(held[last.earlier])
    if last.later in held:
        folder.put_signer(held[last.later])
    folder.put_vkey(last.later)
    folder.drop_later()


def _open(directory: Path, config: Config, log: LogReads, info: LogInfo) -> Signing:
    folder = KeyFolder(directory / config.keys.directory, info.project)
    stated = folder.vkey()
    if stated.name != info.origin:
        raise _not_its_key(folder, info)
    old = folder.old()
    chain = read_chain(log, info, old[0][0] if old else stated)
    known = {one.key for one in chain.trust.logs}
    if stated not in known:
        if old:
            raise EvidenceError(
                "rolled_back",
                f"{folder.vkey_path} is a later key than log {info.project} knows of: ledger.db is"
                " older than the keys; bring the later one",
            )
        raise _not_its_key(folder, info)
    source = config.keys.source.get(info.project)
    if source is not None:
        given = read_source(info.project, source)
        signer, beside = _pick(given, chain)
        if signer is None:
            raise EvidenceError(
                "key_wrong",
                f"the key source of log {info.project} gives {len(given)} keys, and none is"
                f" {chain.current.fingerprint()[:16]}, which is in force; nothing was changed",
            )
        if chain.handovers and (stated != chain.current or len(old) < len(chain.handovers)):
            follow_files(folder, chain, ())
    else:
        signer, beside = _from_files(folder, info, chain, stated, len(old))
    since = chain.handovers[-1].head.size if chain.handovers else 0
    return Signing(signer, chain.trust, beside, since, chain.handovers)


def _from_files(
    folder: KeyFolder, info: LogInfo, chain: Chain, stated: VerifierKey, old_count: int
) -> tuple[SignerKey, SignerKey | None]:
    held = [
        one
        for one in (folder.signer(), _lenient(folder.earlier), _lenient(folder.later))
        if one is not None
    ]
    signer, beside = _pick(held, chain)
    if signer is None:
        if not held or (chain.handovers and held[0].vkey != stated):
            raise EvidenceError(
                "missing",
                f"{folder.signer_path} is not there; restore it from your backup",
            )
        if chain.handovers:
            raise EvidenceError(
                "missing",
                f"log {info.project} was handed over to key {chain.current.fingerprint()[:16]} in"
                f" entry {chain.handovers[-1].head.size}, and that key is not in {folder.keys};"
                " restore it from your backup",
            )
        raise _not_its_key(folder, info)
    if chain.handovers:
        finished = stated == chain.current and old_count == len(chain.handovers)
        if not finished or held[0].vkey != chain.current:
            _log.warning("log %s: a rotation that broke off is brought to its end", info.project)
            follow_files(folder, chain, held)
        if chain.overlapping is None:
            folder.drop_earlier()
    elif held[0].vkey != chain.current:
        raise _not_its_key(folder, info)
    # What was made for a rotation that never came into the log signed nothing.
    folder.drop_later()
    return signer, beside


def _pick(held: Sequence[SignerKey], chain: Chain) -> tuple[SignerKey | None, SignerKey | None]:
    by_key = {one.vkey: one for one in held}
    before = chain.overlapping
    return by_key.get(chain.current), by_key.get(before) if before is not None else None


def _lenient(read: Callable[[], SignerKey | None]) -> SignerKey | None:
    """Return a key that nothing depends on; one that cannot be read is none."""
    try:
        return read()
    except EvidenceError:
        _log.warning("a key beside the one in force cannot be read; it signs nothing")
        return None


def _handover(log: ChainReads, info: LogInfo, key: VerifierKey) -> Handover | None:
    index = log.find(info.project, SOURCE, rotated_id(key))
    if index is None:
        return None
    one = read_handover(read_entry(_entry(log, info, index)), index, info.origin)
    if one.earlier != key:
        raise EvidenceError("damaged", f"log {info.project}: entry {index} is of another key")
    return one


def _retirements(log: ChainReads, info: LogInfo, key: VerifierKey) -> list[Retirement]:
    found: list[Retirement] = []
    while (index := log.find(info.project, SOURCE, retired_id(key, len(found)))) is not None:
        entry = read_entry(_entry(log, info, index))
        found.append(read_retirement(entry, index, info.origin))
    return found


def _entry(log: ChainReads, info: LogInfo, index: int) -> bytes:
    entries = log.entries(info.project, index, index + 1)
    if not entries:
        raise EvidenceError("missing", f"log {info.project}: entry {index} is missing")
    return entries[0]


def _not_its_key(folder: KeyFolder, info: LogInfo) -> EvidenceError:
    return EvidenceError(
        "damaged",
        f"{folder.signer_path} is not the key of {info.origin}; restore the key this log began with",
    )
