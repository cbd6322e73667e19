"""Two customers become one: what moves, what stays, what keeps them apart, and that the books agree afterwards."""

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import DBAPIError

from billing_core import schema
from billing_core.audit.models import AuditEntry
from billing_core.businesses.queries import default_business
from billing_core.customer_lifecycle import deactivating, merging
from billing_core.customer_lifecycle.belongings import BELONGINGS
from billing_core.customer_lifecycle.merging import Balance, Moving
from billing_core.customers import queries as customers
from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import Conflict, Forbidden
from billing_core.identity import Role, actor_with
from billing_core.identity.models import User
from billing_core.imports import service as imports
from billing_core.invoices import after_sending, by_email, from_reports
from billing_core.invoices.by_email import Addressed
from billing_core.invoices.models import Invoice
from billing_core.ledger import sealing
from billing_core.ledger import verification as ledger_proof
from billing_core.ledger.models import Account, LedgerEntry, LedgerPosting
from billing_core.metering import ingestion
from billing_core.orders.models import Order
from billing_core.payments import credit, received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.prepaid import granting
from billing_core.payments.prepaid import verification as prepaid_proof
from billing_core.payments.received import Received
from billing_core.receivables import verification as debts_proof
from billing_core.receivables.statement import StatementRequest, statement
from billing_core.reports import verification as reports_proof
from billing_core.reports.models import BillingReport
from billing_core.usage import organizations
from tests.imports.files import incoming, rejections
from tests.invoices.company import GRACE, LATER, NOW, TODAY, a_customer, a_draft, a_line, an_invoice
from tests.reports.company import a_customer as with_rates
from tests.reports.company import an_order, billed
from tests.subscriptions.signed_up import a_plan, a_subscription


@pytest.fixture
def two(session) -> tuple[int, int]:
    """The former one, and the one that stays."""
    return a_customer(session, "HH", name="Acme Hamburg"), a_customer(session, "B", name="Acme Berlin")


def merge(session, pair):
    return merging.merge(session, GRACE, *pair, now=LATER)


def pay(session, customer_id, minor, **allocations):
    money = Received("USD", minor, PaymentMethod.BANK_TRANSFER, TODAY)
    shares = {int(key[1:]): amount for key, amount in allocations.items()}
    return received.record(
        session, GRACE, customer_id=customer_id, received=money, allocations=shares, today=TODAY, now=NOW
    )


def wrong(session) -> list[str]:
    """What the proofs that know of customers find."""
    checks = [*ledger_proof.checks(session), *debts_proof.checks(session, today=TODAY), *prepaid_proof.checks(session)]
    return [f"{check.name}: {one}" for check in checks for one in check.wrong]


def test_every_column_that_names_a_customer_has_its_place():
    """A new table that names a customer fails here until merging knows what becomes of it."""
    named = {
        (table.name, column.name)
        for table in schema.metadata.tables.values()
        for column in table.columns
        if column.name == "customer_id" or any(key.column.table.name == "customers" for key in column.foreign_keys)
    }
    known = [(one.column.class_.__tablename__, one.column.key) for one in BELONGINGS]
    assert sorted(named) == sorted(known)


def test_what_is_owed_and_kept_adds_up_and_documents_keep_their_names(session, two):
    former, into = two
    # 238.00 each: of Hamburg one is open, one half paid, and 10.00 too much came; Berlin owes one.
    open_one, half, theirs = an_invoice(session, former), an_invoice(session, former), an_invoice(session, into)
    numbers = [one.number for one in (open_one, half, theirs)]
    pay(session, former, 12_900, **{f"i{half.id}": 11_900})
    granting.give(session, GRACE, former, amount_minor=500, expires_on=None, reason="Hello", today=TODAY, now=NOW)
    draft = a_draft(session, former)
    sealing.seal(session, now=NOW)

    rehearsed = merging.rehearse(session, GRACE, former, into)
    assert rehearsed.balances == (
        Balance(Account.CUSTOMER_CREDIT, "USD", -1_000, 0),
        Balance(Account.PREPAID_CREDIT, "USD", -500, 0),
        Balance(Account.RECEIVABLE, "USD", 23_800 + 11_900, 23_800),
    )
    assert rehearsed.moves == (Moving("invoice", 3), Moving("payment", 1), Moving("prepaid grant", 1))
    assert (rehearsed.stays, rehearsed.conflicts, rehearsed.given_up) == (
        (),
        (),
        (("name", "Acme Hamburg", "Acme Berlin"),),
    )
    assert session.get_one(Invoice, open_one.id).customer_id == former

    assert merge(session, two) == rehearsed
    session.expire_all()
    assert merging.rehearse(session, GRACE, former, into).balances == (
        Balance(Account.CUSTOMER_CREDIT, "USD", 0, -1_000),
        Balance(Account.PREPAID_CREDIT, "USD", 0, -500),
        Balance(Account.RECEIVABLE, "USD", 0, 59_500),
    )
    assert [session.get_one(Invoice, one.id).customer_id for one in (open_one, half, theirs, draft)] == [into] * 4
    assert [session.get_one(Invoice, one.id).number for one in (open_one, half, theirs)] == numbers
    assert session.get_one(Invoice, open_one.id).customer_name == "Acme Corp"
    asked = StatementRequest(into, "USD", Period.month_of(TODAY))
    assert statement(session, GRACE, asked).closing_minor == 59_500 - 1_000
    assert wrong(session) == []


def test_what_was_begun_before_goes_on_with_the_one_that_stays(session, two):
    former, into = two
    kept, cancelled = an_invoice(session, former), an_invoice(session, former)
    payment = pay(session, former, 30_000, **{f"i{kept.id}": 23_800})
    sealing.seal(session, now=NOW)
    merge(session, two)
    session.expire_all()

    after_sending.cancel(session, GRACE, cancelled.id, today=TODAY, now=LATER)
    received.undo(session, GRACE, payment.id, reason="Bounced", today=TODAY, now=LATER)
    pay(session, into, 23_800, **{f"i{kept.id}": 23_800})
    assert credit.balances(session, GRACE, into) == []
    sums = select(LedgerPosting.customer_id, func.sum(LedgerPosting.amount_minor))
    sums = sums.where(LedgerPosting.account == Account.RECEIVABLE).group_by(LedgerPosting.customer_id)
    assert [tuple(one) for one in session.execute(sums)] == [(into, 0)]
    assert sealing.seal(session, now=LATER) > 0
    assert wrong(session) == []


def test_what_was_posted_keeps_for_whom_and_passes_in_no_other_way(session, two):
    former = two[0]
    an_invoice(session, former)
    third = a_customer(session, "THIRD")
    merge(session, two)
    assert session.scalars(select(LedgerEntry.customer_id)).all() == [former]
    for other in (third, former):
        with pytest.raises(DBAPIError, match="append-only"), session.begin_nested():
            session.execute(update(LedgerPosting).values(customer_id=other))


def test_one_that_was_merged_goes_along_with_the_one_it_was_merged_into(session, two):
    third = a_customer(session, "THIRD", name="Acme Holding")
    invoice = an_invoice(session, two[0])
    merge(session, two)
    merge(session, (two[1], third))
    session.expire_all()
    assert session.get_one(Invoice, invoice.id).customer_id == third
    assert customers.id_of(session, GRACE, "HH") == third
    assert wrong(session) == []


def test_the_former_one_is_found_by_every_name_as_the_one_that_stays(session, two):
    former, into = two
    known = session.get_one(Customer, former)
    merge(session, two)
    for find in (known.public_id, known.uuid.upper(), "HH"):
        assert customers.named(session, GRACE, find).id == into
    assert customers.by_public_id(session, GRACE, known.public_id).id == into
    found = organizations.own_or_any(session, GRACE, known.uuid, day=TODAY, refusal="No")
    assert found.customer_id == into
    assert [customers.id_of(session, GRACE, name) for name in ("HH", str(former))] == [into, into]
    assert customers.standing_for(session, former) == into
    assert [name for _, name, _ in customers.names(session, GRACE)] == ["Acme Berlin"]
    with pytest.raises(Conflict, match="was merged into"):
        a_draft(session, former)
    with pytest.raises(Conflict, match="was merged into"):
        deactivating.reactivate(session, GRACE, former, now=LATER)


def test_programs_that_know_it_by_e_mail_bill_the_one_that_stays(session):
    former = a_customer(session, "HH", name="Acme Hamburg", email="hh@acme.example")
    into = a_customer(session, "B", name="Acme Berlin")
    merge(session, (former, into))
    addressed = Addressed(default_business(session).public_id, "HH@acme.example", "USD", (a_line(),))
    assert by_email.create(session, GRACE, addressed, now=LATER).customer_id == into


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("customers", "customer_ref,name\nHH,Acme Hamburg AG\n"),
        ("products", "customer_ref,sku,name\nHH,A-1,Box\n"),
        ("orders", "customer_ref,order_number,order_date\nHH,SO-1,2026-03-10\n"),
        ("usage", "customer_ref,event_id,time\nHH,1,2026-03-01T10:00:00Z\n"),
    ],
)
def test_rows_of_files_that_name_the_former_one_are_told_the_other(sessions, kind, content):
    with sessions.begin() as session:
        merge(session, (a_customer(session, "HH", name="Acme Hamburg"), a_customer(session, "B", name="Acme Berlin")))
    outcome = imports.apply(sessions, GRACE, incoming(kind, content), now=LATER)
    ((line, column, value, reason),) = rejections(outcome)
    assert (line, column, value) == (2, "customer_ref", "HH")
    assert "was merged into Acme Berlin" in reason


def test_orders_that_are_not_billed_move_and_reports_stay(session):
    former, into = with_rates(session, "HH", name="Hamburg"), with_rates(session, "B", name="Berlin", priced=False)
    an_order(session, former, "SO-1")
    report = billed(session, former).id
    later = an_order(session, former, "SO-2")
    merge(session, (former, into))
    session.expire_all()
    assert session.get_one(BillingReport, report).customer_id == former
    assert session.get_one(Order, later).customer_id == into
    drafted = from_reports.draft_from_report(session, GRACE, report, now=LATER, today=TODAY)
    assert (drafted.customer_id, drafted.customer_name) == (into, "Berlin")
    assert [f"{one.name}: {one.wrong}" for one in reports_proof.checks(session) if one.wrong] == []


def test_people_and_keys_of_one_of_them_are_named(session, two):
    session.add(User(email="ana@acme.example", name="Ana", role=Role.FINANCE, customer_id=two[0], created_at=NOW))
    session.flush()
    assert merge(session, two).sees_both == ("ana@acme.example",)
    assert session.scalars(select(User.customer_id)).all() == [two[1]]


def test_what_keeps_them_apart_is_named_and_refused(session, two):
    former, into = two
    a_plan(session)
    for ref in ("HH", "B"):
        a_subscription(session, ref=ref)
    event = {"id": "1", "customer_ref": "HH", "time": NOW.isoformat(), "user": "ana"}
    ingestion.record(session, GRACE, [event], now=NOW, atomic=True)
    session.get_one(Customer, into).currency = "EUR"
    session.flush()
    said = " ".join(merging.rehearse(session, GRACE, former, into).conflicts)
    for words in ("recorded usage", "subscriptions in USD", "Both are subscribed to Pro"):
        assert words in said
    with pytest.raises(Conflict, match="recorded usage"):
        merge(session, two)
    assert session.get_one(Customer, former).active
    with pytest.raises(Conflict, match="into itself"):
        merge(session, (into, into))


def test_it_is_audited_with_both_and_takes_the_rights_to_money_and_people(session, two):
    merge(session, two)
    merged = select(AuditEntry.subject_id, AuditEntry.after).where(AuditEntry.action == "customer.merge")
    told = dict(session.execute(merged).all())
    assert told[str(two[0])]["into"] == two[1]
    assert told[str(two[1])]["merged"] == two[0]
    for role in (Role.FINANCE, Role.MANAGER):
        with pytest.raises(Forbidden):
            merging.rehearse(session, actor_with(role, user_id=None, name="Rita"), *two)
