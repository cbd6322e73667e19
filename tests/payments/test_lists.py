"""The lists of payments, of what they paid, and of refunds: every filter, every order, and what each row says."""

from dataclasses import dataclass, replace
from datetime import date, timedelta

import pytest
from sqlalchemy import insert, select, update

from billing_core.errors import Invalid, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.ledger import service as ledger
from billing_core.ledger.models import EntryKind
from billing_core.ledger.service import Entry
from billing_core.money import Money
from billing_core.payments import credit, exporting, queries, received, refunds
from billing_core.payments.models import Allocation, AllocationKind, Payment, PaymentMethod, RefundSource
from billing_core.payments.queries import PaymentFilter
from billing_core.payments.refunds import MoneyBack
from tests.payments.books import (
    NOW,
    TODAY,
    a_customer,
    an_open_invoice,
    another_business,
    bank_transfer,
    pay,
    record,
)

YESTERDAY = TODAY - timedelta(days=1)


@dataclass(frozen=True)
class Four:
    """The names of the payments by id, and what filters ask for."""

    names: dict[int, str]
    asked: dict[str, int | str]

    def found(self, rows) -> list[str]:
        return [self.names[row.id] for row in rows]


@pytest.fixture
def four(session) -> Four:
    """Three payments of Carla's, of which the one in dollars was undone, and one of Zoe's in cash, to another business
    and on the day before."""
    carla, zoe = a_customer(session), a_customer(session, "Z2")
    zoe.name = "Zoe"
    theirs = replace(bank_transfer(2_00), method=PaymentMethod.CASH, received_on=YESTERDAY, reference="", note="At 5_%")
    plain = record(session, carla, bank_transfer(3_00))
    of_zoe = record(session, zoe, theirs, business_id=another_business(session).id)
    again = record(session, carla, replace(bank_transfer(1_00), reference="Second half"))
    dollars = record(session, carla, bank_transfer(4_00, currency="USD"))
    received.undo(session, SYSTEM, dollars.id, reason="bounced", today=TODAY, now=NOW)
    return Four(
        {plain.id: "plain", of_zoe.id: "zoe", again.id: "again", dollars.id: "dollars"},
        {"customer": zoe.id, "business": of_zoe.business_id, "public": plain.public_id},
    )


FILTERS = [
    ({}, ["dollars", "again", "plain", "zoe"], {"EUR": 6_00}),
    ({"customer_id": "customer"}, ["zoe"], {"EUR": 2_00}),
    ({"business_id": "business"}, ["zoe"], {"EUR": 2_00}),
    ({"received_from": TODAY}, ["dollars", "again", "plain"], {"EUR": 4_00}),
    ({"received_from": YESTERDAY}, ["dollars", "again", "plain", "zoe"], {"EUR": 6_00}),
    ({"received_from": TODAY + timedelta(days=1)}, [], {}),
    ({"received_to": TODAY}, ["dollars", "again", "plain", "zoe"], {"EUR": 6_00}),
    ({"received_to": YESTERDAY}, ["zoe"], {"EUR": 2_00}),
    ({"received_to": YESTERDAY - timedelta(days=1)}, [], {}),
    ({"currency": "EUR"}, ["again", "plain", "zoe"], {"EUR": 6_00}),
    ({"currency": "USD"}, ["dollars"], {}),
    ({"method": "cash"}, ["zoe"], {"EUR": 2_00}),
    ({"method": "bank_transfer"}, ["dollars", "again", "plain"], {"EUR": 4_00}),
    ({"method": "cheque"}, [], {}),
    ({"method": "shells"}, ["dollars", "again", "plain", "zoe"], {"EUR": 6_00}),
    ({"undone": True}, ["dollars"], {}),
    ({"undone": False}, ["again", "plain", "zoe"], {"EUR": 6_00}),
    ({"text": " zOE "}, ["zoe"], {"EUR": 2_00}),
    ({"text": "z2"}, ["zoe"], {"EUR": 2_00}),
    ({"text": "second h"}, ["again"], {"EUR": 1_00}),
    ({"text": "5_%"}, ["zoe"], {"EUR": 2_00}),
    ({"text": "nobody"}, [], {}),
    ({"text": "ZÖË"}, ["zoe"], {"EUR": 2_00}),
    ({"text": "€ 2,00"}, ["zoe"], {"EUR": 2_00}),
    ({"text": "JPY 2"}, [], {}),
    ({"text": "  "}, ["dollars", "again", "plain", "zoe"], {"EUR": 6_00}),
    ({"text": "public"}, ["plain"], {"EUR": 3_00}),
    ({"text": "carla", "undone": False, "currency": "EUR"}, ["again", "plain"], {"EUR": 4_00}),
]


@pytest.mark.parametrize(("filters", "expected", "sums"), FILTERS, ids=[str(one[0]) for one in FILTERS])
def test_each_filter_limits_the_list_its_count_and_its_totals_alike(session, four, filters, expected, sums):
    """Totals are of what stands: not of what was undone."""
    asked = PaymentFilter(**{field: four.asked.get(value, value) for field, value in filters.items()})

    assert four.found(queries.page(session, SYSTEM, asked)) == expected
    assert queries.count(session, SYSTEM, asked) == len(expected)
    assert {money.currency: money.minor for money in queries.totals(session, SYSTEM, asked)} == sums


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        ("received_on", ["zoe", "plain", "again", "dollars"]),
        ("amount", ["again", "zoe", "plain", "dollars"]),
        ("customer", ["plain", "again", "dollars", "zoe"]),
        ("created_at", ["plain", "zoe", "again", "dollars"]),
    ],
)
def test_the_list_is_ordered_both_ways_and_what_is_alike_by_when_it_was_recorded(session, four, order_by, expected):
    def listed(order, **limits):
        return four.found(queries.page(session, SYSTEM, PaymentFilter(order_by=order), **limits))

    assert listed(order_by) == expected
    assert listed(f"-{order_by}") == expected[::-1]
    assert listed(order_by, limit=2, offset=1) == expected[1:3]


def test_no_other_order_is_taken(session):
    with pytest.raises(Invalid):
        queries.page(session, SYSTEM, PaymentFilter(order_by="reference"))


def test_each_currency_has_its_total(session):
    customer = a_customer(session)
    for amount, currency in ((1_00, "USD"), (2_00, "EUR"), (3_00, "USD")):
        record(session, customer, bank_transfer(amount, currency=currency))

    assert queries.totals(session, SYSTEM, PaymentFilter()) == [Money(2_00, "EUR"), Money(4_00, "USD")]


def test_somebody_bound_to_a_customer_lists_that_customers_money_alone(session, four):
    bound = actor_with(Role.FINANCE, user_id=1, name="bound", customer_id=four.asked["customer"])

    for asked in (PaymentFilter(), PaymentFilter(text="zoe")):
        assert four.found(queries.page(session, bound, asked)) == ["zoe"]
        assert queries.count(session, bound, asked) == 1
        assert queries.totals(session, bound, asked) == [Money(2_00, "EUR")]
    assert queries.count(session, bound, PaymentFilter(text="carla")) == 0


def test_what_is_kept_of_a_payment_is_what_no_invoice_has_and_nothing_once_it_is_undone(session):
    """Of 10.00 an invoice gets 3.00, and gives it back."""
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "3")
    payment = pay(session, customer, 10_00, **{str(invoice.id): 3_00})

    def kept():
        row = queries.one(session, SYSTEM, payment.id)
        return row.allocated_minor, row.kept_minor, row.undone_reason

    assert kept() == (3_00, 7_00, "")
    (allocation,) = queries.allocations(session, SYSTEM, payment_id=payment.id)
    credit.release(session, SYSTEM, allocation.id, reason="wrong invoice", today=TODAY, now=NOW)
    assert kept() == (0, 10_00, "")
    received.undo(session, SYSTEM, payment.id, reason="bounced", today=TODAY, now=NOW)
    assert kept() == (0, 0, "bounced")


def test_allocations_are_of_a_payment_or_to_an_invoice_in_their_order(session):
    customer = a_customer(session)
    first, second = an_open_invoice(session, customer, "5"), an_open_invoice(session, customer, "9")
    one = pay(session, customer, 8_00, **{str(first.id): 5_00, str(second.id): 1_00})
    credit.apply(session, SYSTEM, second.id, amount_minor=2_00, today=TODAY, now=NOW)
    (paid, part) = queries.allocations(session, SYSTEM, payment_id=one.id)
    credit.release(session, SYSTEM, paid.id, reason="wrong", today=TODAY, now=NOW)

    def rows(**of):
        return [
            (row.kind, row.payment_id, row.method, row.reference, row.invoice_number, row.amount_minor)
            for row in queries.allocations(session, SYSTEM, **of)
        ]

    whole = (AllocationKind.PAYMENT, one.id, PaymentMethod.BANK_TRANSFER, "RF18", first.number, 5_00)
    of_second = (AllocationKind.PAYMENT, one.id, PaymentMethod.BANK_TRANSFER, "RF18", second.number, 1_00)
    by_credit = (AllocationKind.CREDIT, None, None, "", second.number, 2_00)
    assert rows(payment_id=one.id) == [whole, of_second]
    assert rows(invoice_id=second.id) == [of_second, by_credit]
    assert rows(invoice_id=first.id, payment_id=one.id) == [whole]
    assert rows() == [whole, of_second, by_credit]
    assert rows(limit=1) == [whole]
    undone = [row.undone_at for row in queries.allocations(session, SYSTEM, payment_id=one.id)]
    assert undone == [NOW, None]
    assert part.allocated_on == TODAY


@pytest.fixture
def given_back(session) -> dict[str, int]:
    """Two refunds of an invoice on two days, of which the earlier was recorded later, one of credit on the second day,
    and one of another customer's invoice."""
    customer, other = a_customer(session), a_customer(session, "C2")
    invoice, theirs = an_open_invoice(session, customer, "10"), an_open_invoice(session, other, "10")
    pay(session, other, 10_00, **{str(theirs.id): 10_00})
    early = replace(bank_transfer(12_00), received_on=YESTERDAY)
    payment = record(session, customer, early, {invoice.id: 10_00})
    for amount, day in ((4_00, TODAY), (3_00, YESTERDAY)):
        wanted = MoneyBack("returned", PaymentMethod.CASH, day, amount, reference="RF1")
        refunds.refund(session, SYSTEM, invoice.id, wanted=wanted, today=TODAY, now=NOW)
    wanted = MoneyBack("late", None, TODAY, 1_00)
    by_gateway = refunds.refund(session, SYSTEM, theirs.id, wanted=wanted, today=TODAY, now=NOW)
    by_gateway.payment_id = payment.id
    facts = {"method": PaymentMethod.CHEQUE, "reason": "asked", "today": TODAY, "now": NOW}
    money, business_id = Money(2_00, "EUR"), customer.business_id
    credit.pay_out(session, SYSTEM, customer_id=customer.id, business_id=business_id, amount=money, **facts)
    session.flush()
    return {"customer": customer.id, "other": other.id, "invoice": invoice.id, "payment": payment.id}


def test_refunds_are_listed_newest_first_of_one_customer_invoice_or_payment(session, given_back):
    def amounts(**of):
        return [row.amount_minor for row in queries.refunds(session, SYSTEM, **of)]

    assert amounts() == [2_00, 1_00, 4_00, 3_00]
    assert amounts(customer_id=given_back["customer"]) == [2_00, 4_00, 3_00]
    assert amounts(invoice_id=given_back["invoice"]) == [4_00, 3_00]
    assert amounts(payment_id=given_back["payment"]) == [1_00]
    assert amounts(customer_id=given_back["customer"], payment_id=given_back["payment"]) == []
    assert amounts(limit=2, offset=1) == [1_00, 4_00]
    asked = (None, given_back["customer"], given_back["other"], 77)
    counts = [queries.refund_count(session, SYSTEM, customer_id=customer_id) for customer_id in asked]
    assert counts == [4, 3, 1, 0]
    bound = actor_with(Role.FINANCE, user_id=1, name="bound", customer_id=given_back["other"])
    assert [row.amount_minor for row in queries.refunds(session, bound)] == [1_00]
    assert queries.refund_count(session, bound) == 1


def test_a_row_of_a_refund_says_what_went_back_and_why(session, given_back):
    paid_out, kept, *_, first = queries.refunds(session, SYSTEM)

    assert (paid_out.source, paid_out.method, paid_out.invoice_number, paid_out.credit_note_id, paid_out.reason) == (
        *(RefundSource.CREDIT, PaymentMethod.CHEQUE, None, None, "asked"),
    )
    assert (kept.source, kept.method, kept.customer_name, kept.reason) == (
        *(RefundSource.INVOICE, None, "Carla C2", "late"),
    )
    assert (first.invoice_number, first.refunded_on, first.reference, first.customer_name, first.created_by) == (
        *("INV-2026-001", YESTERDAY, "RF1", "Carla C1", "system"),
    )


def test_the_list_leaves_as_csv_with_amounts_to_compute_with(session):
    """12.50 with a fee of 0.50, of which 10.00 pay an invoice; and 300 yen that were undone."""
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "10")
    record(session, customer, bank_transfer(12_50, fee_minor=50), {invoice.id: 10_00})
    yen = record(session, customer, replace(bank_transfer(300, currency="JPY"), received_on=date(2026, 3, 1)))
    received.undo(session, SYSTEM, yen.id, reason="bounced", today=TODAY, now=NOW)
    session.flush()

    header, *lines = b"".join(exporting.as_csv(session, SYSTEM, PaymentFilter()).chunks).decode().splitlines()

    assert header == ",".join(exporting.COLUMNS)
    assert [line.split(",")[1:11] for line in lines] == [
        ["2026-03-10", f"{customer.id}", "Carla C1", "bank_transfer", "RF18", "EUR", "12.50", "0.50", "10.00", "2.50"],
        ["2026-03-01", f"{customer.id}", "Carla C1", "bank_transfer", "RF18", "JPY", "300", "0", "0", "0"],
    ]
    assert [line.split(",")[12:] for line in lines] == [
        ["system", "2026-03-10T09:00:00Z", "", "", "", "0.00"],
        ["system", "2026-03-10T09:00:00Z", "2026-03-10T09:00:00Z", "bounced", "", "0"],
    ]


def test_a_page_has_fifty_rows_and_the_allocations_of_one_invoice_are_five_hundred_unless_more_are_asked_for(session):
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer, "10")
    payment = pay(session, customer, 10_00, **{str(invoice.id): 10_00})
    wanted = MoneyBack("returned", PaymentMethod.CASH, TODAY, 1)
    refund = refunds.refund(session, SYSTEM, invoice.id, wanted=wanted, today=TODAY, now=NOW)
    (allocation,) = session.scalars(select(Allocation))
    empty = Entry(payment.business_id, customer.id, "EUR", EntryKind.PAYMENT, "payment", TODAY, ())
    entry_ids = ledger.post_many(session, SYSTEM, [empty] * 50, now=NOW)
    _insert_copies(session, payment, 50, entry_id=entry_ids, public_id=[f"pay_{number}" for number in range(50)])
    _insert_copies(session, refund, 50)
    _insert_copies(session, allocation, 500)

    assert len(queries.page(session, SYSTEM, PaymentFilter())) == 50
    assert len(queries.page(session, SYSTEM, PaymentFilter(), limit=51)) == 51
    assert (len(queries.refunds(session, SYSTEM)), len(queries.refunds(session, SYSTEM, limit=51))) == (50, 51)
    found = [len(queries.allocations(session, SYSTEM, **limit)) for limit in ({}, {"limit": 501})]
    assert found == [500, 501]


def _insert_copies(session, row, count, **different):
    """So many more rows like this one, of which these columns have values of their own."""
    table = type(row).__table__
    like = {column.name: getattr(row, column.name) for column in table.columns if column.name != "id"}
    each = [like | {name: values[number] for name, values in different.items()} for number in range(count)]
    session.execute(insert(table), each)


def test_who_changes_a_payment_sees_what_became_of_it_while_they_waited_for_its_lock(session):
    payment = pay(session, a_customer(session), 1_00)
    session.flush()
    session.connection().execute(update(Payment.__table__).values(undone_reason="bounced"))

    assert queries.for_change(session, SYSTEM, payment.id).undone_reason == "bounced"
    with pytest.raises(NotFound, match="There is no payment 77"):
        queries.for_change(session, SYSTEM, 77)
    with pytest.raises(NotFound, match="There is no payment 77"):
        queries.one(session, SYSTEM, 77)


@pytest.mark.parametrize(
    ("amount", "currency", "days", "reference", "found"),
    [
        (5_00, "EUR", 0, "", True),
        (5_00, "EUR", 3, " rf18  ", True),
        (5_00, "EUR", 3, "RF19", False),
        (5_00, "EUR", 3, "", False),
        (5_01, "EUR", 0, "RF18", False),
        (5_00, "USD", 0, "RF18", False),
        (5_00, "EUR", 0, "\0", True),
    ],
)
def test_the_first_payment_of_the_same_amount_on_the_same_day_or_by_the_same_reference_is_named(
    session, amount, currency, days, reference, found
):
    """The reference is RF18. One that was undone, another customer's, and the second one are not named."""
    carla, zoe = a_customer(session), a_customer(session, "Z2")
    undone = pay(session, carla, 5_00)
    received.undo(session, SYSTEM, undone.id, reason="Wrong", today=TODAY, now=NOW)
    pay(session, zoe, 5_00)
    first = pay(session, carla, 5_00)
    pay(session, carla, 5_00)

    asked = {"received_on": TODAY + timedelta(days=days), "reference": reference}
    named = queries.alike(session, SYSTEM, carla.id, Money(amount, currency), **asked)

    assert (named.id if named else None) == (first.id if found else None)
    several = [(zoe.id, Money(5_00, "EUR")), (carla.id, Money(amount, currency)), (carla.id, Money(7, "EUR"))]
    of_many = queries.alike_of_many(session, SYSTEM, several, **asked)
    assert of_many.get(several[1]) == named
    assert set(of_many) <= set(several[:2])
    only_zoe = actor_with(Role.FINANCE, user_id=7, name="Zoe", customer_id=zoe.id)
    assert queries.alike(session, only_zoe, carla.id, Money(amount, currency), **asked) is None
