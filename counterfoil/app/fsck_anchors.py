"""Every head of a log that a signature stands for in a ledger directory.

Whatever is derived again has to lead to all of them: a repair must never make something that
contradicts what was signed, wherever that signature is still to be found.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from counterfoil.app.fsck_derived import Derived
from counterfoil.app.fsck_mend_log import Anchor
from counterfoil.client.evidence_files import DirectoryLog
from counterfoil.errors import EvidenceError
from counterfoil.tlog.checkpoint import Checkpoint
from counterfoil.tlog.policy import Policy
from counterfoil.verifier.aggregate import AGGREGATE
from counterfoil.verifier.log import check_log
from counterfoil.verifier.report import Findings

Named = tuple[str, Checkpoint]


def published_head(directory: Path, project: str, trust: Policy) -> Checkpoint | None:
    """Return the published checkpoint of a log, if it holds under its keys."""
    try:
        note = DirectoryLog(directory / "public" / project).checkpoint()
        return None if note is None else trust.verify_checkpoint(note)
    except EvidenceError:
        return None


def signed_heads(
    directory: Path, keys: Mapping[str, Policy], derived: Derived,
    kept: Sequence[Named],
) -> dict[str, list[Anchor]]:  # fmt: skip
    """Return the heads that stand signed, by project.

    Args:
        directory: the ledger.
        keys: of the logs, by project.
        derived: cosigned checkpoints that are kept.
        kept: checkpoints somebody kept elsewhere, with their names; their signatures hold.
    """
    found: dict[str, list[Anchor]] = {project: [] for project in keys}
    by_origin = {trust.logs[0].key.name: project for project, trust in keys.items()}
    for name, checkpoint in (
        *_published(directory, keys),
        *_cosigned(derived, keys),
        *kept,
        *_aggregated(directory, keys),
    ):
        project = by_origin.get(checkpoint.origin)
        if project is not None:
            found[project].append(Anchor(name, checkpoint.head))
    return found


def _published(directory: Path, keys: Mapping[str, Policy]) -> Iterator[Named]:
    for project, trust in keys.items():
        if (checkpoint := published_head(directory, project, trust)) is not None:
            yield f"public/{project}/checkpoint", checkpoint


def _cosigned(derived: Derived, keys: Mapping[str, Policy]) -> Iterator[Named]:
    for project, size, note in derived.cosigned:
        if project in keys:
            # One that does not hold vouches for nothing; it is named where it is checked.
            with suppress(EvidenceError):
                yield f"state.db cosigned row {size}", keys[project].verify_checkpoint(note)


def _aggregated(directory: Path, keys: Mapping[str, Policy]) -> Iterator[Named]:
    policy = Policy(tuple(log for trust in keys.values() for log in trust.logs))
    exported = DirectoryLog(directory / "public" / AGGREGATE)
    verdict = check_log(exported, policy, Findings(), lambda path: path)
    if verdict.aggregate is not None:
        for origin, growth in verdict.aggregate.growth.items():
            last = len(growth) - 1
            head = growth.head(last)
            name = f"public/{AGGREGATE}/entry {growth.index(last)}"
            yield name, Checkpoint(origin, head.size, head.root)
