"""views.db: the folds are named by their number, apart from the tables.

Tables can then be led to another form with their rows, and rows of other folds are told from them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Lead the tables of the revision before here."""
    op.create_table(
        "folds",
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("version"),
    )
    op.execute(sa.text("INSERT INTO folds (version) VALUES (3)"))
    op.drop_table("layout")
