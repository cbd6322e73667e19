"""The migrations build exactly the tables that the code declares, on both databases."""

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, inspect

from billing_core import schema
from billing_core.database import migrate


def test_migrated_tables_are_the_declared_ones(sessions):
    with sessions.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []


def test_check_constraints_are_the_declared_ones(sessions):
    """Alembic does not compare them, and they are what the database itself says about money."""
    inspector = inspect(sessions.engine)
    declared, written = set(), set()
    for name, table in schema.metadata.tables.items():
        checks = [item for item in table.constraints if isinstance(item, CheckConstraint)]
        # Those that come with a type (an enum's values) are named by each dialect in its own way.
        declared |= {str(item.name) for item in checks if not getattr(item, "_type_bound", False)}
        written |= {str(item["name"]) for item in inspector.get_check_constraints(name)}
    assert "ck_rates_unit_price_not_negative" in declared
    assert declared <= written


def test_a_second_migration_changes_nothing(sessions):
    assert migrate.upgrade(sessions.engine) is False
    assert migrate.is_current(sessions.engine)
