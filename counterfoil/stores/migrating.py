"""How the tables of views.db and state.db are led from one revision to the next.

A revision is a file of `counterfoil/stores/migrations/`, written for Alembic and numbered from
0001; the file's own is kept in it as Alembic keeps it (`alembic_version`).  A file that is made
now is made of the tables as they are now and marked with the last revision; one of an earlier
revision is led through all between, in one transaction with the mark: a crash leaves the earlier
revision whole.  Alembic takes a tenth of a second to import, so only a file that is behind does.

`ledger.db` and `erasable.db` have layouts of their own (`stores.sqlite_open`).
Source: docs/adr/0036; https://alembic.sqlalchemy.org/en/latest/ops.html.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

MIGRATIONS: Final = Path(__file__).with_name("migrations")

_VERSION: Final = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """The revisions of one database.

    Attributes:
        folder: of `counterfoil/stores/migrations/`.
        head: the last revision, four digits; all from 0001 to it are there.
    """

    folder: str
    head: str

    @property
    def known(self) -> Collection[str]:
        """Every revision; one that is not among them is of a later version."""
        return [f"{number:04}" for number in range(1, int(self.head) + 1)]

    def lead(self, connection: sa.Connection) -> None:
        """Lead the tables to the last revision, in the transaction of the caller.

        Args:
            connection: in a transaction that holds the file for writing; its revision is known,
                or it has none and is led from the beginning.
        """
        from alembic.operations import Operations  # noqa: PLC0415  dear, and rarely needed
        from alembic.runtime.migration import MigrationContext  # noqa: PLC0415  the same
        from alembic.script import ScriptDirectory  # noqa: PLC0415  the same

        folder = MIGRATIONS / self.folder
        scripts = ScriptDirectory(folder, version_locations=[folder])
        began = revision_of(connection)
        ahead = list(scripts.iterate_revisions(self.head, began or "base"))
        with Operations.context(MigrationContext.configure(connection)):
            for script in reversed(ahead):
                script.module.upgrade()
        self.mark(connection, self.head)

    def mark(self, connection: sa.Connection, revision: str) -> None:
        """Say which revision the tables have."""
        _VERSION.create(connection, checkfirst=True)
        connection.execute(_VERSION.delete())
        connection.execute(_VERSION.insert().values(version_num=revision))


def revision_of(connection: sa.Connection) -> str:
    """Return the revision a file says it has, "" if it says none."""
    if not sa.inspect(connection).has_table(_VERSION.name):
        return ""
    return str(connection.execute(sa.select(_VERSION.c.version_num)).scalar() or "")
