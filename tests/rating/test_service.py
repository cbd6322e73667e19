"""Rate cards: versions that never overlap, changes from a day on, nothing altered that a report has used."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from billing_core.audit.models import AuditEntry
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.errors import Conflict, Forbidden, Invalid, NotFound
from billing_core.identity.permissions import Role, actor_with
from billing_core.orders.models import Order, OrderStatus
from billing_core.rating import queries, service
from billing_core.rating.models import CostType, Rate, TierMode
from billing_core.rating.pricing import Pricing
from billing_core.reports.models import BillingReport, ReportCharge

ADMIN = actor_with(Role.ADMIN, user_id=None, name="Ada")
FINANCE = actor_with(Role.FINANCE, user_id=None, name="Fatima")
NOW = datetime(2026, 5, 1, tzinfo=UTC)
JAN, MAR, MAY = date(2026, 1, 1), date(2026, 3, 1), date(2026, 5, 1)


def a_customer(session, ref="C1", currency="USD"):
    customer = Customer(business_id=1, ref=ref, name=f"Acme {ref}", currency=currency, created_at=NOW)
    session.add(customer)
    session.flush()
    return customer.id


def a_service(session, code="PICK", cost_type=CostType.PER_ITEM):
    return service.create_service(session, ADMIN, code=code, name=code.title(), cost_type=cost_type, now=NOW).id


def a_rate(session, customer_id, service_id, price="1.5", valid_from=JAN, valid_to=None, **more):
    pricing = Pricing(Decimal(price), **more)
    return service.add_rate(
        session, ADMIN, customer_id, service_id, pricing, valid_from=valid_from, valid_to=valid_to, now=NOW
    )


def used_by_a_report(session, rate):
    order = Order(number="O1", customer_id=rate.customer_id, order_date=JAN, status=OrderStatus.SHIPPED)
    report = BillingReport(
        customer_id=rate.customer_id,
        customer_name="Acme",
        period_start=JAN,
        period_end=JAN,
        currency="USD",
        total_minor=0,
        order_count=1,
        charge_count=1,
        question_count=0,
        created_at=utc_now(),
        created_by="Ada",
    )
    session.add_all([order, report])
    session.flush()
    session.execute(
        insert(ReportCharge).values(
            report_id=report.id,
            order_id=order.id,
            service_id=rate.service_id,
            rate_id=rate.id,
            quantity=1,
            unit_price=1,
            amount_minor=1,
        )
    )


def stored(session, customer_id):
    rows = queries.versions(session, ADMIN, customer_id)
    return [(row.unit_price, row.valid_from, row.valid_to) for row in reversed(rows)]


def history(session, customer_id, service_id):
    return queries.history(session, FINANCE, customer_id, service_id)


def last_actions(session, count):
    """The newest audit entries' actions, the newest last."""
    session.flush()
    newest = select(AuditEntry.action).order_by(AuditEntry.id.desc()).limit(count)
    return list(reversed(session.scalars(newest).all()))


def test_a_rate_keeps_what_was_set(session):
    customer_id, service_id = a_customer(session), a_service(session)
    a_rate(
        session,
        customer_id,
        service_id,
        minimum=Decimal("1.25"),
        maximum=Decimal(9),
        skus=[" b ", "A", "a"],
        tier_mode=TierMode.VOLUME,
        tiers=[{"up_to": 5, "unit_price": "0.1"}, {"unit_price": "0.05"}],
        condition={"field": "weight", "op": "gt", "value": 3},
    )
    (row,) = queries.card_on(session, FINANCE, customer_id, MAY)
    assert (row.currency, row.minimum_minor, row.maximum_minor, row.skus) == ("USD", 125, 900, ["A", "B"])
    assert row.tier_mode is TierMode.VOLUME
    assert row.tiers == [{"up_to": "5", "unit_price": "0.1"}, {"up_to": None, "unit_price": "0.05"}]
    assert row.conditions == {"all": [{"field": "weight", "op": "gt", "value": "3"}]}
    assert queries.card_on(session, FINANCE, customer_id, date(2025, 12, 31)) == []


def test_a_change_ends_one_version_and_begins_another(session):
    customer_id, service_id = a_customer(session), a_service(session)
    old = a_rate(session, customer_id, service_id, valid_to=date(2026, 12, 31))

    service.change_rate(session, ADMIN, old.id, Pricing(Decimal(2)), starts_on=MAR, now=NOW)

    assert stored(session, customer_id) == [
        (Decimal("1.5"), JAN, date(2026, 2, 28)),
        (Decimal(2), MAR, date(2026, 12, 31)),
    ]
    assert [row.valid_from for row in history(session, customer_id, service_id)] == [MAR, JAN]


def test_a_change_from_the_first_day_replaces_an_unused_rate(session):
    customer_id, service_id = a_customer(session), a_service(session)
    old = a_rate(session, customer_id, service_id)
    service.change_rate(session, ADMIN, old.id, Pricing(Decimal(2)), starts_on=JAN, now=NOW)
    assert stored(session, customer_id) == [(Decimal(2), JAN, None)]


def test_a_used_rate_is_corrected_from_its_first_day_and_kept_for_its_report(session):
    customer_id, service_id = a_customer(session), a_service(session)
    wrong = a_rate(session, customer_id, service_id, valid_to=MAY)
    used_by_a_report(session, wrong)

    right = service.change_rate(session, ADMIN, wrong.id, Pricing(Decimal(2)), starts_on=JAN, now=NOW)
    assert stored(session, customer_id) == [(Decimal(2), JAN, MAY)]
    assert [row.id for row in queries.card_on(session, ADMIN, customer_id, JAN)] == [right.id]
    assert [(row.id, row.unit_price, row.withdrawn_at) for row in history(session, customer_id, service_id)] == [
        (right.id, Decimal(2), None),
        (wrong.id, Decimal("1.5"), NOW),
    ]
    assert session.scalar(select(ReportCharge.rate_id)) == wrong.id
    assert last_actions(session, 2) == ["rate.withdraw", "rate.create"]


def test_a_used_rate_is_withdrawn_when_removed_and_can_be_entered_again(session):
    customer_id, service_id = a_customer(session), a_service(session)
    rate = a_rate(session, customer_id, service_id)
    used_by_a_report(session, rate)

    service.remove_rate(session, ADMIN, rate.id, now=NOW)

    assert stored(session, customer_id) == []
    assert [(row.name, row.customers) for row in queries.services(session, FINANCE)] == [("Pick", 0)]
    for refused in (
        lambda: service.remove_rate(session, ADMIN, rate.id, now=NOW),
        lambda: service.end_rate(session, ADMIN, rate.id, last_day=MAR, now=NOW),
        lambda: service.change_rate(session, ADMIN, rate.id, Pricing(Decimal(2)), starts_on=MAR, now=NOW),
    ):
        with pytest.raises(Conflict, match="was withdrawn"):
            refused()
    a_rate(session, customer_id, service_id, "2")
    assert stored(session, customer_id) == [(Decimal(2), JAN, None)]


def test_a_withdrawn_rate_is_not_copied_with_the_card(session):
    source, target = a_customer(session), a_customer(session, "C2")
    rate = a_rate(session, source, a_service(session))
    used_by_a_report(session, rate)
    service.remove_rate(session, ADMIN, rate.id, now=NOW)
    with pytest.raises(Invalid, match="has no rates on 2026-03-01"):
        service.copy_card(session, ADMIN, from_customer_id=source, to_customer_id=target, starts_on=MAR, now=NOW)


def test_the_database_itself_takes_one_rate_in_force_a_first_day(session):
    customer_id, service_id = a_customer(session), a_service(session)
    rate = a_rate(session, customer_id, service_id)
    columns = {
        "customer_id": customer_id,
        "service_id": service_id,
        "unit_price": Decimal(9),
        "currency": "USD",
        "valid_from": JAN,
        "created_at": NOW,
    }
    session.execute(insert(Rate).values(**columns, withdrawn_at=NOW))
    session.execute(insert(Rate).values(**columns, withdrawn_at=NOW))
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(insert(Rate).values(**columns))
    assert session.scalars(select(Rate.id).where(Rate.in_force)).all() == [rate.id]


@pytest.mark.parametrize("day", [date(2025, 12, 31), date(2026, 3, 2)])
def test_a_change_starts_on_a_day_of_the_rate(session, day):
    rate = a_rate(session, a_customer(session), a_service(session), valid_to=MAR)
    with pytest.raises(Invalid, match="holds from 2026-01-01 to 2026-03-01"):
        service.change_rate(session, ADMIN, rate.id, Pricing(Decimal(2)), starts_on=day, now=NOW)


@pytest.mark.parametrize(("first", "last"), [(JAN, JAN), (date(2025, 1, 1), None), (MAR, MAY), (date(2025, 1, 1), JAN)])
def test_rates_of_one_service_never_share_a_day(session, first, last):
    customer_id, service_id = a_customer(session), a_service(session)
    a_rate(session, customer_id, service_id, valid_to=MAR)
    with pytest.raises(Conflict, match="Pick already has a rate from 2026-01-01 to 2026-03-01"):
        a_rate(session, customer_id, service_id, valid_from=first, valid_to=last)


def test_ending_reopening_and_not_over_a_later_version(session):
    customer_id, service_id = a_customer(session), a_service(session)
    rate = a_rate(session, customer_id, service_id)
    service.end_rate(session, ADMIN, rate.id, last_day=MAR, now=NOW)
    assert stored(session, customer_id) == [(Decimal("1.5"), JAN, MAR)]
    service.end_rate(session, ADMIN, rate.id, last_day=None, now=NOW)
    service.end_rate(session, ADMIN, rate.id, last_day=MAR, now=NOW)
    a_rate(session, customer_id, service_id, valid_from=MAY)
    with pytest.raises(Conflict, match="already has a rate from 2026-05-01"):
        service.end_rate(session, ADMIN, rate.id, last_day=MAY, now=NOW)
    with pytest.raises(Invalid, match="before the first"):
        service.end_rate(session, ADMIN, rate.id, last_day=date(2025, 1, 1), now=NOW)


def test_a_card_is_copied_within_one_currency(session):
    source, target = a_customer(session), a_customer(session, "C2")
    a_rate(session, source, a_service(session), skus=["A"])
    a_rate(session, source, a_service(session, "PACK", CostType.PER_PACKAGE), valid_to=MAR)
    service.copy_card(session, ADMIN, from_customer_id=source, to_customer_id=target, starts_on=MAR, now=NOW)
    copied = queries.card_on(session, ADMIN, target, MAR)
    assert [(row.service_name, row.valid_from, row.valid_to, row.skus) for row in copied] == [
        ("Pack", MAR, MAR, None),
        ("Pick", MAR, None, ["A"]),
    ]
    with pytest.raises(Conflict, match="already has a rate"):
        service.copy_card(session, ADMIN, from_customer_id=source, to_customer_id=target, starts_on=MAR, now=NOW)
    with pytest.raises(Conflict, match="is billed in USD, Acme C3 in EUR"):
        service.copy_card(
            session,
            ADMIN,
            from_customer_id=source,
            to_customer_id=a_customer(session, "C3", "EUR"),
            starts_on=MAR,
            now=NOW,
        )


def test_what_a_service_counts_stays_once_it_is_priced(session):
    service_id = a_service(session)
    service.change_service(session, ADMIN, service_id, name="Packing", cost_type=CostType.PER_SKU, now=NOW)
    a_rate(session, a_customer(session), service_id)
    service.change_service(session, ADMIN, service_id, name="Picking", cost_type=CostType.PER_SKU, now=NOW)
    with pytest.raises(Conflict, match="create another service"):
        service.change_service(session, ADMIN, service_id, name="Picking", cost_type=CostType.PER_ITEM, now=NOW)
    assert [(row.name, row.cost_type, row.customers) for row in queries.services(session, FINANCE)] == [
        ("Picking", CostType.PER_SKU, 1)
    ]
    with pytest.raises(Conflict, match="already a service with the code PICK"):
        a_service(session)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"price": "-1"}, "unit_price"),
        ({"price": "0.0000001"}, "unit_price"),
        ({"price": "NaN"}, "unit_price"),
        ({"minimum": Decimal("0.001")}, "minimum"),
        ({"minimum": Decimal(2), "maximum": Decimal(1)}, "maximum"),
        ({"maximum": Decimal(-1)}, "maximum"),
        ({"skus": ["x" * 101]}, "skus"),
    ],
)
def test_terms_that_cannot_be(session, more, field):
    with pytest.raises(Invalid) as refused:
        a_rate(session, a_customer(session), a_service(session), **more)
    assert list(refused.value.fields) == [field]


def test_every_change_is_written_down(session):
    customer_id, service_id = a_customer(session), a_service(session)
    rate = a_rate(session, customer_id, service_id)
    service.change_rate(session, ADMIN, rate.id, Pricing(Decimal(2)), starts_on=MAR, now=NOW)
    session.flush()
    actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert actions == ["service.create", "rate.create", "rate.end", "rate.create"]


def test_only_those_who_may(session):
    customer_id, service_id = a_customer(session), a_service(session)
    rate = a_rate(session, customer_id, service_id)
    with pytest.raises(Forbidden):
        service.change_rate(session, FINANCE, rate.id, Pricing(Decimal(2)), starts_on=MAR, now=NOW)
    other = a_customer(session, "C2")
    theirs = actor_with(Role.ADMIN, user_id=None, name="Theirs", customer_id=other)
    assert queries.card_on(session, theirs, customer_id, MAY) == []
    with pytest.raises(NotFound):
        queries.one(session, theirs, rate.id)
    with pytest.raises(Forbidden):
        service.end_rate(session, theirs, rate.id, last_day=MAR, now=NOW)
    assert session.scalar(select(Rate.valid_to)) is None


def test_no_text_of_a_card_holds_a_control_character(session):
    """PostgreSQL would keep a NUL inside JSON and then fail at every rating of the customer."""
    customer_id, service_id = a_customer(session), a_service(session)
    with pytest.raises(Invalid, match=r"U\+0000"):
        a_rate(session, customer_id, service_id, skus=("A\0B",))
    with pytest.raises(Invalid, match=r"U\+0007"):
        a_service(session, code="P\aICK2")
    a_rate(session, customer_id, service_id, skus=("SOCIÉTÉ\u00a0SA",))


def test_a_rate_is_read_by_itself_and_its_service_by_name(session):
    customer_id, other = a_customer(session), a_customer(session, "C2")
    pick, pack = a_service(session), a_service(session, "PACK", CostType.PER_PACKAGE)
    first, second = a_rate(session, customer_id, pick), a_rate(session, customer_id, pack, "2")
    a_rate(session, other, pick)

    for rate, price, name in ((first, "1.5", "Pick"), (second, "2", "Pack")):
        row = queries.one(session, FINANCE, rate.id)
        assert (row.id, row.unit_price, row.service_name) == (rate.id, Decimal(price), name)
    with pytest.raises(NotFound, match="There is no rate 77"):
        queries.one(session, FINANCE, 77)
    bound = actor_with(Role.FINANCE, user_id=None, name="Theirs", customer_id=other)
    assert [(row.name, row.customers) for row in queries.services(session, FINANCE)] == [("Pack", 1), ("Pick", 2)]
    assert [(row.name, row.customers) for row in queries.services(session, bound)] == [("Pack", 0), ("Pick", 1)]


@pytest.mark.parametrize(("day", "held"), [(-1, False), (0, True), (59, True), (60, False)])
def test_a_card_has_what_is_valid_on_its_day(session, day, held):
    """From January 1st to March 1st, which is day 59."""
    customer_id = a_customer(session)
    a_rate(session, customer_id, a_service(session), valid_to=MAR)
    assert len(queries.card_on(session, ADMIN, customer_id, JAN + timedelta(days=day))) == held


def test_what_does_not_exist_is_not_changed(session):
    customer_id, service_id = a_customer(session), a_service(session)
    two = Pricing(Decimal(2))
    for refused, words in (
        (lambda: service.change_rate(session, ADMIN, 77, two, starts_on=MAR, now=NOW), "There is no rate 77"),
        (lambda: service.remove_rate(session, ADMIN, 77, now=NOW), "There is no rate 77"),
        (lambda: a_rate(session, customer_id, 77), "There is no service 77"),
        (lambda: a_rate(session, 77, service_id), "customer"),
    ):
        with pytest.raises(NotFound, match=words):
            refused()


def test_what_would_change_nothing_is_refused_or_left_alone(session):
    customer_id, service_id = a_customer(session), a_service(session)
    rate = a_rate(session, customer_id, service_id, valid_to=MAR)
    written = len(last_actions(session, 99))

    with pytest.raises(Invalid, match="Nothing would change"):
        service.change_rate(session, ADMIN, rate.id, Pricing(Decimal("1.50")), starts_on=MAR, now=NOW)
    with pytest.raises(Invalid, match="Choose another customer"):
        service.copy_card(
            session, ADMIN, from_customer_id=customer_id, to_customer_id=customer_id, starts_on=MAR, now=NOW
        )
    assert service.end_rate(session, ADMIN, rate.id, last_day=MAR, now=NOW) is rate
    same = service.change_service(session, ADMIN, service_id, name=" Pick ", cost_type=CostType.PER_ITEM, now=NOW)
    assert (same.name, len(last_actions(session, 99))) == ("Pick", written)


def test_a_rate_holds_for_a_day_at_least(session):
    customer_id, service_id = a_customer(session), a_service(session)
    with pytest.raises(Invalid) as refused:
        a_rate(session, customer_id, service_id, valid_from=MAR, valid_to=MAR - timedelta(days=1))
    assert refused.value.fields == {"valid_to": "before 2026-03-01"}
    rate = a_rate(session, customer_id, service_id, valid_from=MAR, valid_to=MAR)
    with pytest.raises(Invalid) as refused:
        service.end_rate(session, ADMIN, rate.id, last_day=MAR - timedelta(days=1), now=NOW)
    assert refused.value.fields == {"last_day": "before 2026-03-01"}
    assert service.end_rate(session, ADMIN, rate.id, last_day=MAY, now=NOW).valid_to == MAY
    assert service.end_rate(session, ADMIN, rate.id, last_day=MAR, now=NOW).valid_to == MAR


def test_a_rate_begins_the_day_after_another_ends(session):
    customer_id, service_id = a_customer(session), a_service(session)
    first = a_rate(session, customer_id, service_id, valid_to=MAR)
    later = a_rate(session, customer_id, service_id, valid_from=MAR + timedelta(days=2))
    a_rate(session, a_customer(session, "C2"), service_id)
    a_rate(session, customer_id, a_service(session, "PACK"))

    with pytest.raises(Conflict, match="already has a rate from 2026-03-03 on"):
        service.end_rate(session, ADMIN, first.id, last_day=MAR + timedelta(days=2), now=NOW)
    service.end_rate(session, ADMIN, first.id, last_day=MAR + timedelta(days=1), now=NOW)
    changed = service.change_rate(session, ADMIN, later.id, Pricing(Decimal(3)), starts_on=MAY, now=NOW)
    assert (later.valid_to, changed.valid_from, changed.valid_to) == (MAY - timedelta(days=1), MAY, None)


def test_a_service_has_a_code_and_a_name_that_fit(session):
    facts = {"cost_type": CostType.PER_ITEM, "now": NOW}
    for code, name, field in (("", "P", "code"), ("x" * 65, "P", "code"), ("P", " ", "name"), ("P", "x" * 201, "name")):
        with pytest.raises(Invalid) as refused:
            service.create_service(session, ADMIN, code=code, name=name, **facts)
        assert list(refused.value.fields) == [field]
    longest = service.create_service(session, ADMIN, code="x" * 64, name="y" * 200, **facts)
    assert (longest.code, longest.name) == ("x" * 64, "y" * 200)
