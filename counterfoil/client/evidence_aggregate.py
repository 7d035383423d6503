"""The aggregate log of a ledger directory: its database against its exported log.

The exported log is what strangers read, so what it says of other logs is taken from there; the
database has to hold the same, and may be ahead.

Source: docs/adr/0023.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from counterfoil.client.evidence_rows import SqliteRows, foreign_rows, projects
from counterfoil.client.evidence_sqlite import Damaged, EvidenceDatabase
from counterfoil.tlog.tile import node_from_tiles
from counterfoil.tlog.tree import TreeHead
from counterfoil.verifier.aggregate import AGGREGATE
from counterfoil.verifier.aggregate_rows import AggregateRowsCheck
from counterfoil.verifier.depth import Enter, unmetered
from counterfoil.verifier.kept import RowNames
from counterfoil.verifier.ledger import LedgerCheck
from counterfoil.verifier.log import LogReader, LogVerdict, exported_tiles
from counterfoil.verifier.report import Findings

PREFIX = f"public/{AGGREGATE}/"


def check_aggregate_rows(
    database: EvidenceDatabase, blobs: Path, export: Callable[[int], LogVerdict | None],
    exported: LogReader, findings: Findings, enter: Enter = unmetered,
) -> tuple[LogVerdict | None, Mapping[str, int]]:  # fmt: skip
    """Check `aggregate.db`, and the exported log against it.

    Args:
        database: `aggregate.db`.
        blobs: where blobs would be; the log has none.
        export: checks the exported log, given how many entries the database holds; None where
            there is nothing to check yet.
        exported: the exported log.
        findings: where findings go.
        enter: told of the stages.

    Returns:
        What `export` returned, and what was looked at in the database, name -> count.
    """
    names = RowNames("", database.name)
    try:
        found = projects(database)
        for name in found.keys() - {AGGREGATE}:
            findings.add("damaged", f"{database.name} logs row {name}", "not the aggregate log")
        foreign_rows(database, [AGGREGATE], findings)
        rows = SqliteRows(AGGREGATE, database, None, blobs, names)
        beside = AggregateRowsCheck(rows, findings, names)
        check = LedgerCheck(rows, findings, names, beside=beside, enter=enter)
        check.run()
    except Damaged:
        return export(1), {}
    counts = {"entries": check.size, "tiles": check.tiles, "idempotency_keys": beside.listed}
    verdict = export(check.size)
    signed = verdict.checkpoint if verdict is not None else None
    if verdict is None or signed is None:
        return verdict, counts
    if (origin := found.get(AGGREGATE)) != signed.origin:
        name = names.row("logs", AGGREGATE, "" if origin is None else "origin")
        message = f"the log's key is that of {signed.origin}"
        findings.add("missing" if origin is None else "damaged", name, message)
    tiles = exported_tiles(exported, signed.size, verdict.mended)
    node = node_from_tiles(tiles) if verdict.whole else None
    try:
        head = TreeHead(signed.size, signed.root)
        check.compare_export(head, node, f"{PREFIX}checkpoint", findings)
        for path in verdict.beyond:
            if not check.covers(path):
                message = f"no part of the log of {check.size} entries"
                findings.add("damaged", PREFIX + path, message)
    except Damaged:
        pass  # reported where it was read
    return verdict, counts
