"""A company with two customers in two currencies and three reports, whose figures can be worked out in one's head.

ACME (USD): three orders of 4 items in February and two in March, 4.00 each. The name is hostile Markdown.
BOLT (EUR): one order of 10 items in March, 7.00; and one of April that nobody has billed yet.
"""

from dataclasses import dataclass
from datetime import date

from billing_core.dates import Period
from billing_core.orders.models import OrderStatus
from billing_core.reports import coverage
from tests.reports.company import MARCH, a_customer, an_order, billed

FEBRUARY = Period(date(2026, 2, 1), date(2026, 2, 28))
HOSTILE = "Acme :red[$5 *Corp*]"


@dataclass(frozen=True)
class Filled:
    acme: int
    bolt: int
    february: int
    march: int
    bolts_march: int


def fill(sessions) -> Filled:
    with sessions.begin() as session:
        acme = a_customer(session, "ACME", name=HOSTILE)
        bolt = a_customer(session, "BOLT", name="Bolt GmbH", currency="EUR")
        for number in range(3):
            an_order(session, acme, f"F-{number}", on=date(2026, 2, 10 + number))
        an_order(session, acme, "M-1", on=date(2026, 3, 3), reference_number="REF-1")
        an_order(session, acme, "M-2", on=date(2026, 3, 4))
        an_order(session, acme, "M-DRAFT", on=date(2026, 3, 5), status=OrderStatus.DRAFT)
        an_order(session, bolt, "B-1", items=10, on=date(2026, 3, 6))
        an_order(session, bolt, "B-2", on=date(2026, 4, 1))
        reports = [billed(session, acme, FEBRUARY), billed(session, acme, MARCH), billed(session, bolt, MARCH)]
        coverage.refresh(session)
    return Filled(acme, bolt, *(report.id for report in reports))
