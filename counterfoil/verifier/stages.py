"""The stages a check of a ledger goes through, and which one a finding belongs to.

    pages -> bundles -> leaves -> tiles -> root -> signature -> cosignatures
          -> commitments -> erasures -> idempotency -> aggregate -> positions

Each rests on those before it: a tile says something once its leaves do.  A finding names the file,
row or cell that is wrong, and what kind of thing that is decides the stage.
"""

import re
from typing import Final

from counterfoil.verifier.report import Finding

STAGES: Final = (
    "pages",
    "bundles",
    "leaves",
    "tiles",
    "root",
    "signature",
    "cosignatures",
    "commitments",
    "erasures",
    "idempotency",
    "aggregate",
    "positions",
)

_DATABASE = r"(?:ledger|aggregate)\.db"
# The first that matches the name of a thing says its stage.
_BY_NAME: Final = tuple(
    (re.compile(pattern), stage)
    for pattern, stage in (
        (r"(state\.db )?cosign", "cosignatures"),
        (r"public/_aggregate/entry ", "aggregate"),
        (r"public/[^/]+/tile/entries/", "bundles"),
        (r"public/[^/]+/checkpoint|keys/", "signature"),
        (r"public/", "tiles"),
        (rf"{_DATABASE} logs", "signature"),
        (rf"{_DATABASE} entries .*column salt", "commitments"),
        (rf"{_DATABASE} entries", "leaves"),
        (rf"{_DATABASE} tiles", "tiles"),
        (rf"{_DATABASE} heads", "root"),
        (rf"{_DATABASE} idem", "idempotency"),
        (rf"{_DATABASE} (bodies|blobs)|erasable\.db [a-z_]+ row|blobs/", "commitments"),
        (r"views\.db positions", "positions"),
    )
)
_LOGS: Final = (
    re.compile(r"(?:public|keys)/([a-z0-9_][a-z0-9-]*)(?:[/.]|$)"),
    re.compile(r" of ([a-z0-9_][a-z0-9-]*)(?: column| or |$)"),
    re.compile(r"\(([a-z0-9_][a-z0-9-]*)\)$"),
    re.compile(r"(?:views\.db positions|ledger\.db logs) row ([a-z0-9_][a-z0-9-]*)$"),
)
_EVIDENCE_ROWS: Final = re.compile(rf"{_DATABASE} [a-z]+ row|erasable\.db event_keys row|blobs/")


_DERIVED: Final = tuple(
    (re.compile(pattern), source)
    for pattern, source in (
        (r"ledger\.db entries row \d+( of \S+)? column entry$", "its exported bundle"),
        (rf"{_DATABASE} (tiles|heads) row", "the entries"),
        (rf"{_DATABASE} idem row [^ ]+( of \S+)?( column [a-z ]+)?$", "the opened event"),
        (r"aggregate\.db( entries row|$)", "public/_aggregate"),
        (r"public/[^/]+/(tile/|checkpoint$)|public/[^/]+/[^/ ]+$", "the database"),
        (r"views\.db", "the logs"),
    )
)


def derived_from(finding: Finding) -> str:
    """Return what a repair would try to derive a damaged thing from, "" where there is nothing."""
    if finding.klass in {"forked", "unlogged_absence"}:
        return ""
    if finding.klass == "stale" and finding.object.startswith("state.db cosigned"):
        return "the witness, who is asked again"
    for pattern, source in _DERIVED:
        if pattern.match(finding.object):
            return source
    return ""


def stage_of(finding: Finding) -> str:
    """Return the stage a finding belongs to, one of `STAGES`."""
    if finding.klass == "forked":
        return "root"
    if finding.klass == "unlogged_absence":
        return "erasures"
    for pattern, stage in _BY_NAME:
        if pattern.match(finding.object):
            return stage
    return "pages"


def log_of(finding: Finding, only: str) -> str:
    """Return the project whose log a finding is about, "" where it concerns all or none.

    Args:
        finding: of a check.
        only: the project, where the ledger has one log and names of rows leave it out; else "".
    """
    if finding.object.startswith("aggregate.db"):
        return "_aggregate"
    for pattern in _LOGS:
        if (match := pattern.search(finding.object)) is not None:
            return match[1]
    return only if _EVIDENCE_ROWS.match(finding.object) else ""
