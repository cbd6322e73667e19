"""Charges as rows of which each is a quantity × a unit price = an amount: one for each tier that the quantity lies in.

What else decided a charge is a row of its own with the quantity 1: what a minimum adds or a maximum takes off, and the
minor unit by which the rounding of a charge may differ from that of its slices. So the rows of a charge come to it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, func, or_, select
from sqlalchemy.orm import Session

from billing_core.database.functions import among
from billing_core.money import PRICE_PLACES, QUANTITY_PLACES, decimal_places, nearest
from billing_core.rating.models import CostType, Rate, Service, TierMode
from billing_core.rating.slices import Slice, graduated
from billing_core.rating.terms import Tier, tiers_of
from billing_core.reports.exports import rows
from billing_core.reports.models import ReportCharge
from billing_core.reports.queries import Report

# A percentage is a price of 1 of its base: two more decimals.
UNIT_PRICE_PLACES: Final = PRICE_PLACES + 2
_ONE: Final = 10**QUANTITY_PLACES
# The word for what no bound has decided.
ROUNDING: Final = "rounding"


# Id of the service, quantity in thousandths, price with ``UNIT_PRICE_PLACES``, tier, what other than a price decided it
# (``minimum``, ``maximum`` or ``ROUNDING``), condition in words, minor units. Less than 0 where something is taken off.
Explained = tuple[int, int, int, int | None, str | None, str | None, int]


@dataclass(frozen=True, slots=True)
class Terms:
    """What of rates explains their charges: the tiers of each rate that charges its slices, by its id, and the services
    that are percentages.
    """

    tiers: dict[int, tuple[Tier, ...]]
    percent: frozenset[int]


def terms_of(session: Session, which: ColumnElement[bool]) -> Terms:
    """Of those rates, read once."""
    tiers, percent = {}, set()
    statement = select(Rate.id, Rate.service_id, Rate.tier_mode, Rate.tiers, Service.cost_type).join(
        Service, Service.id == Rate.service_id
    )
    for rate_id, service_id, mode, slices, cost_type in rows.each(session, statement.where(which)):
        if mode is TierMode.GRADUATED and slices:
            tiers[rate_id] = tiers_of(slices)
        if cost_type is CostType.PERCENT_OF_SERVICES:
            percent.add(service_id)
    return Terms(tiers, frozenset(percent))


def of_report(session: Session, report: Report) -> "Explaining":
    """What explains the charges of one report."""
    return Explaining(terms_of(session, Rate.customer_id == report.customer_id), report.currency)


class Explaining:
    """What explains charges in one currency."""

    def __init__(self, terms: Terms, currency: str) -> None:
        places = decimal_places(currency)
        self._unit = 10 ** (QUANTITY_PLACES + UNIT_PRICE_PLACES - places)
        self._minor = 10 ** (UNIT_PRICE_PLACES - places)
        self._tiers, self._percent = terms.tiers, terms.percent

    def rows(self, charges: Iterable[Row[*tuple[Any, ...]]]) -> list[Explained]:
        """Of charges as ``rows.explained_charges`` reads them, whatever else stands behind their columns."""
        found: list[Explained] = []
        tiers, percent = self._tiers, self._percent
        for charge in charges:
            _, service_id, rate_id, quantity, price, tier, bound, matched, minor, *_ = charge
            if bound is None and rate_id not in tiers:
                # Most are: one price, rounded once.
                shown = price if service_id in percent else price * 100
                found.append((service_id, quantity, shown, tier, None, matched, minor))
            else:
                found += self._sliced(charge, matched)
        return found

    def count(self, session: Session, report: Report) -> int:
        """How many rows all charges of the report have."""
        return report.charge_count + self.more(session, ReportCharge.report_id == report.id)

    def more(self, session: Session, which: ColumnElement[bool]) -> int:
        """How many rows those charges have more than there are charges."""
        by = (
            ReportCharge.service_id,
            ReportCharge.rate_id,
            rows.stored(ReportCharge.quantity),
            rows.stored(ReportCharge.unit_price),
            ReportCharge.tier,
            ReportCharge.bound,
            ReportCharge.amount_minor,
        )
        sliced = or_(among(ReportCharge.rate_id, self._tiers), ReportCharge.bound.is_not(None))
        # Orders of the same quantity cost the same, and there are many.
        alike = select(*by, func.count().label("charges")).where(which, sliced).group_by(*by)
        return sum((len([*self._sliced(charge, None)]) - 1) * charge.charges for charge in rows.each(session, alike))

    def _sliced(self, charge: Row[*tuple[Any, ...]], matched: str | None) -> Iterator[Explained]:
        service_id, left = charge.service_id, charge.amount_minor
        slices = [Slice(charge.tier, charge.quantity, charge.unit_price)]
        if tiers := self._tiers.get(charge.rate_id):
            slices = graduated(tiers, [(charge.tier, 1, charge.quantity)])
        for one in slices:
            price = one.price if service_id in self._percent else one.price * 100
            amount = nearest(one.quantity * price, self._unit)
            left -= amount
            yield service_id, one.quantity, price, one.tier, None, matched, amount
        if left:
            yield service_id, _ONE, left * self._minor, None, charge.bound or ROUNDING, matched, left
