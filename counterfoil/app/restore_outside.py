"""What a backup is held against before a ledger goes on from it: whatever somebody outside saw.

A backup is whole at any age, and a ledger that goes on from one that is too old signs a second
history.  Nothing inside can tell.  So every piece of evidence that can be had is compared, one by
one, and what there was none of is said as plainly as what agreed.

Source: docs/adr/0034; docs/trust.md, "Restore last week's directory".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from counterfoil.app.config import WitnessConfig
from counterfoil.client.evidence_against import hold_against
from counterfoil.errors import EvidenceError, RequestError, UnavailableError
from counterfoil.tlog.policy import Policy
from counterfoil.verifier.anchor import Held
from counterfoil.verifier.report import Findings

WHAT_TO_DO = (
    "look for a later backup; if there is none, leave this log as it is and go on in a fresh one:"
    " counterfoil init OTHER"
)


@dataclass(slots=True)
class Compared:
    """What was compared, and what there was none of; one line each."""

    agreed: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Outside:
    """What may be asked.

    Args:
        public: `public/` of the ledger that was lost, where it still stands.
        against: what somebody kept: files, folders, addresses.
        witnesses: of the settings.
        need_witnesses: whether one that does not answer stops it; all of them are asked.
    """

    public: Path | None
    against: Sequence[str]
    witnesses: Sequence[WitnessConfig]
    need_witnesses: bool = True


def compare_outside(outside: Outside, policy: Policy, held: Mapping[str, Held | None]) -> Compared:
    """Hold the logs of a backup against all that can be had from outside.

    Args:
        outside: what may be asked.
        policy: whose signatures count: the keys of these logs.
        held: the logs of the backup, by origin.

    Raises:
        EvidenceError: `rolled_back`: somebody saw more than the backup holds; `forked`: another
            history; `damaged`: the evidence does not hold by itself.
        RequestError: `usage`: what was named is no evidence, or of another ledger.
        UnavailableError: `unreachable`, `storage`: it cannot be had just now.
    """
    found = Compared()
    published = sorted(outside.public.glob("*/checkpoint")) if outside.public is not None else []
    for note in published:
        _compare(f"public/{note.parent.name}", str(note.parent), policy, held, found)
    if not published:
        found.absent.append("public/ of the ledger that was lost: there was none")
    for one in outside.against:
        _compare(one, one, policy, held, found)
    if not outside.against:
        found.absent.append("receipts, checkpoints and copies kept elsewhere: none was named")
    if not outside.witnesses:
        found.absent.append("witnesses: the settings name none")
    for witness in outside.witnesses:
        name = f"witness {witness.name}"
        try:
            _compare(name, witness.url, policy, held, found)
        except RequestError as error:
            # It says what it saw only if it serves that; another's witness need not.
            found.absent.append(f"{name}: {error.message}")
        except UnavailableError as error:
            if not outside.need_witnesses:
                found.absent.append(f"{name}: did not answer, and was passed over")
                continue
            raise UnavailableError(
                error.code,
                f"{name} cannot be asked how far it saw the log: {error.message}; try again, or"
                " go on with --without-witnesses",
            ) from error
    return found


def _compare(
    name: str, evidence: str, policy: Policy, held: Mapping[str, Held | None], found: Compared
) -> None:
    findings = Findings()
    notes = hold_against([evidence], policy, held, findings)
    for one in findings:
        code = {"missing": "rolled_back"}.get(one.klass, one.klass)
        if code == "rolled_back":
            raise EvidenceError(
                code, f"the backup is older than what {name} has seen: {one.line()}; {WHAT_TO_DO}"
            )
        if code == "forked":
            raise EvidenceError(
                code,
                f"the backup is of another history than {name}: {one.line()}; keep both, and ask"
                " who could sign",
            )
        raise EvidenceError("damaged", f"{name} cannot be compared with: {one.line()}")
    found.agreed.append(f"{name}: agrees")
    found.agreed.extend(f"{name}: {note}" for note in notes)
