"""state.db: where the entries about rules, holds and what expired stand in each log."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Lead the tables of the revision before here."""
    op.create_table(
        "keeping_seen",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "keeping_found",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("entry", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project", "entry"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
