"""views.db: what each start of a producer has reached, and the gaps, are tables of their own.

They are filled from how entries arrived, in the order of entries, by the code that following uses;
whoever changes that code keeps a copy of it here.
"""

from itertools import groupby

import sqlalchemy as sa
from alembic import op

from counterfoil.projections.mentions import Arrival
from counterfoil.stores.sequences import add_numbers, sequence_tables

revision = "0003"
down_revision = "0002"

_READ_AT_ONCE = 1_000


def upgrade() -> None:
    """Lead the tables of the revision before here.  Cost: about 10 us a numbered entry."""
    connection = op.get_bind()
    metadata = sa.MetaData()
    tables = sequence_tables(metadata)
    metadata.create_all(connection)
    found = connection.execution_options(yield_per=_READ_AT_ONCE).exec_driver_sql(
        "SELECT project, entry, source, via, time, recordedtime, producer, boot, seq FROM arrivals"
        " WHERE producer IS NOT NULL ORDER BY project, entry"
    )
    for project, lines in groupby(found, key=lambda line: str(line[0])):
        add_numbers(connection, tables, project, (Arrival(*line[1:]) for line in lines))
    op.drop_index("arrivals_by_seq", "arrivals")
