"""One row of odd values in every table survives the way through both kinds of database."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import JSON, BigInteger, Boolean, Date, Enum, Integer, LargeBinary, Time, text

from billing_core import schema
from billing_core.database import Sessions, connect, copying
from billing_core.database.types import Scaled, UtcDateTime
from tests.database.raw_rows import raw_rows
from tests.postgres import address_of, administer

TABLES = schema.metadata.sorted_tables
TEXT = "'); drop “é” 😀 \\n\n\t%s :name \\ \u202e"
# More digits than a float has, in an order and with spaces that nobody would write again.
PRECISE = '{"b":  0.12345678901234567890123, "a": 1.10, "n": 123456789012345678901234567890, "t": "\\u0000"}'
CHECKS = text(
    "SELECT conrelid::regclass, conname FROM pg_constraint"
    " WHERE contype = 'c' AND conrelid <> 0 AND connamespace = 'public'::regnamespace"
)


def odd_value(column, number):
    """Something that is easily changed on its way; ``number`` tells the rows of a table apart."""
    match column.type:
        case JSON():
            return PRECISE
        case Enum():
            return column.type.enums[number % len(column.type.enums)]
        case Scaled():
            return 1_234_567_890_123_456 + number
        case BigInteger():
            return 2**53 + number
        case Integer():
            return number
        case Boolean():
            return False
        case UtcDateTime():
            return f"2026-03-29 01:30:00.{number:06}"
        case Date():
            return f"0001-01-0{number}"
        case Time():
            return f"0{number}:59:59.000000"
        case LargeBinary():
            return b"\x00\xff'\\x\n" + bytes([number])
    return f"{number}{TEXT}"[: column.type.length]


def odd_rows(one):
    """Two rows: each belongs to the row of its own number elsewhere, and to the other one in its own table."""
    for number in (1, 2):
        row = {column.name: odd_value(column, number) for column in one.columns if column.computed is None}
        for key in one.foreign_keys:
            row[key.parent.name] = 3 - number if key.column.table is one else number
        if one.autoincrement_column is not None:
            row[one.autoincrement_column.name] = number
        yield row


@pytest.fixture
def odd_file(sqlite_url) -> Path:
    """A database whose first row of a table names the second one, and the other way round."""
    engine = connect(sqlite_url)
    with engine.connect() as connection:
        # Ours is to carry the values, whatever they mean.
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        for filled in ("businesses", "meters"):
            connection.exec_driver_sql(f"DELETE FROM {filled}")
        for one in TABLES:
            names = [column.name for column in one.columns if column.computed is None]
            places = ", ".join(f":{name}" for name in names)
            quoted = ", ".join(map(connection.dialect.identifier_preparer.quote, names))
            connection.execute(text(f"INSERT INTO {one.name} ({quoted}) VALUES ({places})"), list(odd_rows(one)))
        connection.commit()
    engine.dispose()
    return Path(sqlite_url.removeprefix("sqlite:///"))


@pytest.fixture
def unchecked(postgres_url, postgres_template):
    """A migrated PostgreSQL that takes odd values too."""
    administer(postgres_url, f'CREATE DATABASE "unchecked" TEMPLATE {postgres_template} STRATEGY FILE_COPY')
    sessions = Sessions(connect(address_of(postgres_url, "unchecked")))
    with sessions.engine.begin() as connection:
        for one, name in connection.execute(CHECKS):
            connection.execute(text(f"ALTER TABLE {one} DROP CONSTRAINT {name}"))
    yield sessions
    sessions.engine.dispose()
    administer(postgres_url, 'DROP DATABASE "unchecked" WITH (FORCE)')


def test_every_value_of_every_table_goes_to_postgresql_and_back(odd_file, unchecked, sqlite_template, tmp_path):
    original = connect(f"sqlite:///{odd_file}")
    back = tmp_path / "back.sqlite3"
    shutil.copyfile(sqlite_template, back)
    returned = connect(f"sqlite:///{back}")
    with returned.connect() as connection:
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
    expected = {name: 2 for name in schema.metadata.tables if name not in copying.LEFT_OUT}

    for source, target in ((original, unchecked.engine), (unchecked.engine, returned)):
        with copying.reading(source, schema.metadata) as read, copying.writing(target, schema.metadata) as written:
            assert copying.copy(read, written, schema.metadata) == expected

    there, here = raw_rows(odd_file), raw_rows(back)
    left_out = ("failed_schedules", "processes", "sign_in_attempts", "user_sessions")
    assert {name: len(there[name]) for name in copying.LEFT_OUT} == dict.fromkeys(left_out, 2)
    assert there | {name: [] for name in left_out} == here
