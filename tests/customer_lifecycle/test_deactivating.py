"""A customer that is deactivated: nothing new is billed to it, what is open stays payable, and it can come back."""

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.bill_runs import planning
from billing_core.businesses.queries import default_business
from billing_core.customer_lifecycle import deactivating
from billing_core.dates import Period
from billing_core.errors import Conflict, Forbidden, Invalid
from billing_core.identity import Role, actor_with
from billing_core.invoices import after_sending, by_email, service
from billing_core.invoices.by_email import Addressed
from billing_core.invoices.models import Invoice
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.plans import service as plans
from billing_core.reports import service as reports
from billing_core.reports import summary
from billing_core.reports.summary import SummaryFilter
from billing_core.subscriptions import lifecycle
from billing_core.subscriptions.models import Subscription
from tests.invoices.company import GRACE, LATER, NOW, TODAY, a_customer, a_draft, a_line, an_invoice
from tests.subscriptions.signed_up import a_plan, a_subscription

MARCH = Period.month_of(TODAY)
REASON = "Acme Corp is deactivated: nothing new is billed to it. Reactivate the customer first"


@pytest.fixture
def acme(session) -> int:
    return a_customer(session)


def deactivate(session, customer_id):
    return deactivating.deactivate(session, GRACE, customer_id, now=NOW)


def test_nothing_new_is_billed_to_it_until_it_is_reactivated(session, acme):
    draft, sent = a_draft(session, acme).id, an_invoice(session, acme)
    assert deactivating.standing(session, GRACE, acme) == deactivating.Standing(1, 1, ())
    deactivate(session, acme)
    addressed = Addressed(default_business(session).public_id, "AP@acme.example", "USD", (a_line(),))

    def run(customer_ids=(acme,)):
        return planning.plan(session, GRACE, customer_ids=customer_ids, period=MARCH, now=LATER)

    billing = [
        lambda: a_draft(session, acme),
        lambda: service.send(session, GRACE, draft, now=LATER),
        lambda: service.duplicate(session, GRACE, sent.id, now=LATER, today=TODAY),
        lambda: by_email.create(session, GRACE, addressed, now=LATER),
        lambda: reports.generate(session, GRACE, customer_id=acme, period=MARCH, now=LATER),
        lambda: plans.put_on(session, GRACE, acme, "none", valid_from=TODAY, now=LATER),
    ]
    for bill in billing:
        with pytest.raises(Conflict) as refused:
            bill()
        assert str(refused.value) == REASON
    with pytest.raises(Invalid, match="No customer has orders to bill"):
        run(None)

    deactivating.reactivate(session, GRACE, acme, now=LATER)
    assert service.send(session, GRACE, draft, now=LATER).number
    assert by_email.create(session, GRACE, addressed, now=LATER).customer_id == acme
    assert run()


def test_what_is_open_stays_payable_and_correctable(session, acme):
    paid, credited = an_invoice(session, acme), an_invoice(session, acme)
    deactivate(session, acme)
    money = Received("USD", 23_800, PaymentMethod.BANK_TRANSFER, TODAY)
    received.record_for(session, GRACE, paid.id, received=money, today=TODAY, now=LATER)
    after_sending.cancel(session, GRACE, credited.id, reason="Twice", today=TODAY, now=LATER)
    assert [session.get_one(Invoice, one.id).state for one in (paid, credited)] == ["paid", "cancelled"]


def test_a_subscription_that_runs_is_cancelled_first(session, acme):
    plan = a_plan(session)
    subscribed = a_subscription(session, plan)
    name = session.get_one(Subscription, subscribed).public_id
    assert deactivating.standing(session, GRACE, acme).subscriptions == (name,)
    with pytest.raises(Conflict, match=f"cancel {name} first"):
        deactivate(session, acme)

    lifecycle.move(session, GRACE, session.get_one(Subscription, subscribed), lifecycle.CANCELED, now=LATER)
    assert deactivate(session, acme).active is False
    with pytest.raises(Conflict, match="is deactivated"):
        a_subscription(session, plan)


def test_it_leaves_a_trace_and_takes_the_right_to_change_customers(session, acme):
    deactivate(session, acme)
    deactivate(session, acme)
    deactivating.reactivate(session, GRACE, acme, now=LATER)
    told = session.execute(select(AuditEntry.action, AuditEntry.subject_id).order_by(AuditEntry.id)).all()
    assert [tuple(one) for one in told] == [("customer.deactivate", str(acme)), ("customer.reactivate", str(acme))]
    for role in (Role.FINANCE, Role.MANAGER):
        actor = actor_with(role, user_id=None, name="Rita")
        for verb in (deactivating.standing, deactivating.deactivate, deactivating.reactivate):
            facts = {} if verb is deactivating.standing else {"now": NOW}
            with pytest.raises(Forbidden):
                verb(session, actor, acme, **facts)


def test_an_address_belongs_to_the_active_one(session, acme):
    other = a_customer(session, "OTHER", name="Acme Hamburg", email="AP@acme.example")
    deactivate(session, acme)
    addressed = Addressed(default_business(session).public_id, "ap@acme.example", "USD", (a_line(),))
    assert by_email.create(session, GRACE, addressed, now=LATER).customer_id == other


def test_lists_leave_it_out_where_they_are_asked_to(session, acme):
    other = a_customer(session, "OTHER", name="Other")
    deactivate(session, acme)
    for active, found in ((True, [other]), (False, [acme]), (None, [acme, other])):
        rows = summary.page(session, GRACE, SummaryFilter(active=active, order_by="customer_id"))
        assert [row.customer_id for row in rows] == found
