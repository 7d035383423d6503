"""The tables of views.db, made from the catalogue of projections.

A change of them is a revision too (`counterfoil/stores/migrations/views/`), so that files made
before can be led to it; a change of what rows mean is another `FOLDS_VERSION`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from counterfoil.projections.base import Projection
from counterfoil.stores.sequences import sequence_tables

_TYPES: Mapping[str, type[sa.types.TypeEngine[Any]]] = {"text": sa.Text, "integer": sa.BigInteger}


def _noun_table(metadata: sa.MetaData, projection: Projection[Any]) -> sa.Table:
    extra = [
        sa.Column(name, _TYPES[kind], nullable=True) for name, kind in projection.columns.items()
    ]
    table = sa.Table(
        projection.noun,
        metadata,
        sa.Column("project", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("since", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        *extra,
        sa.Column("row", sa.LargeBinary, nullable=False),
    )
    # The standing rows of a project, most recent first, without sorting.
    sa.Index(f"{projection.noun}_by_first", table.c.project, table.c.until, table.c.first)
    for name in projection.indexed:
        sa.Index(
            f"{projection.noun}_by_{name}",
            table.c.project, table.c[name], table.c.until, table.c.since,
        )  # fmt: skip
    return table


class Schema:
    """The tables, made from the catalogue of projections."""

    def __init__(self, projections: Sequence[Projection[Any]]) -> None:
        self.metadata = metadata = sa.MetaData()
        self.nouns = {one.noun: _noun_table(metadata, one) for one in projections}
        self.mentions = sa.Table(
            "mentions",
            metadata,
            sa.Column("project", sa.Text, primary_key=True),
            sa.Column("ref", sa.Text, primary_key=True),
            sa.Column("entry", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column("role", sa.Text, primary_key=True),
        )
        self.links = sa.Table(
            "links",
            metadata,
            sa.Column("project", sa.Text, primary_key=True),
            sa.Column("source", sa.Text, primary_key=True),
            sa.Column("role", sa.Text, primary_key=True),
            sa.Column("target", sa.Text, primary_key=True),
            sa.Column("entry", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Index("links_by_target", "project", "target", "entry"),
        )
        self.arrivals = sa.Table(
            "arrivals",
            metadata,
            sa.Column("project", sa.Text, primary_key=True),
            sa.Column("entry", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column("source", sa.Text, nullable=False),
            sa.Column("via", sa.Text, nullable=False),
            sa.Column("time", sa.Text, nullable=False),
            sa.Column("recordedtime", sa.Text, nullable=False),
            sa.Column("producer", sa.Text),
            sa.Column("boot", sa.Text),
            sa.Column("seq", sa.BigInteger),
            sa.Column("evidence_absent", sa.BigInteger, nullable=False),
            sa.Index("arrivals_by_source", "project", "source", "entry"),
            sa.Index("arrivals_by_recordedtime", "project", "recordedtime", "entry"),
        )
        self.sequences = sequence_tables(metadata)
        self.positions = sa.Table(
            "positions",
            metadata,
            sa.Column("project", sa.Text, primary_key=True),
            sa.Column("next_index", sa.BigInteger, nullable=False),
            sa.Column("nodes", sa.LargeBinary, nullable=False),
            sa.Column("root", sa.LargeBinary, nullable=False),
        )
        self.search_marks = sa.Table(
            "search_marks",
            metadata,
            sa.Column("project", sa.Text, primary_key=True),
            sa.Column("field", sa.Text, primary_key=True),
            sa.Column("value", sa.Text, primary_key=True),
            sa.Column("chunk", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column("count", sa.BigInteger, nullable=False),
            sa.Column("data", sa.LargeBinary, nullable=False),
            sqlite_with_rowid=False,
        )
        self.search_totals = sa.Table(
            "search_totals",
            metadata,
            sa.Column("project", sa.Text, primary_key=True),
            sa.Column("field", sa.Text, primary_key=True),
            sa.Column("value", sa.Text, primary_key=True),
            sa.Column("count", sa.BigInteger, nullable=False),
            sqlite_with_rowid=False,
        )
        self.folds = sa.Table(
            "folds",
            metadata,
            sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        )
