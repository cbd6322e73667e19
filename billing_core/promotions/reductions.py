"""By how much a promo code reduces a plan's price in a billing period. Pure arithmetic in minor units."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from billing_core.errors import Invalid
from billing_core.money import PERCENT_PLACES, nearest, scaled
from billing_core.promotions.models import PromoCode, PromoDuration

_WHOLE: Final = 100 * 10**PERCENT_PLACES


@dataclass(frozen=True, slots=True)
class PromoTerms:
    """What a code promises: ``percent`` of the price, or ``amount_minor`` in minor units of ``currency``. ``plan_id``
    None: of every plan.
    """

    percent: Decimal | None
    amount_minor: int | None
    currency: str | None
    duration: PromoDuration
    periods: int | None
    plan_id: int | None = None

    @property
    def most_periods(self) -> int | None:
        """How many billing periods it reduces; None: all of them."""
        return 1 if self.duration is PromoDuration.ONCE else self.periods


@dataclass(frozen=True, slots=True)
class Reduction:
    """``taken_minor`` is taken off the price; ``forfeited_minor`` of a fixed amount exceeds it, and is shown and lost.
    ``uses_period``: this billing period is one of those that the code reduces.
    """

    taken_minor: int
    forfeited_minor: int = 0
    uses_period: bool = True


NOTHING: Final = Reduction(0, uses_period=False)


def terms_of(code: PromoCode) -> PromoTerms:
    return PromoTerms(code.percent, code.amount_minor, code.currency, code.duration, code.periods, code.plan_id)


def reduction(terms: PromoTerms, price_minor: int, currency: str, periods_used: int) -> Reduction:
    """Of the plan's price of one billing period, in minor units; never of usage. ``periods_used``: billing periods with
    a price above 0 that the code has reduced before this one; one without a price uses none up. Invalid where a fixed
    amount is in another currency.
    """
    if terms.currency is not None and terms.currency != currency:
        raise in_another_currency(terms.currency, currency)
    over = terms.most_periods is not None and periods_used >= terms.most_periods
    if price_minor <= 0 or over:
        return NOTHING
    if terms.percent is not None:
        return Reduction(nearest(price_minor * scaled(terms.percent, PERCENT_PLACES), _WHOLE))
    amount_minor = terms.amount_minor or 0
    taken_minor = min(amount_minor, price_minor)
    return Reduction(taken_minor, amount_minor - taken_minor)


def in_another_currency(currency: str, asked: str) -> Invalid:
    """The refusal of a fixed amount in ``currency`` where ``asked`` is billed."""
    reason = f"This promo code takes off an amount in {currency}, but {asked} is billed"
    return Invalid(reason, fields={"promo_code": reason})
