"""What a column may hold, changed without copying its table: the members of an enumeration, or nothing at all."""

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


def replace(table: str, constraint: str, former: str, now: str) -> None:
    """Have the CHECK of this name hold another condition. LookupError where the table does not have the former one."""
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        op.drop_constraint(constraint, table, type_="check")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {constraint} CHECK ({now})")
        return
    declaration = _declaration(connection, table)
    check = f"CONSTRAINT {constraint} CHECK ({former})"
    if check not in declaration:
        raise LookupError(f"the table {table} has no {check}: {declaration}")
    _declare(connection, table, declaration.replace(check, f"CONSTRAINT {constraint} CHECK ({now})", 1))


def allow_null(table: str, column: str) -> None:
    """Have this column, declared as an INTEGER, let through that it is empty."""
    _be_null(table, column, before=" NOT NULL", after="")


def refuse_null(table: str, column: str) -> None:
    """``allow_null`` taken back, once no row is empty there."""
    _be_null(table, column, before="", after=" NOT NULL")


def _be_null(table: str, column: str, *, before: str, after: str) -> None:
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} {'SET' if after else 'DROP'} NOT NULL")
        return
    declaration = _declaration(connection, table)
    former = f"{column} INTEGER{before},"
    if former not in declaration:
        raise LookupError(f"the table {table} does not declare {former} {declaration}")
    _declare(connection, table, declaration.replace(former, f"{column} INTEGER{after},", 1))


def _rewrite(connection: Connection, table: str, constraint: str, allowed: str) -> None:
    declaration = _declaration(connection, table)
    before, name, after = declaration.partition(f"CONSTRAINT {constraint} CHECK (")
    _, end, rest = after.partition("))")
    if not end:
        raise LookupError(f"the table {table} has no check {constraint} that lists what it allows: {declaration}")
    _declare(connection, table, f"{before}{name}{allowed}){rest}")


def _declaration(connection: Connection, table: str) -> str:
    of_table = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?"
    declaration: str | None = connection.exec_driver_sql(of_table, (table,)).scalar()
    if declaration is None:
        raise LookupError(f"there is no table {table} whose declaration could be changed")
    return declaration


def _declare(connection: Connection, table: str, declaration: str) -> None:
    """Change a declaration as SQLite's manual describes for changes that leave the stored rows as they are. To copy the
    table would drop the triggers that keep it append-only, and others refer to it.
    """
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.exec_driver_sql(
        "UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = ?",
        (declaration, table),
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
