"""Two customers with one of everything each, and the ways in which a request can name what is somebody's."""

from dataclasses import dataclass, replace
from datetime import date

from billing_core import catalogue
from billing_core.businesses import service as businesses
from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices import credit_notes
from billing_core.metering import ingestion
from billing_core.metering.alerts import AlertMeasure
from billing_core.online_payments import configured
from billing_core.online_payments.links import workflow
from billing_core.outbox import service as outbox
from billing_core.outbox.service import Message
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.prepaid import granting
from billing_core.payments.received import Received
from billing_core.plans import service as plans
from billing_core.settings import settings
from billing_core.subscriptions import service as subscriptions
from billing_core.subscriptions.service import Wanted
from billing_core.usage import alerts
from billing_core.usage.alerts import Threshold, Told
from tests.invoices.company import LATER, TODAY, a_line, an_invoice
from tests.plans.agreed import a_plan
from tests.web.api.reporting import a_customer, a_report, an_order

FIGURES = tuple(catalogue.FIGURES.values())


@dataclass(frozen=True)
class World:
    """Everything that is one customer's, and ``marks``: what nobody else may read anywhere."""

    customer: int
    customer_uuid: str
    customer_public: str
    name: str
    email: str
    business: int
    business_public: str
    report: int
    report_uuid: str
    invoice: int
    invoice_public: str
    number: str
    note: int
    mail: int
    event: str
    alert: int
    grant: int
    subscription: str
    marks: tuple[str, ...] = ()


NOBODY = World(
    customer=700_999,
    customer_uuid="00000000-0000-4000-8000-000000000001",
    customer_public="cus_0123456789abcdef",
    name="Nobody Corp",
    email="ap@nobody.example",
    business=700_999,
    business_public="biz_0123456789abcdef",
    report=700_999,
    report_uuid="00000000-0000-4000-8000-000000000000",
    invoice=700_999,
    invoice_public="inv_0123456789abcdef",
    number="INV-1999-999",
    note=700_999,
    mail=700_999,
    event="nobody's event",
    alert=700_999,
    grant=700_999,
    subscription="sub_0123456789abcdef",
)


def a_world(sessions, customer_id: int, name: str, dollars: int) -> World:
    """A customer of a business of its own that owes that much, has paid and been credited some, and has a report."""
    email = f"ap@{name.split()[0].lower()}.example"
    with sessions.begin() as session:
        details = businesses.details(default_business(session))
        numbers = f"{name.split()[0].upper()}-{{year}}-{{seq:03}}"
        details = replace(details, name=f"{name} Billing", invoice_format=numbers)
        business = businesses.create(session, SYSTEM, wanted=details, now=utc_now())
        a_customer(session, customer_id, name)
        customer = session.get_one(Customer, customer_id)
        customer.business_id, customer.email, customer.ref = business.id, email, name
        an_order(session, customer_id, customer_id, "2023-01-15", picking=dollars, shipping=0)
        plan = a_plan(session, f"{name}'s plan")
        plans.put_on(session, SYSTEM, customer_id, plan, valid_from=date(2023, 1, 1), now=utc_now())
        event = {"id": f"{name}'s event", "customer_ref": name, "time": utc_now().isoformat(), "user": f"{name}'s user"}
        ingestion.record(session, SYSTEM, [event], now=utc_now(), atomic=True)
        report = a_report(session, customer_id, "2023-02-01T12:00:00Z")
        invoice = an_invoice(
            session,
            customer_id,
            a_line(quantity="1", unit_price=str(dollars), tax_rate="0"),
            customer_name=name,
            customer_email=email,
            business_id=business.id,
        )
        cash = Received("USD", 10000, PaymentMethod.CASH, TODAY, f"{name}'s cash")
        received.record_for(session, SYSTEM, invoice.id, received=cash, today=TODAY, now=LATER)
        note = credit_notes.issue(
            session, SYSTEM, invoice.id, amount_minor=1000, reason="Late", issued_on=TODAY, today=TODAY, now=LATER
        )
        message = Message(
            "mail", "invoice", f"m:{name}", email, f"For {name}", ("invoice", invoice.id), {"text": name}, customer_id
        )
        told = Told((f"watch@{email.partition('@')[2]}",))
        alert = alerts.create(session, SYSTEM, customer_id, Threshold(AlertMeasure.CALLS, 1_000), told, now=utc_now())
        grant = granting.give(
            session, SYSTEM, customer_id, amount_minor=1, expires_on=None, reason=name, today=TODAY, now=LATER
        )
        wanted = Wanted(customer.public_id, plan, trial_days=30)
        subscription, _ = subscriptions.create(session, SYSTEM, wanted, method_id=None, now=utc_now())
        world = World(
            customer=customer_id,
            customer_uuid=customer.uuid,
            customer_public=customer.public_id,
            name=name,
            email=email,
            business=business.id,
            business_public=business.public_id,
            report=report.id,
            report_uuid=report.uuid,
            invoice=invoice.id,
            invoice_public=invoice.public_id,
            number=invoice.number or "",
            note=note.id,
            mail=outbox.put(session, SYSTEM, message, now=utc_now()),
            event=f"{name}'s event",
            alert=alert.id,
            grant=grant.id,
            subscription=subscription.public_id,
        )
    workflow.create(sessions, SYSTEM, configured.gateway(sessions, settings()), world.invoice, now=utc_now())
    marks = (
        name,
        email,
        world.customer_uuid,
        world.customer_public,
        world.report_uuid,
        world.invoice_public,
        world.business_public,
        world.number,
        world.subscription,
        str(dollars),
    )
    return replace(world, marks=marks)
