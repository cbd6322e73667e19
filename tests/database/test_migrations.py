"""The migrations build exactly the tables that the code declares, on both databases."""

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, inspect, select, text

from billing_core import schema
from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
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


def test_a_database_of_the_first_release_keeps_its_data(empty_database):
    """What was there before invoices came gets the terms, formats and language that everybody starts with."""
    with empty_database.engine.execution_options(begin="IMMEDIATE").begin() as connection:
        command.upgrade(migrate.configuration(connection), "0001")
        connection.execute(
            text(
                "INSERT INTO customers (public_id, uuid, business_id, ref, name, email, phone, address, city, state, "
                "postal_code, country, currency, tax_id, created_at, version) VALUES ('cus_1', 'u-1', 1, 'ACME', "
                "'Acme', '', '', '', '', '', '', '', 'USD', '', '2026-01-01 00:00:00', 1)"
            )
        )

    assert migrate.upgrade(empty_database.engine) is True

    with empty_database() as session:
        customer = session.scalars(select(Customer)).one()
        business = session.scalars(select(Business)).one()
        assert (customer.name, customer.language, customer.payment_terms, customer.held_until) == (
            "Acme",
            "en",
            "",
            None,
        )
        assert (business.invoice_format, business.payment_terms) == ("INV-{year}-{seq:03}", "Net 30")
        assert (business.active, business.reminds) == (True, False)
