"""A subscription lives through anything in any order: its books hold after each step, and what was shown is charged."""

from contextlib import suppress
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.errors import Conflict, Invalid
from billing_core.identity import SYSTEM
from billing_core.online_payments.gateway import Declined
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.plans.models import BillingTiming
from billing_core.plans.terms import AddOn
from billing_core.settings import settings as product_settings
from billing_core.subscriptions import clock, verification
from billing_core.subscriptions.changes import changing, pausing, paying
from billing_core.subscriptions.changes.closing import Ending, OpenInvoices, Unused
from billing_core.subscriptions.changes.wanted import Wanted, When
from billing_core.subscriptions.models import ChangeState, SubscriptionChange
from tests.subscriptions.changed import D, cancelled_as_shown, charged, found, plans, subscribed
from tests.subscriptions.signed_up import a_plan, at
from tests.subscriptions.test_collecting import FAILS

PLANS = ("pro", "team", "seats", "year", "calls", "latest")
changes = st.builds(
    Wanted,
    plan_code=st.sampled_from((None, *PLANS)),
    seats=st.sampled_from((None, None, 1, 3)),
    add_ons=st.sampled_from((None, None, {}, {"support": 2})),
    when=st.sampled_from((None, *When)),
)
endings = st.builds(
    Ending,
    at_period_end=st.booleans(),
    unused=st.sampled_from(Unused),
    open_invoices=st.sampled_from(OpenInvoices),
)
steps = st.lists(
    st.tuples(
        st.sampled_from((0, 1, 3, 9, 20, 33)),
        st.one_of(
            changes, changes, changes, endings, st.sampled_from(("pause", "resume", "withdraw", FAILS, "pm_good"))
        ),
    ),
    min_size=2,
    max_size=8,
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps, st.sampled_from((0, 14)), st.sampled_from((D(0), D(19))), st.booleans())
def test_its_books_hold_after_each_step(sessions, data_dir, steps, trial_days, tax_rate, has_card):
    gateway = SandboxGateway(sessions, product_settings())
    with sessions.begin() as session:
        if session.scalar(select(Customer.id)) is None:
            plans(session)
            a_plan(session, "calls", price_per_call="0.01")
            a_plan(
                session, "latest", "60", timing=BillingTiming.ARREARS, add_ons=(AddOn("support", "S", {"USD": D(7)}),)
            )
    card = "pm_good" if has_card else None
    public_id = subscribed(sessions, gateway, card=card, trial_days=trial_days, tax_rate=tax_rate)
    now = at(1, 31, 12)
    for days, step in steps:
        now += timedelta(days=days)
        list(clock.run(sessions, SYSTEM, gateway, now=now))
        with suppress(Conflict, Invalid, Declined):
            do(sessions, gateway, public_id, step, now)
        with sessions() as session:
            assert [check.wrong for check in verification.checks(session) if check.wrong] == []
            assert found(session, public_id).held_at is None


def do(sessions, gateway, public_id, step, now) -> None:
    match step:
        case Wanted():
            with sessions() as session:
                shown = changing.preview(session, SYSTEM, public_id, step, now=now)
                before = sum(charged(session))
                has_card = found(session, public_id).payment_method_id is not None
            changing.change(sessions, SYSTEM, gateway, public_id, step, token=shown.token, now=now)
            with sessions() as session:
                assert sum(charged(session)) - before == (shown.to_pay_minor if has_card else 0)
        case Ending():
            cancelled_as_shown(sessions, gateway, public_id, step, now)
        case "pause" | "resume":
            with sessions.begin() as session:
                getattr(pausing, step)(session, SYSTEM, public_id, now=now)
        case "withdraw":
            with sessions.begin() as session:
                scheduled = select(SubscriptionChange.id).where(
                    SubscriptionChange.subscription_id == found(session, public_id).id,
                    SubscriptionChange.state == ChangeState.SCHEDULED,
                )
                if (change_id := session.scalar(scheduled.limit(1))) is not None:
                    changing.withdraw(session, SYSTEM, public_id, change_id, now=now)
        case _:
            paying.replace(sessions, SYSTEM, gateway, public_id, step, now=now)
