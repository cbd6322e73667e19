"""What a column of an enumeration may hold, changed when the enumeration's members change."""

from collections.abc import Sequence

from alembic import op
from sqlalchemy import Connection


def allow(table: str, constraint: str, column: str, members: Sequence[str]) -> None:
    """Have the CHECK of this name let through these members alone. LookupError where the table has none."""
    allowed = f"{column} IN (" + ", ".join(f"'{member}'" for member in members) + ")"
    if op.get_bind().dialect.name == "sqlite":
        _rewrite(op.get_bind(), table, constraint, allowed)
    else:
        op.drop_constraint(constraint, table, type_="check")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {constraint} CHECK ({allowed})")


def _rewrite(connection: Connection, table: str, constraint: str, allowed: str) -> None:
    """Change a CHECK as SQLite's manual describes for changes that leave the stored rows as they are. To copy the table
    would drop the triggers that keep it append-only, and others refer to it.
    """
    of_table = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?"
    declaration = connection.exec_driver_sql(of_table, (table,)).scalar()
    if declaration is None:
        raise LookupError(f"there is no table {table} whose check {constraint} could be changed")
    before, name, after = declaration.partition(f"CONSTRAINT {constraint} CHECK (")
    _, end, rest = after.partition("))")
    if not end:
        raise LookupError(f"the table {table} has no check {constraint} that lists what it allows: {declaration}")
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.exec_driver_sql(
        "UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = ?",
        (f"{before}{name}{allowed}){rest}", table),
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
