"""The migrations build exactly the tables that the code declares, on both databases."""

from datetime import date

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, func, inspect, select, text
from sqlalchemy.exc import ProgrammingError

from billing_core import schema
from billing_core.bill_runs import planning
from billing_core.bill_runs.models import BillRunCustomer, RunGoal, RunOutcome
from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.database import connect, for_changes, migrate
from billing_core.database.migrations import checks
from billing_core.dates import Period, utc_now
from billing_core.errors import Conflict
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice
from billing_core.metering.models import BucketChange
from billing_core.outgoing_webhooks import queries as webhook_queries
from billing_core.outgoing_webhooks import service as webhook_endpoints
from billing_core.outgoing_webhooks.models import WebhookEndpoint
from billing_core.outgoing_webhooks.service import EndpointDetails
from billing_core.reading_order import reading_order
from billing_core.reports.models import BillingReport
from tests.bill_runs.company import planned, rows, some_customers, worked_off
from tests.invoices.company import NOW, a_draft, an_invoice
from tests.reports import company as reports_company
from tests.reports.company import MARCH, billed

COMPARED = {"compare_type": True, "include_object": migrate.declared}


def test_migrated_tables_are_the_declared_ones(sessions):
    with sessions.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=COMPARED)
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


def _add_customers(connection: Connection, addresses: dict[str, str]) -> None:
    """As a former version had them, with their names as refs."""
    connection.execute(
        text(
            "INSERT INTO customers (public_id, uuid, business_id, ref, name, email, phone, address, city, "
            "state, postal_code, country, currency, tax_id, created_at, version) VALUES (:name, :name, 1, :name, "
            ":name, :email, '', '', '', '', '', '', 'USD', '', '2026-01-01 00:00:00', 1)"
        ),
        [{"name": name, "email": email} for name, email in addresses.items()],
    )


def test_a_second_migration_changes_nothing(sessions):
    assert migrate.upgrade(sessions.engine) is False
    assert migrate.is_current(sessions.engine)


def test_a_database_of_a_newer_version_is_left_alone(sqlite_url):
    engine = connect(sqlite_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Conflict, match="newer version"):
        migrate.upgrade(engine)
    engine.dispose()


def test_a_database_of_the_first_release_keeps_its_data(empty_database):
    """What was there before invoices came gets the terms, formats and language that everybody starts with."""
    with for_changes(empty_database.engine).begin() as connection:
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


def test_subscribers_of_a_former_version_stay_as_webhook_endpoints(empty_database):
    with for_changes(empty_database.engine).begin() as connection:
        command.upgrade(migrate.configuration(connection), "0007")
        connection.execute(
            text(
                "INSERT INTO subscribers (id, public_id, url, description, events, secret_turn, active, created_at, "
                "created_by, version) VALUES (7, 'we_1', 'https://erp.example.com/', 'ERP', '[\"invoice.paid\"]', 3, "
                "true, '2026-01-01 00:00:00', 'Ana', 2)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO outbox_messages (channel, topic, key, recipient, title, subject_kind, subject_id, "
                "content, state, attempts, not_before, last_error, created_at, created_by) VALUES ('webhook', "
                "'invoice.paid', 'evt_1:we_1', 'erp.example.com', 'A payment', 'subscriber', '7', '{}', 'waiting', 0, "
                "'2026-01-01 00:00:00', '', '2026-01-01 00:00:00', 'Ana')"
            )
        )

    migrate.upgrade(empty_database.engine)

    with empty_database.begin() as session:
        kept = session.scalars(select(WebhookEndpoint)).one()
        assert (kept.id, kept.public_id, kept.url, kept.events) == (
            7,
            "we_1",
            "https://erp.example.com/",
            ["invoice.paid"],
        )
        assert (kept.secret_turn, kept.active, kept.created_by, kept.version) == (3, True, "Ana", 2)
        assert [row.id for row in webhook_queries.deliveries(session, SYSTEM, 7)] == [1]
        added = webhook_endpoints.register(
            session, SYSTEM, EndpointDetails("https://other.example.com/"), private_allowed=False, now=utc_now()
        )
        assert added.id == 8


def test_runs_of_a_former_version_keep_their_customers_and_get_the_figures_of_their_reports(empty_database):
    migrate.upgrade(empty_database.engine)
    with empty_database.begin() as session:
        company = some_customers(session, 3)
        billed(session, company[0])
    done = planned(empty_database)
    planned(empty_database, goal=RunGoal.REHEARSAL)
    worked_off(empty_database, done)
    with empty_database.begin() as session:
        paused = planning.plan(session, SYSTEM, customer_ids=company[:1], period=MARCH, now=NOW)
        planning.pause(session, SYSTEM, paused, now=NOW)
    before = rows(empty_database, done)

    with for_changes(empty_database.engine).begin() as connection:
        command.downgrade(migrate.configuration(connection), "0008")
        former = text("SELECT id, cancelled_at IS NULL, finished_at IS NULL FROM report_runs ORDER BY id")
        assert [tuple(map(int, row)) for row in connection.execute(former)] == [(done, 1, 0), (paused, 0, 1)]
    migrate.upgrade(empty_database.engine)

    assert rows(empty_database, done) == before
    assert {(row.outcome, row.total_minor, row.currency, row.order_count, row.question_count) for row in before} == {
        (RunOutcome.UNCHANGED, 400, "USD", 1, 0),
        (RunOutcome.CREATED, 400, "USD", 1, 0),
    }
    with empty_database() as session:
        made = select(BillRunCustomer.made).where(BillRunCustomer.run_id == done)
        assert session.scalars(made.order_by(BillRunCustomer.customer_id)).all() == [False, True, True]
    # On PostgreSQL too the next run has the next number.
    with empty_database.begin() as session:
        planning.resume(session, SYSTEM, paused, now=NOW)
        planning.cancel(session, SYSTEM, paused, now=NOW)
    assert planned(empty_database) > max(done, paused)


def test_an_unfinished_run_of_a_former_version_is_shared_in_chunks(empty_database):
    migrate.upgrade(empty_database.engine)
    with empty_database.begin() as session:
        some_customers(session, 23)
    of_all = planned(empty_database)
    february = Period(date(2026, 2, 1), date(2026, 2, 28))
    with empty_database.begin() as session:
        few = [*session.scalars(select(Customer.id).order_by(Customer.id.desc()).limit(3))]
        of_few = planning.plan(session, SYSTEM, customer_ids=few, period=february, now=NOW)
    with for_changes(empty_database.engine).begin() as connection:
        command.downgrade(migrate.configuration(connection), "0008")
    migrate.upgrade(empty_database.engine)
    by_chunk = (BillRunCustomer.run_id, BillRunCustomer.chunk)
    with empty_database() as session:
        chunks = session.execute(select(*by_chunk, func.count()).group_by(*by_chunk).order_by(*by_chunk))
        assert [tuple(row) for row in chunks] == [(of_all, 0, 10), (of_all, 1, 10), (of_all, 2, 3), (of_few, 0, 3)]


def test_meters_of_a_former_version_have_had_the_buckets_that_are_not_retired(empty_database):
    with for_changes(empty_database.engine).begin() as connection:
        command.upgrade(migrate.configuration(connection), "0028")
        meter = "INSERT INTO meters (id, code, name, aggregation, unit, unique_of) VALUES "
        connection.execute(
            text(f"{meter} (7, 'disks', 'Disks', 'latest', 'disk', ''), (8, 'cpu', 'CPU', 'sum', 's', '')")
        )
        bucket = "INSERT INTO meter_buckets (id, meter_id, code, name, filters, retired_at) VALUES "
        connection.execute(text(f"{bucket} (1, 7, 'eu', 'EU', '{{\"region\":[\"eu\"]}}', NULL)"))
        connection.execute(text(f"{bucket} (2, 7, 'us', 'US', '{{}}', '2026-01-01 00:00:00')"))

    migrate.upgrade(empty_database.engine)

    with empty_database() as session:
        rows = session.execute(select(BucketChange.meter_id, BucketChange.buckets)).all()
        assert [tuple(row) for row in rows] == [(7, [{"id": 1, "filters": '{"region":["eu"]}'}])]


def test_customers_of_a_former_version_are_found_by_their_addresses(empty_database):
    with for_changes(empty_database.engine).begin() as connection:
        command.upgrade(migrate.configuration(connection), "0065")
        _add_customers(connection, {"A": "AP@Straße.example", "B": "", "C": "ap@xn--strae-oqa.example"})

    migrate.upgrade(empty_database.engine)

    with empty_database() as session:
        keys = session.scalars(select(Customer.email_key).order_by(Customer.ref)).all()
    assert keys == ["ap@straße.example", "", "ap@straße.example"]


def test_names_and_numbers_of_a_former_version_stand_where_new_ones_would(empty_database):
    names = ["Ärzte AG", "Azur", "Store 9", "Store 10", "Müller & Söhne GmbH", "北京 7", "Йод", "\U0001f600"]
    migrate.upgrade(empty_database.engine)
    with empty_database.begin() as session:
        priced = [reports_company.a_customer(session, f"C-{place}", name=name) for place, name in enumerate(names)]
        billed(session, priced[4], MARCH)
        an_invoice(session, priced[0], customer_name="Ärzte 9")
        a_draft(session, priced[0], customer_name="")
    with for_changes(empty_database.engine).begin() as connection:
        command.downgrade(migrate.configuration(connection), "0077")

    migrate.upgrade(empty_database.engine)

    with empty_database() as session:
        kept = dict(session.execute(select(Customer.name, Customer.name_order)).all())
        others = [
            *session.execute(select(Customer.ref, Customer.ref_order)),
            *session.execute(select(Invoice.number, Invoice.number_order)),
            *session.execute(select(Invoice.customer_name, Invoice.customer_name_order)),
            *session.execute(select(BillingReport.customer_name, BillingReport.customer_name_order)),
        ]
    assert kept == {name: reading_order(name) for name in names}
    assert len(others) == len(names) + 2 + 2 + 1
    assert all(place == reading_order(text or "") for text, place in others)


def test_a_migration_that_was_undone_can_be_applied_again(empty_database):
    migrate.upgrade(empty_database.engine)
    with for_changes(empty_database.engine).begin() as connection:
        command.downgrade(migrate.configuration(connection), "0006")
        assert "subscribers" in inspect(connection).get_table_names()

    assert migrate.upgrade(empty_database.engine) is True
    with empty_database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=COMPARED)
        assert compare_metadata(context, schema.metadata) == []


@pytest.mark.parametrize(("table", "constraint"), [("payments", "nosuchkind"), ("no_such_table", "paymentmethod")])
def test_a_check_that_is_not_there_cannot_be_changed(sessions, table, constraint):
    with for_changes(sessions.engine).connect() as connection:
        before = inspect(connection).get_check_constraints("payments")
        operations = Operations(MigrationContext.configure(connection))
        with Operations.context(operations.migration_context), pytest.raises((LookupError, ProgrammingError)):
            checks.allow(table, constraint, "kind", ["card"])
        connection.rollback()
        assert inspect(connection).get_check_constraints("payments") == before
