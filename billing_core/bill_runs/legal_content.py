"""What the invoices of a run would lack by the law of our country, told before they are made and sent."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from billing_core.bill_runs.models import BillRun, BillRunCustomer, RunGoal, RunSource
from billing_core.bill_runs.planning import chosen_customers
from billing_core.bill_runs.progress import visible
from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.dates import Period
from billing_core.identity import Actor, Permission
from billing_core.invoices import issuers
from billing_core.invoices.legal_content.missing import Missing, Said, missing

_NEEDED: Final = ("id", "business_id", "name", "address", "city", "country", "tax_id", "zero_tax_reason")


@dataclass(frozen=True, slots=True)
class Lacking:
    """``ours``: what the details of our businesses lack, by the business's id; ``of_customers``: what customers' lack,
    by the customer's id. ``names`` of these customers.
    """

    ours: dict[int, list[Missing]]
    of_customers: dict[int, list[Missing]]
    names: dict[int, str]


def of_run(session: Session, actor: Actor, run_id: int) -> Lacking:
    """Of the customers of a run. Of a rehearsal, which knows no tax rate, what invoices with tax lack."""
    actor.require(Permission.REPORT_READ)
    run = session.execute(
        select(BillRun.goal, BillRun.tax_rate).where(BillRun.id == run_id, visible(actor))
    ).one_or_none()
    if run is None:
        return Lacking({}, {}, {})
    of_this_run = select(BillRunCustomer.customer_id).where(BillRunCustomer.run_id == run_id)
    rate = Decimal(1) if run.goal is RunGoal.REHEARSAL else run.tax_rate
    return _lacking(session, actor, Customer.id.in_(of_this_run), rate)


def of_chosen(
    session: Session,
    actor: Actor,
    *,
    source: RunSource,
    customer_ids: Collection[int] | None,
    period: Period,
    service_ids: Collection[int] = (),
    tax_rate: Decimal,
) -> Lacking:
    """Of those whom ``planning.plan`` would choose, with this tax rate in percent."""
    actor.require(Permission.REPORT_READ)
    return _lacking(session, actor, chosen_customers(session, source, customer_ids, period, service_ids), tax_rate)


def _lacking(session: Session, actor: Actor, chosen: ColumnElement[bool], rate: Decimal) -> Lacking:
    """Of invoices of any size: how much it will be is not known for all of them. Who is bound to one customer reads
    nothing of it: it is for us to know.
    """
    found = Lacking({}, {}, {})
    if actor.customer_id is not None:
        return found
    businesses = {business.id: business for business in session.scalars(select(Business))}
    issuing = {key: issuers.of_business(business) for key, business in businesses.items()}
    columns = [getattr(Customer, name) for name in _NEEDED]
    in_order = Customer.name_order, Customer.id
    for customer in session.execute(select(*columns).where(chosen, visible_to(actor)).order_by(*in_order)):
        said = Said(
            issuer=issuing[customer.business_id],
            total=None,
            rates=frozenset({rate}),
            customer_name=customer.name,
            customer_address=f"{customer.address}\n{customer.city}",
            customer_tax_id=customer.tax_id,
            customer_country=customer.country,
            zero_tax_reason=customer.zero_tax_reason or businesses[customer.business_id].zero_tax_reason,
        )
        lacks = missing(said)
        if theirs := [one for one in lacks if not one.is_ours]:
            found.of_customers[customer.id] = theirs
            found.names[customer.id] = customer.name
        for one in lacks:
            if one.is_ours and one not in found.ours.setdefault(customer.business_id, []):
                found.ours[customer.business_id].append(one)
    return found
