"""What the invoices of a run would lack by the law of our country, told before they are made and sent."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, false, func, not_, or_, select, true
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
from billing_core.invoices.legal_content.laws import Particular
from billing_core.invoices.legal_content.missing import Missing, Said, missing, vat_id_pattern

_NEEDED: Final = ("id", "business_id", "name", "address", "city", "country", "tax_id")
# In SQL: why a customer is billed at 0 %, where somebody has said it.
_REASON: Final = func.coalesce(func.nullif(Customer.zero_tax_reason, ""), Business.zero_tax_reason).label("reason")


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

    What is wanted is asked once for all customers of one business and country; only those who may lack it are read.
    """
    found = Lacking({}, {}, {})
    if actor.customer_id is not None:
        return found
    wanted: dict[Particular, set[str]] = {}
    issuing = {business.id: issuers.of_business(business) for business in session.scalars(select(Business))}
    kinds = select(Customer.business_id, Customer.country, _REASON).distinct()
    for business_id, country, reason in session.execute(_of(kinds, actor, chosen)):
        nothing_said = Said(issuing[business_id], None, frozenset({rate}), "", "", "", country, reason)
        for one in missing(nothing_said):
            if not one.is_ours:
                wanted.setdefault(one.particular, set()).add(country)
            elif one not in found.ours.setdefault(business_id, []):
                found.ours[business_id].append(one)
    columns = [getattr(Customer, name) for name in _NEEDED]
    maybe = or_(false(), *(_may_lack(one, countries) for one, countries in wanted.items()))
    in_order = Customer.name_order, Customer.id
    for row in session.execute(_of(select(*columns, _REASON), actor, chosen).where(maybe).order_by(*in_order)):
        said = Said(
            issuer=issuing[row.business_id],
            total=None,
            rates=frozenset({rate}),
            customer_name=row.name,
            customer_address=f"{row.address}\n{row.city}",
            customer_tax_id=row.tax_id,
            customer_country=row.country,
            zero_tax_reason=row.reason,
        )
        if theirs := [one for one in missing(said) if not one.is_ours]:
            found.of_customers[row.id] = theirs
            found.names[row.id] = row.name
    return found


def _of(rows: Select[*tuple[Any, ...]], actor: Actor, chosen: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    return rows.join(Business, Business.id == Customer.business_id).where(chosen, visible_to(actor))


def _may_lack(one: Particular, countries: Collection[str]) -> ColumnElement[bool]:
    """In SQL: all customers in these countries who do not say it, and some who say it in an unusual way."""
    match one:
        case Particular.CUSTOMER_NAME:
            lacks = func.trim(Customer.name) == ""
        case Particular.CUSTOMER_ADDRESS:
            lacks = not_(or_(Customer.address.regexp_match("[0-9]"), Customer.city.regexp_match("[0-9]")))
        case Particular.CUSTOMER_TAX_NUMBER:
            lacks = func.trim(Customer.tax_id) == ""
        case Particular.CUSTOMER_VAT_ID:
            number = func.upper(Customer.tax_id)
            patterns = [(country, vat_id_pattern(country)) for country in sorted(countries)]
            lacks = not_(or_(*(and_(Customer.country == at, number.regexp_match(sign)) for at, sign in patterns)))
        case Particular.ZERO_TAX_REASON:
            lacks = func.trim(_REASON) == ""
        case _:
            lacks = true()
    return and_(Customer.country.in_(sorted(countries)), lacks)
