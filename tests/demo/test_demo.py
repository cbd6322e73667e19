"""The demo company: the same every time, with something of everything, and nothing that does not add up."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from sqlalchemy import func, select

from billing_core import demo
from billing_core.businesses.number_series import SeriesKind
from billing_core.customers.models import Customer
from billing_core.database import Sessions, connect
from billing_core.dates import Period, first_of_month
from billing_core.demo import order_book
from billing_core.demo.definitions import definitions
from billing_core.errors import Conflict, Forbidden
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.identity.models import User
from billing_core.identity.passwords import matches
from billing_core.invoices import lifecycle, numbering
from billing_core.invoices.models import Invoice, InvoicedReport
from billing_core.invoices.payment_links import LinkState, Mode, PaymentLink
from billing_core.ledger.models import LedgerPosting
from billing_core.metering import verification as metering
from billing_core.metering.models import (
    UsageArchive,
    UsageDay,
    UsageEvent,
    UsageEventKey,
    UsagePeriod,
    UsageUser,
    ZoneKind,
)
from billing_core.online_payments.models import (
    AttemptState,
    CaseKind,
    ChargeAttempt,
    Dispute,
    DisputeState,
    PaymentCase,
    RefundRequest,
    RefundRequestState,
    SandboxCharge,
    SandboxRefund,
    WebhookEvent,
    WebhookState,
)
from billing_core.online_payments.reconciliation import balance_transactions, reconciliation
from billing_core.online_payments.reconciliation.reconciliation import Agreement, PairFilter
from billing_core.orders.models import Order, OrderLine, OrderStatus, Product
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.payments.models import Payment, PaymentMethod
from billing_core.plans.models import CustomerPlan, Plan, PlanVersion
from billing_core.promotions import listing as promo_codes
from billing_core.promotions.listing import CodeFilter, CodeStatus
from billing_core.rating import conditions
from billing_core.rating.models import CostType, QuestionKind, Rate, Service, TierMode
from billing_core.reports import verification
from billing_core.reports.models import BillingMonth, BillingReport, ReportCharge, ReportQuestion
from billing_core.subscriptions import verification as subscriptions
from billing_core.subscriptions.models import ChangeState, MoveMail, Subscription, SubscriptionChange, SubscriptionState
from billing_core.subscriptions.moving import listing, rehearsing
from billing_core.subscriptions.moving.asked import Asked
from billing_core.subscriptions.moving.candidates import LeftOut
from billing_core.subscriptions.overview import search
from billing_core.subscriptions.overview.search import SubscriptionFilter, Tab

pytestmark = [pytest.mark.slow, pytest.mark.later]

TODAY = date(2026, 11, 21)
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
ORDERS = 3_000
CALLS = 60_000


@pytest.fixture(scope="module")
def filled_file(demo_company):
    """What is in it does not depend on the database, which another test tries on both."""
    file = demo_company("demo", today=TODAY, now=NOW, orders=ORDERS, calls=CALLS)
    sessions = Sessions(connect(f"sqlite:///{file}"))
    yield sessions
    sessions.engine.dispose()


@pytest.fixture
def filled(filled_file):
    with filled_file() as session:
        yield session


def drawn(seed, count=20_000):
    return order_book.draw(definitions(), seed, first_day=date(2025, 5, 1), today=TODAY, count=count)


def test_the_same_seed_gives_the_same_orders_and_another_seed_others():
    assert drawn(7, 500) == drawn(7, 500)
    assert drawn(7, 500) != drawn(8, 500)


def test_twenty_thousand_orders_have_sixty_thousand_lines_over_eighteen_months():
    orders = drawn(7)
    assert len(orders) == 20_000
    assert sum(len(order.lines) for order in orders) == 60_000
    days = [order.row["order_date"] for order in orders]
    assert (min(days).isoformat()[:7], days[-1] <= TODAY, days == sorted(days)) == ("2025-05", True, True)
    assert len({order.row["number"] for order in orders}) == 20_000


def test_business_grows_and_december_is_busier_than_january():
    by_month = {}
    for order in drawn(7):
        month = first_of_month(order.row["order_date"])
        by_month[month] = by_month.get(month, 0) + 1
    assert by_month[date(2025, 12, 1)] > by_month[date(2026, 1, 1)]
    assert by_month[date(2026, 10, 1)] > by_month[date(2025, 10, 1)]


def test_the_company_has_something_of_everything(filled):
    def distinct(column):
        return set(filled.scalars(select(column).distinct()))

    assert filled.scalar(select(func.count()).select_from(Customer)) == 40
    assert distinct(Customer.currency) == {"EUR", "USD"}
    assert distinct(Service.cost_type) == set(CostType)
    assert distinct(Rate.tier_mode) == {*TierMode, None}
    assert distinct(ReportQuestion.kind) == set(QuestionKind)
    assert distinct(Order.status) == set(OrderStatus)
    assert distinct(ReportCharge.bound) == {"minimum", "maximum", None}
    assert {Decimal(0), Decimal(1)} < distinct(Product.case_size)
    assert distinct(ReportCharge.service_id) == distinct(Service.id)
    assert filled.scalar(select(func.count()).where(Order.weight.is_(None)))
    unknown = select(func.count()).select_from(OrderLine).where(OrderLine.sku_key.not_in(select(Product.sku_key)))
    assert filled.scalar(unknown)


def test_customers_write_in_several_scripts(filled):
    names = "".join(filled.scalars(select(Customer.name)))
    assert set("öŁÍΘКİ") <= set(names)


def test_every_condition_is_one_that_the_rate_card_takes(filled):
    found = [raw for raw in filled.scalars(select(Rate.conditions)) if raw is not None]
    assert found
    assert all(conditions.parse(raw) is not None for raw in found)


def test_each_rate_is_in_its_customers_currency_and_no_two_overlap(filled):
    rates = filled.execute(
        select(Rate.customer_id, Rate.service_id, Rate.valid_from, Rate.valid_to, Rate.currency, Customer.currency)
        .join(Customer, Customer.id == Rate.customer_id)
        .order_by(Rate.customer_id, Rate.service_id, Rate.valid_from)
    ).all()
    assert all(row[4] == row[5] for row in rates)
    for before, after in pairwise(rates):
        if before[:2] == after[:2]:
            assert before.valid_to is not None
            assert before.valid_to < after.valid_from
    changes = {row[:2] for row in rates if row.valid_from > date(2025, 12, 1)}
    assert changes, "prices change in the middle"


def test_reports_were_made_in_the_month_after_and_some_work_is_left(filled):
    reports = filled.execute(select(BillingReport.period_end, BillingReport.created_at)).all()
    assert all(timedelta(0) < made.date() - end < timedelta(days=12) for end, made in reports)
    assert max(end for end, _ in reports) == date(2026, 10, 31)

    def unbilled(month):
        return filled.scalar(select(func.sum(BillingMonth.unbilled_orders)).where(BillingMonth.month == month))

    assert unbilled(date(2026, 10, 1)) > unbilled(date(2026, 9, 1))
    billed = select(func.sum(BillingMonth.billable_orders - BillingMonth.unbilled_orders))
    assert filled.scalar(billed.where(BillingMonth.month == date(2026, 10, 1))) > 0
    assert filled.scalar(billed.where(BillingMonth.month == date(2026, 11, 1))) == 0


def test_some_reports_have_a_second_version_after_late_orders(filled):
    versions = filled.execute(
        select(BillingReport.version, BillingReport.superseded_by_id).where(BillingReport.superseded_at.is_not(None))
    ).all()
    assert versions
    assert all(version == 1 and successor for version, successor in versions)


def test_every_kept_total_is_proven(filled):
    checks = list(verification.checks(filled))
    assert checks
    assert [check.wrong for check in checks if check.wrong] == []


def test_a_database_with_customers_is_left_alone(filled_file):
    with pytest.raises(Conflict, match="already has customers"):
        demo.fill(filled_file, SYSTEM, today=TODAY, now=NOW)


def test_a_manager_cannot_fill_the_database(sessions):
    with pytest.raises(Forbidden):
        demo.fill(sessions, actor_with(Role.MANAGER, user_id=1, name="Max"), today=TODAY, now=NOW)


def test_three_accounts_can_sign_in_with_the_passwords_that_are_shown(session):
    accounts = demo.new_accounts()
    demo.add_accounts(session, SYSTEM, accounts, now=NOW)
    kept = {user.email: user for user in session.scalars(select(User))}
    assert {(account.email, account.role) for account in accounts} == {
        ("admin@demo.example", Role.ADMIN),
        ("manager@demo.example", Role.MANAGER),
        ("finance@demo.example", Role.FINANCE),
    }
    for account in accounts:
        assert matches(account.password, kept[account.email].password_hash)[0]
        assert kept[account.email].role is account.role


def test_its_invoices_show_every_status_and_its_ledger_balances(filled):
    found = filled.execute(select(lifecycle.status_sql(TODAY).label("status"), func.count()).group_by("status"))
    assert {status for status, _ in found} >= {"draft", "sent", "viewed", "overdue", "paid", "cancelled"}
    sums = filled.execute(
        select(LedgerPosting.currency, func.sum(LedgerPosting.amount_minor)).group_by(LedgerPosting.currency)
    )
    assert {currency: int(total) for currency, total in sums} == {"EUR": 0, "USD": 0}


def test_its_invoice_numbers_have_no_holes(filled):
    found = numbering.series(filled)
    assert {series.kind for series in found} == set(SeriesKind)
    assert all(series.whole for series in found)


def test_every_invoice_of_a_report_comes_to_the_report_before_tax(filled):
    differing = (
        select(func.count())
        .select_from(Invoice)
        .join(InvoicedReport, InvoicedReport.invoice_id == Invoice.id)
        .join(BillingReport, BillingReport.id == InvoicedReport.report_id)
        .where(Invoice.subtotal_minor != BillingReport.total_minor)
    )
    assert filled.scalar(differing) == 0
    assert filled.scalar(select(func.count()).select_from(InvoicedReport)) > 400


def test_its_payment_links_show_every_end_and_what_people_have_to_look_at(filled):
    found = dict(filled.execute(select(PaymentLink.state, func.count()).group_by(PaymentLink.state)).all())
    assert set(found) >= {LinkState.ACTIVE, LinkState.PAID, LinkState.EXPIRED, LinkState.DEACTIVATED}
    active = filled.scalars(select(PaymentLink).where(PaymentLink.state == LinkState.ACTIVE)).all()
    assert all(link.expires_at.date() > TODAY for link in active)
    assert {"Your card was declined.", ""} <= {link.last_failure for link in active}
    assert {0} < {link.clicks for link in active}
    assert filled.scalar(select(Invoice.payment_failure).where(Invoice.payment_failed_at.is_not(None)))
    assert filled.scalars(select(PaymentCase.kind)).all() == [CaseKind.AMOUNT_DIFFERS]
    assert filled.scalars(select(Dispute.state)).all() == [DisputeState.OPEN]
    assert set(filled.scalars(select(RefundRequest.state))) == {RefundRequestState.DONE}


def test_its_webhooks_are_applied_and_its_gateway_is_told(filled):
    assert set(filled.scalars(select(WebhookEvent.state))) == {WebhookState.HANDLED}
    assert set(filled.scalars(select(OutboxMessage.state))) == {MessageState.DELIVERED}
    assert filled.scalar(select(func.max(WebhookEvent.received_at))) < NOW
    online = select(Payment.fee_minor, Payment.amount_minor).where(Payment.method == PaymentMethod.STRIPE)
    payments = filled.execute(online).all()
    by_link = filled.scalar(select(func.count()).where(PaymentLink.state == LinkState.PAID))
    by_itself = filled.scalar(select(func.count()).where(ChargeAttempt.state == AttemptState.SUCCEEDED))
    assert len(payments) == by_link + by_itself
    # The sandbox keeps 2.9 % and 30 cents, rounded to the nearest cent.
    assert all(abs(fee - Decimal(amount) * 29 / 1000 - 30) <= Decimal("0.5") for fee, amount in payments)


def test_the_sandboxs_books_were_read_and_agree_with_ours(filled):
    since = Period(date(2026, 5, 1), date(2026, 11, 30))
    assert balance_transactions.last_reading(filled, SYSTEM, Mode.SANDBOX, since) is not None
    sums = reconciliation.sums(filled, SYSTEM, PairFilter(Mode.SANDBOX, since))
    assert {one.agreement for one in sums if one.pairs} == {Agreement.MATCHED}
    charged = select(func.count()).where(
        SandboxCharge.succeeded, SandboxCharge.created_at >= datetime(2026, 5, 1, tzinfo=UTC)
    )
    refunded = select(func.count()).select_from(SandboxRefund)
    assert sum(one.pairs for one in sums) == filled.scalar(charged) + filled.scalar(refunded)


def test_its_sixty_subscriptions_are_of_every_kind(filled):
    states = Counter(filled.scalars(select(Subscription.state)))
    assert sum(states.values()) == 60
    assert set(states) == set(SubscriptionState) - {SubscriptionState.INCOMPLETE}
    ending = Subscription.cancel_at_period_end & (Subscription.state == SubscriptionState.ACTIVE)
    assert filled.scalar(select(func.count()).where(ending)) >= 1
    asked = select(SubscriptionChange.state).where(SubscriptionChange.move_id.is_(None))
    assert filled.scalars(asked).all() == [ChangeState.SCHEDULED]
    assert filled.scalar(select(func.count()).where(Subscription.paused_at.is_not(None))) == 1
    begun = filled.scalars(select(Subscription.created_at).order_by(Subscription.created_at)).all()
    assert (begun[0].date(), begun[-1].date()) > (date(2025, 5, 1), date(2026, 11, 1))
    assert begun[0].date() < date(2025, 7, 1)


def test_each_list_of_subscriptions_and_promo_codes_has_some(filled):
    counts = search.counts(filled, SYSTEM, SubscriptionFilter(today=TODAY), at_most=100)
    assert [tab for tab, count in counts.items() if not count] == []
    # Three days were billed, four others wait for a person.
    held = search.page(filled, SYSTEM, SubscriptionFilter(Tab.HELD), limit=2)
    assert [(one.plan_code, one.held_at.date()) for one in held] == [("dock", date(2026, 11, 19))]
    codes = promo_codes.codes(filled, SYSTEM, CodeFilter(), today=TODAY, limit=10)
    assert {code.status for code in codes} == {CodeStatus.ACTIVE, CodeStatus.EXPIRED}


def test_its_subscriptions_are_proven(filled):
    found = {check.name: (check.proven, check.wrong) for check in subscriptions.checks(filled)}
    assert not any(wrong for _, wrong in found.values()), found
    assert all(proven for proven, _ in found.values()), found


def test_its_portal_costs_more_and_its_subscribers_were_told_moved_left_out_or_let_stay(filled):
    made = listing.moves(filled, SYSTEM, "portal", limit=10)
    assert [(one.version, one.told, one.first_day) for one in made] == [(2, True, date(2026, 11, 9))]
    rows = listing.page(filled, SYSTEM, made[0].id, limit=100)
    stays = [row for row in rows if row.state is ChangeState.WITHDRAWN]
    assert {row.state for row in rows} == {ChangeState.SCHEDULED, ChangeState.APPLIED, ChangeState.WITHDRAWN}
    assert [row.mail for row in stays] == [MoveMail.RECALLED]
    assert {row.mail for row in rows} == {MoveMail.TOLD, MoveMail.RECALLED}
    seats = dict(filled.execute(select(Subscription.id, Subscription.seats)).all())
    for row in rows:
        # Beyond three, seats cost 9 and now 10 (of dollars 10 and 11); the support costs what it did.
        beyond, dollars = max(seats[row.subscription_id] - 3, 0), row.currency == "USD"
        assert row.after_minor - row.before_minor == 500 + 100 * beyond
        alone = row.before_minor - (1_000 if dollars else 900) * beyond
        assert alone in ((5_500, 10_500) if dollars else (4_900, 9_400))
        assert row.begins_on <= TODAY if row.state is ChangeState.APPLIED else row.begins_on > date(2026, 11, 8)
    asked = Asked("portal", 2, date(2026, 12, 21))
    staying = rehearsing.page(filled, SYSTEM, asked, left_out=True, limit=100)
    assert {row.left_out for row in staying} == {LeftOut.PAUSED, LeftOut.MOVING}


def calls_of(session, *conditions):
    return session.scalar(select(func.sum(UsageDay.calls)).where(UsageDay.zone_kind == ZoneKind.UTC, *conditions))


def test_its_calls_come_to_what_was_asked_for_in_both_zones(filled):
    assert calls_of(filled) == CALLS
    assert filled.scalar(select(func.sum(UsageDay.calls)).where(UsageDay.zone_kind == ZoneKind.BILLING)) == CALLS
    days = select(func.min(UsageDay.day), func.max(UsageDay.day)).where(UsageDay.zone_kind == ZoneKind.UTC)
    assert filled.execute(days).one() == (date(2025, 5, 1), date(2026, 11, 20))


def test_it_has_the_events_of_the_last_two_months_and_of_those_before_what_another_system_handed_over(filled):
    here = UsageDay.archive_id == 0
    assert filled.scalar(select(func.min(UsageDay.day)).where(here, UsageDay.zone_kind == ZoneKind.UTC)) == date(
        2026, 10, 1
    )
    events = filled.scalar(select(func.count()).select_from(UsageEvent))
    withdrawn = filled.scalar(select(func.count()).where(UsageEventKey.withdrawn_at.is_not(None)))
    assert calls_of(filled, here) == events - withdrawn
    archives = filled.scalars(select(UsageArchive).order_by(UsageArchive.month)).all()
    assert [archive.month for archive in archives][:: len(archives) - 1] == [date(2025, 5, 1), date(2026, 9, 1)]
    assert len(archives) == 17
    assert {archive.file for archive in archives} == {None}
    assert sum(archive.events for archive in archives) == CALLS - calls_of(filled, here)


def test_its_usage_is_proven(filled):
    assert [(check.name, check.wrong) for check in metering.checks(filled) if check.wrong] == []


def test_its_calls_grow_and_rest_on_sundays(filled):
    def month(first, following):
        return calls_of(filled, UsageDay.day >= first, UsageDay.day < following)

    assert month(date(2026, 10, 1), date(2026, 11, 1)) > month(date(2025, 10, 1), date(2025, 11, 1))
    # A Wednesday and a Sunday.
    assert calls_of(filled, UsageDay.day == date(2026, 9, 16)) > 3 * calls_of(filled, UsageDay.day == date(2026, 9, 20))
    joined = select(UsageUser.first_seen_at).where(UsageUser.user == "marketplace")
    assert filled.scalars(joined).one().date() >= date(2025, 12, 1)


def test_its_customers_are_on_three_plans_in_versions_and_changed_them(filled):
    versions = filled.execute(select(Plan.code, PlanVersion.number).join(PlanVersion).order_by(Plan.code)).all()
    once, twice = {"dock", "enterprise", "insurance", "shelves"}, {"basic", "portal", "pro"}
    assert set(versions) == {(code, 1) for code in once | twice} | {(code, 2) for code in twice}
    on = filled.execute(
        select(Customer.ref, CustomerPlan.valid_from, Plan.code, PlanVersion.number)
        .join_from(CustomerPlan, Customer, Customer.id == CustomerPlan.customer_id)
        .join(PlanVersion, PlanVersion.id == CustomerPlan.plan_version_id)
        .join(Plan, Plan.id == PlanVersion.plan_id)
        .where(Customer.ref.in_(["PETIT", "KNIHY"]))
        .order_by(Customer.ref, CustomerPlan.valid_from)
    ).all()
    assert on == [
        ("KNIHY", date(2025, 5, 1), "basic", 1),
        ("PETIT", date(2025, 5, 1), "basic", 1),
        ("PETIT", date(2026, 10, 16), "pro", 2),
    ]


def test_some_of_its_usage_is_billed_and_some_came_late_or_was_taken_back(filled):
    periods = filled.execute(
        select(Customer.ref, UsagePeriod.first_day, UsagePeriod.last_day)
        .join(Customer, Customer.id == UsagePeriod.customer_id)
        .order_by(Customer.ref)
    ).all()
    assert periods == [(ref, date(2026, 10, 1), date(2026, 10, 31)) for ref in ("KAFFE", "KNIHY", "NORDL")]
    assert filled.scalar(select(func.count()).where(UsageEvent.late)) == 12
    assert filled.scalar(select(func.count()).where(UsageEventKey.withdrawn_at.is_not(None))) == 12
