"""state.db: how far each log was backed up and verified, and when."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Lead the tables of the revision before here."""
    op.create_table(
        "milestones",
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("what", "project"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
