"""``make migration`` on a copy of the migrations, for tables that have got further columns."""

import runpy
import shutil
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Column, MetaData, String, inspect

from billing_core import schema
from billing_core.database import connect, for_changes, migrate
from billing_core.database.types import Quantity, UtcDateTime

PROGRAM = Path(__file__).parents[2] / ".ci" / "new_migration.py"
write = runpy.run_path(str(PROGRAM))["write"]


@pytest.fixture
def config(tmp_path):
    """Alembic's configuration for a copy of the migrations."""
    config = migrate.configuration()
    copy = tmp_path / "migrations"
    shutil.copytree(str(config.get_main_option("script_location")), copy, ignore=shutil.ignore_patterns("__pycache__"))
    config.set_main_option("script_location", str(copy))
    return config


@pytest.fixture
def declared():
    """The tables as declared, to be added to."""
    copy = MetaData(naming_convention=schema.metadata.naming_convention)
    for table in schema.metadata.tables.values():
        table.to_metadata(copy)
    return copy


def test_it_names_columns_by_what_is_stored_and_goes_both_ways(config, declared, sqlite_url):
    invoices = declared.tables["invoices"]
    invoices.append_column(Column("department", String(80), nullable=False, server_default=""))
    invoices.append_column(Column("looked_at", UtcDateTime()))
    invoices.append_column(Column("weight", Quantity))

    file = write("Invoices name a department.", config, declared)

    newest = int(migrate.head())
    assert file.name == f"{newest + 1:04}_invoices_name_a_department.py"
    source = file.read_text()
    assert source.startswith('"""Invoices name a department."""\n')
    assert f'revision = "{newest + 1:04}"\ndown_revision = "{newest:04}"\n' in source
    assert 'sa.Column("department", sa.String(length=80), server_default="", nullable=False)' in source
    assert 'sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True)' in source
    assert 'sa.Column("weight", sa.BigInteger(), nullable=True)' in source
    engine = connect(sqlite_url)
    assert columns_after(engine, config, command.upgrade, "head") >= {"department", "looked_at", "weight"}
    assert columns_after(engine, config, command.downgrade, "-1") == {
        column.name for column in schema.metadata.tables["invoices"].columns
    }
    engine.dispose()


def columns_after(engine, config, change, revision) -> set[str]:
    with for_changes(engine).begin() as connection:
        config.attributes["connection"] = connection
        change(config, revision)
    return {column["name"] for column in inspect(engine).get_columns("invoices")}


def test_what_changes_no_table_gets_an_empty_one(config):
    file = write("Names are trimmed", config, schema.metadata)

    assert Path(file).read_text().count("    pass\n") == 2
