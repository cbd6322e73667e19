"""What a column of an enumeration may hold, widened when the enumeration gets a new member."""

from collections.abc import Sequence

from alembic import op


def allow(table: str, constraint: str, column: str, members: Sequence[str]) -> None:
    """Have the CHECK of this name let through these members alone."""
    allowed = f"{column} IN (" + ", ".join(f"'{member}'" for member in members) + ")"
    if op.get_bind().dialect.name == "sqlite":
        _rewrite(table, constraint, allowed)
    else:
        op.drop_constraint(constraint, table, type_="check")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {constraint} CHECK ({allowed})")


def _rewrite(table: str, constraint: str, allowed: str) -> None:
    """Widen a CHECK as SQLite's manual describes for changes that leave the stored rows as they are.

    To copy the table would drop the triggers that keep it append-only, and others refer to it.
    """
    connection = op.get_bind()
    written = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).scalar_one()
    before, name, after = written.partition(f"CONSTRAINT {constraint} CHECK (")
    _, end, rest = after.partition("))")
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.exec_driver_sql(
        "UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = ?",
        (f"{before}{name}{allowed}){rest}" if end else written, table),
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
