"""A line of a bill opens into days, users and events that add up to it, whatever happened since."""

from datetime import date
from decimal import Decimal

import pytest

from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import Conflict, Forbidden, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices import queries, service
from billing_core.invoices.content.content import DraftLine
from billing_core.metering import ingestion, withdrawal
from billing_core.plans import service as plans
from billing_core.usage import billing, document
from billing_core.usage.billed import explaining, lines
from billing_core.usage.billed.explaining import DayPart, UserPart
from tests.plans.agreed import NOW, a_plan, terms
from tests.usage.october import GENERATED, an_organization

OCTOBER = Period(date(2023, 10, 1), date(2023, 10, 31))
TODAY = date(2023, 11, 1)


def tell(session, *events):
    given = [
        {"id": name, "organization_id": document.ID, "time": time, "user": user, "meter": "api_calls"}
        for name, time, user in events
    ]
    return ingestion.record(session, SYSTEM, given, now=GENERATED, atomic=True)


@pytest.fixture
def billed(session):
    """Four calls in New York's October, of which "a" lies in UTC's 2 October; one before it, and one after."""
    customer_id = an_organization(session)
    session.get_one(Customer, customer_id).time_zone = "America/New_York"
    session.flush()
    code = a_plan(session, agreed=terms(1, "1.5"))
    plans.put_on(session, SYSTEM, customer_id, code, valid_from=OCTOBER.start, now=NOW)
    tell(
        session,
        ("a", "2023-10-02T03:59:59Z", "ana"),
        ("b", "2023-10-02T04:00:00Z", "ben"),
        ("c", "2023-10-02T05:00:00Z", "ana"),
        ("d", "2023-11-01T03:00:00Z", ""),
        ("before", "2023-10-01T03:00:00Z", "ana"),
        ("after", "2023-11-01T04:00:00Z", "ana"),
    )
    return billing.bill(session, SYSTEM, customer_id, OCTOBER, now=GENERATED, today=TODAY)


@pytest.fixture
def line_id(session, billed):
    (line,) = queries.lines(session, billed.invoice_id)
    return line.usage_line_id


def names(session, line_id, **page):
    return [row.id for row in explaining.events(session, SYSTEM, line_id, **page)]


DAYS = [
    DayPart(date(2023, 10, 1), 1, Decimal(1), 1),
    DayPart(date(2023, 10, 2), 2, Decimal(2), 2),
    DayPart(date(2023, 10, 31), 1, Decimal(1), 0),
]
USERS = [UserPart("ana", 2, Decimal(2)), UserPart("", 1, Decimal(1)), UserPart("ben", 1, Decimal(1))]


def test_a_line_opens_into_days_users_and_events(session, line_id):
    assert lines.one(session, SYSTEM, line_id).quantity == 4
    assert explaining.days(session, SYSTEM, line_id) == DAYS
    assert explaining.users(session, SYSTEM, line_id) == USERS
    assert explaining.users(session, SYSTEM, line_id, limit=1, offset=1) == USERS[1:2]
    assert names(session, line_id) == ["a", "b", "c", "d"]
    first = explaining.events(session, SYSTEM, line_id, limit=1)[0]
    assert names(session, line_id, after_event=(first.occurred_at, first.id), limit=2) == ["b", "c"]


def test_what_came_or_went_afterwards_is_no_part_of_it(session, billed, line_id):
    """One came and was taken back again, one stays, and one that was billed is taken back."""
    tell(session, ("e", "2023-10-20T12:00:00Z", "eve"), ("f", "2023-10-02T12:00:00Z", "ana"))
    for name in ("e", "b"):
        withdrawal.withdraw(session, SYSTEM, billed.customer_id, name, reason="By mistake", now=GENERATED)
    assert explaining.days(session, SYSTEM, line_id) == DAYS
    assert explaining.users(session, SYSTEM, line_id) == USERS
    assert names(session, line_id) == ["a", "b", "c", "d"]


def test_what_was_withdrawn_in_time_is_no_part_of_it(session):
    customer_id = an_organization(session)
    plans.put_on(session, SYSTEM, customer_id, a_plan(session, agreed=terms(0, "1")), valid_from=OCTOBER.start, now=NOW)
    tell(session, ("a", "2023-10-02T12:00:00Z", "ana"), ("b", "2023-10-02T12:00:00Z", "ben"))
    withdrawal.withdraw(session, SYSTEM, customer_id, "a", reason="By mistake", now=GENERATED)
    made = billing.bill(session, SYSTEM, customer_id, OCTOBER, now=GENERATED, today=TODAY)
    (line,) = lines.of_periods(session, SYSTEM, [made.period_id])[made.period_id]
    assert names(session, line.id) == ["b"]
    assert explaining.users(session, SYSTEM, line.id) == [UserPart("ben", 1, Decimal(1))]


def test_only_its_own_customer_sees_what_a_line_is_made_of(session, billed, line_id):
    own = actor_with(Role.FINANCE, user_id=None, name="Own", customer_id=billed.customer_id)
    other = actor_with(Role.FINANCE, user_id=None, name="Other", customer_id=billed.customer_id + 1)
    assert explaining.days(session, own, line_id) == DAYS
    for read in (explaining.days, explaining.users, explaining.events):
        with pytest.raises(NotFound):
            read(session, other, line_id)
        with pytest.raises(Forbidden):
            read(session, actor_without_rights(), line_id)


def actor_without_rights():
    return SYSTEM.__class__(None, "Nobody", frozenset())


def edited(session, billed, change):
    invoice = queries.one(session, SYSTEM, billed.invoice_id)
    content = queries.content(session, invoice)
    return service.edit(session, SYSTEM, invoice.id, change(content), drawn_from=invoice.version, now=GENERATED)


def replaced(content, **facts):
    return content.__class__(**{name: getattr(content, name) for name in content.__dataclass_fields__} | facts)


@pytest.mark.parametrize(
    "facts",
    [
        {"quantity": Decimal(2)},
        {"unit_price": Decimal(4)},
        {"discount_percent": Decimal(10)},
        {"discount_minor": 10},
        {"usage_line_id": None},
        {"usage_line_id": 99},
    ],
    ids=str,
)
def test_what_a_draft_bills_of_usage_is_not_edited(session, billed, facts):
    def change(content):
        return replaced(content, lines=(replaced(content.lines[0], **facts),))

    with pytest.raises(Conflict, match="follows from the events and the plan"):
        edited(session, billed, change)


@pytest.mark.parametrize(
    "facts",
    [{"lines": (DraftLine("Other", Decimal(1), Decimal(1)),)}, {"currency": "EUR"}, {"prices_include_tax": True}],
)
def test_a_draft_of_usage_keeps_its_lines_and_whom_it_bills(session, billed, facts):
    with pytest.raises(Conflict, match="follows from the events and the plan"):
        edited(session, billed, lambda content: replaced(content, **facts))


def test_a_draft_of_usage_can_have_a_discount_and_further_lines(session, billed, line_id):
    def change(content):
        described = replaced(content.lines[0], description="Calls", tax_rate=Decimal(10))
        more = DraftLine("Support", Decimal(1), Decimal(5))
        return replaced(content, lines=(more, described), discount_percent=Decimal(50))

    edited(session, billed, change)
    invoice = queries.one(session, SYSTEM, billed.invoice_id)
    assert (invoice.subtotal_minor, invoice.tax_minor) == (475, 23)
    assert [line.usage_line_id for line in queries.lines(session, invoice.id)] == [None, line_id]


def test_a_copy_bills_no_usage(session, billed):
    """The line of usage is left out, with what is written beside it copied; alone it leaves nothing to copy."""
    with pytest.raises(Conflict, match="There is nothing to copy: these lines bill orders or usage"):
        service.duplicate(session, SYSTEM, billed.invoice_id, now=GENERATED, today=TODAY)
    support = DraftLine("Support", Decimal(1), Decimal(5))
    edited(session, billed, lambda content: replaced(content, lines=(*content.lines, support)))
    copied = service.duplicate(session, SYSTEM, billed.invoice_id, now=GENERATED, today=TODAY)
    assert [(one.description, one.usage_line_id) for one in queries.lines(session, copied.id)] == [("Support", None)]
