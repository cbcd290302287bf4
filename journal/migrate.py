"""Which version of the tables a journal has, and how an older one becomes the present one.

The present version is a constant compared first, so that alembic is imported only when tables really move.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from domain.errors import JournalSchemaUnknown
from journal.engine import HeldConnection
from journal.schema import metadata

REVISIONS = ("r0001", "r0002", "r0003")
"""Every version this product has written, oldest first."""

HEAD = REVISIONS[-1]
VERSION_TABLE = "alembic_version"


def prepare(held: HeldConnection) -> None:
    """Create the tables of an empty journal, move an older one up; raise `JournalSchemaUnknown` for the rest."""
    tables = set(inspect(held.connection).get_table_names())
    if not tables:
        _in_transaction(held, _create)
        return
    if stored_revision(held, tables) != HEAD:
        _in_transaction(held, upgrade)


def demand_present(held: HeldConnection) -> None:
    """Raise `JournalSchemaUnknown` unless the journal has the present tables; for readers, who change nothing."""
    revision = stored_revision(held, set(inspect(held.connection).get_table_names()))
    if revision != HEAD:
        raise JournalSchemaUnknown(
            f"the journal {held.shown} has the older tables {revision}; open it for writing once to move them up"
        )


def stored_revision(held: HeldConnection, tables: set[str]) -> str | None:
    """The journal's version, None before the first; raises `JournalSchemaUnknown` when it is not one of ours."""
    if VERSION_TABLE not in tables:
        raise JournalSchemaUnknown(f"{held.shown} is a database, but not a journal: it has no table {VERSION_TABLE}")
    rows = held.rows(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    revision = str(rows[0][0]) if rows else None
    if revision is not None and revision not in REVISIONS:
        raise JournalSchemaUnknown(
            f"the journal {held.shown} has the tables {revision}; this version of the product knows {HEAD}"
        )
    return revision


def upgrade(connection: Connection) -> None:
    """Run every migration that is missing, inside the transaction that the caller has begun."""
    from alembic import command  # noqa: PLC0415  # 0.3 s that only a moving journal pays
    from alembic.config import Config  # noqa: PLC0415

    if not connection.in_transaction():
        connection.begin()  # tells alembic that the transaction is the caller's to end
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _create(connection: Connection) -> None:
    """The present tables at once; a test proves that the migrations lead to the same ones."""
    metadata.create_all(connection)
    connection.execute(text(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text(f"INSERT INTO {VERSION_TABLE} (version_num) VALUES (:revision)"), {"revision": HEAD})


def _in_transaction(held: HeldConnection, work: Callable[[Connection], None]) -> None:
    """All of `work` or nothing of it; a failure inside leaves the tables as they were."""
    held.raw.execute(held.begin)
    try:
        work(held.connection)
    except BaseException:
        held.raw.execute("ROLLBACK")
        raise
    held.raw.execute("COMMIT")
    held.connection.rollback()  # only SQLAlchemy's own notion of a transaction is left to end
