"""views.db: the tables of folds 3, before the file carried a revision.

A file of exactly these is marked with this revision, and its rows stay; `layout` held a digest of
the tables and of the folds' number.  Any other file without a revision is made again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Lead the tables of the revision before here."""
    op.create_table(
        "approvals",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("row", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("project", "key", "since"),
    )
    op.create_index("approvals_by_first", "approvals", ["project", "until", "first"], unique=False)
    op.create_table(
        "arrivals",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("entry", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("time", sa.Text(), nullable=False),
        sa.Column("recordedtime", sa.Text(), nullable=False),
        sa.Column("producer", sa.Text(), nullable=True),
        sa.Column("boot", sa.Text(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("evidence_absent", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project", "entry"),
    )
    op.create_index(
        "arrivals_by_recordedtime", "arrivals", ["project", "recordedtime", "entry"], unique=False
    )
    op.create_index(
        "arrivals_by_seq",
        "arrivals",
        ["project", "producer", "boot", "seq", "entry"],
        unique=False,
        sqlite_where=sa.text("producer IS NOT NULL"),
        postgresql_where=sa.text("producer IS NOT NULL"),
    )
    op.create_index("arrivals_by_source", "arrivals", ["project", "source", "entry"], unique=False)
    op.create_table(
        "artifacts",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("run", sa.Text(), nullable=True),
        sa.Column("row", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("project", "key", "since"),
    )
    op.create_index("artifacts_by_first", "artifacts", ["project", "until", "first"], unique=False)
    op.create_table(
        "cases",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("run", sa.Text(), nullable=True),
        sa.Column("test", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("final", sa.BigInteger(), nullable=True),
        sa.Column("row", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("project", "key", "since"),
    )
    op.create_index("cases_by_first", "cases", ["project", "until", "first"], unique=False)
    op.create_index("cases_by_run", "cases", ["project", "run", "until", "since"], unique=False)
    op.create_table(
        "changes",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("merge_commit", sa.Text(), nullable=True),
        sa.Column("row", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("project", "key", "since"),
    )
    op.create_index("changes_by_first", "changes", ["project", "until", "first"], unique=False)
    op.create_table(
        "commits",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("branch", sa.Text(), nullable=True),
        sa.Column("row", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("project", "key", "since"),
    )
    op.create_index("commits_by_first", "commits", ["project", "until", "first"], unique=False)
    op.create_table(
        "deployments",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("row", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("project", "key", "since"),
    )
    op.create_index(
        "deployments_by_environment",
        "deployments",
        ["project", "environment", "until", "since"],
        unique=False,
    )
    op.create_index(
        "deployments_by_first", "deployments", ["project", "until", "first"], unique=False
    )
    op.create_table(
        "environments",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("production", sa.BigInteger(), nullable=True),
        sa.Column("row", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("project", "key", "since"),
    )
    op.create_index(
        "environments_by_first", "environments", ["project", "until", "first"], unique=False
    )
    op.create_table(
        "layout", sa.Column("digest", sa.Text(), nullable=False), sa.PrimaryKeyConstraint("digest")
    )
    op.create_table(
        "links",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("entry", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("project", "source", "role", "target", "entry"),
    )
    op.create_index("links_by_target", "links", ["project", "target", "entry"], unique=False)
    op.create_table(
        "mentions",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("entry", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("project", "ref", "entry", "role"),
    )
    op.create_table(
        "positions",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("next_index", sa.BigInteger(), nullable=False),
        sa.Column("nodes", sa.LargeBinary(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("project"),
    )
    op.create_table(
        "releases",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("row", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("project", "key", "since"),
    )
    op.create_index("releases_by_first", "releases", ["project", "until", "first"], unique=False)
    op.create_table(
        "runs",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("commit_ref", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("row", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("project", "key", "since"),
    )
    op.create_index(
        "runs_by_commit_ref", "runs", ["project", "commit_ref", "until", "since"], unique=False
    )
    op.create_index("runs_by_first", "runs", ["project", "until", "first"], unique=False)
    op.create_index("runs_by_name", "runs", ["project", "name", "until", "since"], unique=False)
    op.create_index("runs_by_state", "runs", ["project", "state", "until", "since"], unique=False)
    op.create_table(
        "search_marks",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("chunk", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("project", "field", "value", "chunk"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "search_totals",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project", "field", "value"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tests",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("colour", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("turned", sa.BigInteger(), nullable=True),
        sa.Column("row", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("project", "key", "since"),
    )
    op.create_index(
        "tests_by_colour", "tests", ["project", "colour", "until", "since"], unique=False
    )
    op.create_index("tests_by_first", "tests", ["project", "until", "first"], unique=False)
    # ### end Alembic commands ###
