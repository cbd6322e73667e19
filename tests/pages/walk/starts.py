"""Where a walk begins besides the pages of the menu: what no link leads to that it would follow."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.bill_runs.models import BillRun, RunSource
from billing_core.bounces.models import Bounce
from billing_core.customers.models import Customer
from billing_core.database import Sessions, connect
from billing_core.imports.models import ImportRun
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import LinkState, PaymentLink
from billing_core.metering.models import UsagePeriod
from billing_core.orders.models import Order
from billing_core.outbox.models import OutboxMessage
from billing_core.reports.models import BillingReport
from billing_core.subscriptions.models import Subscription

KINDS_OF_RUNS = 5


def first_customer(file: Path) -> int:
    with _reading(file) as session:
        return session.scalars(select(Customer.id).order_by(Customer.id).limit(1)).one()


@contextmanager
def _reading(file: Path) -> Iterator[Session]:
    sessions = Sessions(connect(f"sqlite:///{file}"))
    with sessions() as session:
        yield session
    sessions.engine.dispose()


def addresses(file: Path) -> list[tuple[str, dict[str, Any]]]:
    """Where no link leads that the walk would follow: it looks once at what is alike, and these come first."""
    newest_link, newest_due = PaymentLink.id.desc(), Invoice.id.desc()
    with _reading(file) as session:

        def first(column: Any, *conditions: Any, order: Any = None) -> str:
            return str(session.scalars(select(column).where(*conditions).order_by(order).limit(1)).one())

        lacking = (Invoice.state == InvoiceState.DRAFT, Invoice.customer_address == "")
        owing = first(Invoice.customer_id, Invoice.due_minor > 0, order=newest_due)
        mailed = first(Invoice.customer_id, Invoice.due_minor > 0, Invoice.customer_email != "", order=newest_due)
        of_a_link = first(OutboxMessage.id, OutboxMessage.subject_kind == "payment_link", order=OutboxMessage.id.desc())
        paid_by_link = first(PaymentLink.invoice_id, PaymentLink.state == LinkState.PAID, order=newest_link)
        billed, period = (
            first(column, order=UsagePeriod.id.desc()) for column in (UsagePeriod.customer_id, UsagePeriod.id)
        )
        return [
            # One that can be deactivated and merged, before others whose dialogs say that they cannot.
            ("customers.py", {"customer": first(Customer.id, Customer.ref == "TWIN-2")}),
            ("reports.py", {"report": first(BillingReport.id, BillingReport.superseded_at.is_not(None))}),
            *(("reports.py", {"tab": "Generate", "run": str(run_id)}) for run_id in _runs_of_each_kind(session)),
            *(("usage.py", {"usage_list": "Invoices", "run": str(run_id)}) for run_id in _runs_over_usage(session)),
            # One customer's reports: those of all take their time, and the buttons are the same.
            ("reports.py", {"tab": "Generate", "run_customers": first(Customer.name, order=Customer.id)}),
            ("invoice_editor.py", {"invoice": paid_by_link}),
            ("imports.py", {"import": first(ImportRun.id, ImportRun.changed_count > 0, order=ImportRun.id.desc())}),
            # An address that asks for what no page knows.
            ("customers.py", {"nothing": "known"}),
            ("invoice_editor.py", {"invoice": first(Invoice.id, *lacking)}),
            # Among all the mails the list of messages shows none of these.
            ("admin/outbox.py", {"message": of_a_link}),
            ("admin/outbox.py", {"message": first(Bounce.message_id)}),
            ("payments.py", {"record": owing}),
            ("customers.py", {"customer": owing, "customer_tab": "Payments"}),
            ("customers.py", {"customer": first(Order.customer_id), "customer_tab": "Orders"}),
            # One to whom a statement can be mailed.
            ("customers.py", {"customer": mailed, "customer_tab": "Statement"}),
            ("rate_cards.py", {"customer": owing}),
            ("customers.py", {"customer": first(Customer.id, ~Customer.active, Customer.merged_into_id.is_(None))}),
            ("customers.py", {"customer": first(Customer.id, Customer.merged_into_id.is_not(None))}),
            # Days without any document.
            ("tax.py", {"tax_period": "Custom", "tax_period_days": ("2001-01-01", "2001-01-31")}),
            ("plans.py", {"plans_tab": "Meters", "meter": "storage"}),
            ("plans.py", {"plan": "walked"}),
            ("plans.py", {"plan": "moved", "plan_tab": "Moves"}),
            ("promo_codes.py", {"code": "WALKED"}),
            ("usage.py", {"organization": billed}),
            *_subscriptions_shown(session),
            ("usage.py", {"organization": billed, "usage_tab": "Invoices", "usage_period": period}),
        ]


def _subscriptions_shown(session: Session) -> list[tuple[str, dict[str, str]]]:
    """Each with all that its page has, and one more for somebody who has one."""
    rows = session.execute(select(Subscription.id, Subscription.customer_id).order_by(Subscription.id.desc()).limit(3))
    metered, _, held = rows.all()
    return [
        ("subscriptions.py", {"subscription": str(held.id)}),
        ("subscriptions.py", {"subscription": str(held.id), "subscription_tab": "Invoices and charges"}),
        ("subscriptions.py", {"subscription": str(metered.id), "subscription_tab": "Usage"}),
        ("subscriptions.py", {"subscription": str(metered.id), "subscription_tab": "Changes"}),
        ("subscriptions.py", {"subscriber": str(held.customer_id)}),
        ("customers.py", {"customer": str(held.customer_id), "customer_tab": "Subscriptions"}),
    ]


def _runs_of_each_kind(session: Session) -> list[int]:
    of_orders = select(BillRun.id).where(BillRun.source == RunSource.ORDERS)
    return list(session.scalars(of_orders.order_by(BillRun.id.desc()).limit(KINDS_OF_RUNS)))


def _runs_over_usage(session: Session) -> list[int]:
    return list(session.scalars(select(BillRun.id).where(BillRun.source == RunSource.USAGE).order_by(BillRun.id)))
