"""``verify``: prove that the ledger is whole, and that every stored total agrees with what it was made from."""

from argparse import Namespace
from collections.abc import Iterable, Iterator
from itertools import chain

from sqlalchemy.orm import Session

from billing_core import runtime
from billing_core.businesses import queries as businesses
from billing_core.commands import Answer
from billing_core.customers import verification as customers
from billing_core.database.engine import read_at_one_moment
from billing_core.dates import utc_now
from billing_core.invoices.billed_orders import verification as billed_orders
from billing_core.invoices.content import verification as invoices
from billing_core.ledger import verification as ledger
from billing_core.metering import verification as metering
from billing_core.online_payments import verification as online_payments
from billing_core.payments.prepaid import verification as prepaid
from billing_core.proof import Check
from billing_core.receivables import verification as receivables
from billing_core.reports import verification as reports
from billing_core.subscriptions import verification as subscriptions
from billing_core.tax_returns import verification as tax_returns
from billing_core.usage.billed import verification as usage


def verify(_arguments: Namespace) -> Answer:
    with runtime.sessions()() as session:
        read_at_one_moment(session)
        proven = list(checks(session))
    lines = []
    for check in proven:
        lines.append(f"{'does not hold' if check.wrong else 'holds':<14}{check.name} ({check.proven:,})")
        lines += [f"{'':<14}  {wrong}" for wrong in check.wrong]
    data = [{"check": check.name, "proven": check.proven, "wrong": list(check.wrong)} for check in proven]
    return Answer(data, "\n".join(lines), refused=any(check.wrong for check in proven))


def checks(session: Session) -> Iterator[Check]:
    """Every proof in turn, over everything that the session sees."""
    return chain.from_iterable(rooms(session))


def rooms(session: Session) -> list[Iterable[Check]]:
    """The proofs of each room, which are made as they are asked for."""
    today = businesses.today(session, now=utc_now())
    return [
        customers.checks(session),
        reports.checks(session),
        metering.checks(session),
        usage.checks(session),
        ledger.checks(session),
        invoices.checks(session),
        billed_orders.checks(session),
        receivables.checks(session, today=today),
        tax_returns.checks(session),
        prepaid.checks(session),
        online_payments.checks(session),
        subscriptions.checks(session),
    ]
