"""What a subscription bills, computed a second time: with decimals and plain lists, day by day, and none of the
product's code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_DAYS = {"day": 1, "week": 7}


@dataclass(frozen=True)
class Promo:
    """``percent`` or ``amount`` off the plan's price, for so many periods; None: for ever."""

    percent: Decimal | None = None
    amount: Decimal | None = None
    periods: int | None = None


@dataclass(frozen=True)
class Contract:
    """Prices in major units. ``phases``: (periods, percent of the plan's price). ``add_ons``: (how many, price).
    ``calls``: when a program called. ``cancelled_at``: asked then, for the period's end.
    """

    begun_at: datetime
    zone: str
    price: Decimal
    interval: str = "month"
    count: int = 1
    places: int = 2
    trial_days: int = 0
    in_arrears: bool = False
    seats: int = 1
    included_seats: int = 0
    seat_price: Decimal | None = None
    add_ons: Mapping[str, tuple[int, Decimal]] = field(default_factory=dict)
    phases: Sequence[tuple[int, Decimal]] = ()
    ends_after: int | None = None
    promo: Promo | None = None
    tax_rate: Decimal = Decimal(0)
    included_calls: int = 0
    call_price: Decimal = Decimal(0)
    calls: Sequence[datetime] = ()
    cancelled_at: datetime | None = None
    credit: Decimal = Decimal(0)


@dataclass(frozen=True)
class Bill:
    """``amounts``: of each line that comes to something, before tax and after its discount. ``by_credit``: what the
    customer's credit paid of the total. ``final``: it came when all was over, when nobody's card is charged any more.
    """

    day: date
    amounts: tuple[Decimal, ...]
    tax: Decimal
    total: Decimal
    by_credit: Decimal
    final: bool


def bills(contract: Contract, until: datetime) -> list[Bill]:
    """Every invoice that there has to be by then, the oldest first."""
    made, credit, promo_left = [], contract.credit, None
    if contract.promo is not None:
        promo_left = contract.promo.periods
    number = 0
    while True:
        start, end = boundary(contract, number), boundary(contract, number + 1)
        if start > until:
            return made
        over = _is_over(contract, number)
        billed = number - 1 if contract.in_arrears else number
        lines: list[Decimal] = []
        if billed >= 0 and not (over and not contract.in_arrears):
            price = _price(contract, billed)
            off, counts = _off(contract, price, promo_left)
            if counts and promo_left is not None:
                promo_left -= 1
            lines += _lines(contract, price, off)
        if number > 0 and contract.call_price:
            lines += _usage(contract, _local(contract, number - 1), _local(contract, number))
        if lines:
            net = sum(lines, Decimal(0))
            tax = _rounded(contract, net * contract.tax_rate / 100)
            by_credit = min(credit, net + tax)
            credit -= by_credit
            made.append(
                Bill(_local(contract, number), tuple(sorted(filter(None, lines))), tax, net + tax, by_credit, over)
            )
        if over:
            return made
        assert end > start
        number += 1


def boundary(contract: Contract, number: int) -> datetime:
    """The instant at which the paid period with this number begins."""
    return datetime.combine(_local(contract, number), _time(contract), ZoneInfo(contract.zone)).astimezone(UTC)


def _begin(contract: Contract) -> datetime:
    there = contract.begun_at.replace(microsecond=0).astimezone(ZoneInfo(contract.zone))
    moved = there.replace(tzinfo=None) + timedelta(days=contract.trial_days)
    # An hour that the clocks leave out is as much later.
    return moved.replace(tzinfo=ZoneInfo(contract.zone)).astimezone(UTC).astimezone(ZoneInfo(contract.zone))


def _time(contract: Contract) -> time:
    return _begin(contract).time().replace(fold=0)


def _local(contract: Contract, number: int) -> date:
    """The day on which the period with this number begins, where the customer is."""
    anchor = _begin(contract).date()
    if contract.interval in _DAYS:
        return anchor + timedelta(days=number * contract.count * _DAYS[contract.interval])
    months = number * contract.count * _MONTHS[contract.interval]
    year, month, day = anchor.year, anchor.month, anchor.day
    for _ in range(months):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    while True:
        try:
            return date(year, month, day)
        except ValueError:
            day -= 1


def _is_over(contract: Contract, number: int) -> bool:
    """Whether it ends where this period would begin."""
    if contract.ends_after is not None and number >= contract.ends_after:
        return True
    cancelled = contract.cancelled_at
    return cancelled is not None and boundary(contract, number) > cancelled


def _price(contract: Contract, number: int) -> Decimal:
    for periods, percent in contract.phases:
        if number < periods:
            return _rounded(contract, contract.price * percent / 100)
        number -= periods
    return contract.price


def _off(contract: Contract, price: Decimal, left: int | None) -> tuple[Decimal, bool]:
    """What the promo code takes off, and whether this period is one of its."""
    promo = contract.promo
    if promo is None or price == 0 or left == 0:
        return Decimal(0), False
    if promo.percent is not None:
        return _rounded(contract, price * promo.percent / 100), True
    assert promo.amount is not None
    return min(promo.amount, price), True


def _lines(contract: Contract, price: Decimal, off: Decimal) -> list[Decimal]:
    lines = [price - off] if price else []
    if contract.seat_price and contract.seats > contract.included_seats:
        lines.append(contract.seat_price * (contract.seats - contract.included_seats))
    lines += [quantity * unit for quantity, unit in contract.add_ons.values() if unit]
    return lines


def _usage(contract: Contract, first_day: date, following: date) -> list[Decimal]:
    there = ZoneInfo(contract.zone)
    made = sum(first_day <= call.astimezone(there).date() < following for call in contract.calls)
    extra = max(made - contract.included_calls, 0)
    amount = _rounded(contract, extra * contract.call_price)
    return [amount] if amount else []


def _rounded(contract: Contract, amount: Decimal) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-contract.places), ROUND_HALF_UP)
