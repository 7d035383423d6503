"""state.db: all tables it had before it carried a revision.

Files without one were made by any version before, with the tables that version had; what they have
they keep.  The links and sessions of the first versions (`sign_in_links`, `sessions`) let nobody in
any more, and go.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Lead the tables of the revision before here."""
    op.create_table(
        "asked",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("digest"),
        if_not_exists=True,
    )
    op.create_table(
        "blob_arrivals",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("stored", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("arrived", sa.Text(), nullable=False),
        sa.Column("named", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project", "digest"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_index(
        ("ix_blob_arrivals_stored"), "blob_arrivals", ["stored"], unique=False, if_not_exists=True
    )
    op.create_table(
        "browser_sessions",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("began", sa.Text(), nullable=False),
        sa.Column("using", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("created", sa.Text(), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("verified", sa.Text(), nullable=False),
        sa.Column("expires", sa.Text(), nullable=False),
        sa.Column("verified_with", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
        sa.UniqueConstraint("id"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_index(
        ("ix_browser_sessions_actor"),
        "browser_sessions",
        ["actor"],
        unique=False,
        if_not_exists=True,
    )
    op.create_table(
        "ceremonies",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("holder", sa.LargeBinary(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("created", sa.Text(), nullable=False),
        sa.Column("expires", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "cosigned",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("project", "size"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "job_proofs",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("until", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_index(
        ("ix_job_proofs_until"), "job_proofs", ["until"], unique=False, if_not_exists=True
    )
    op.create_table(
        "job_sessions",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("bound", sa.LargeBinary(), nullable=False),
        sa.Column("until", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
        sa.UniqueConstraint("id"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_index(
        ("ix_job_sessions_bound"), "job_sessions", ["bound"], unique=False, if_not_exists=True
    )
    op.create_index(
        ("ix_job_sessions_until"), "job_sessions", ["until"], unique=False, if_not_exists=True
    )
    op.create_table(
        "job_tokens",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("thumbprint", sa.Text(), nullable=False),
        sa.Column("until", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_index(
        ("ix_job_tokens_until"), "job_tokens", ["until"], unique=False, if_not_exists=True
    )
    op.create_table(
        "one_time_links",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("created", sa.Text(), nullable=False),
        sa.Column("expires", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "passkey_counters",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("counter", sa.Integer(), nullable=False),
        sa.Column("used", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "saved_searches",
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("saved", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("handle", "project", "name"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "scrub_damages",
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("classes", sa.Text(), nullable=False),
        sa.Column("objects", sa.Text(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=True),
        sa.Column("last", sa.Integer(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("found", sa.Text(), nullable=False),
        sa.Column("recorded_in", sa.Text(), nullable=False),
        sa.Column("entry", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("place"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "scrub_places",
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("next", sa.Integer(), nullable=False),
        sa.Column("began", sa.Text(), nullable=False),
        sa.Column("ended", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("log"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "tokens",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("used", sa.Text(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
        sa.UniqueConstraint("id"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "webhook_sources",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("secret_before", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    # ### end Alembic commands ###
    op.drop_table("sign_in_links", if_exists=True)
    op.drop_table("sessions", if_exists=True)
