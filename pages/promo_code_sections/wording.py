"""What a promo code takes off, for how long and how often, in words."""

from billing_core.promotions.listing import CodeRow, CodeStatus
from billing_core.promotions.models import PromoDuration
from pages.ui import formats
from pages.ui.colors import Color

STATUSES: dict[CodeStatus, tuple[str, Color]] = {
    CodeStatus.ACTIVE: ("Active", "gray"),
    CodeStatus.USED_UP: ("Used up", "orange"),
    CodeStatus.EXPIRED: ("Expired", "gray"),
    CodeStatus.ENDED: ("Ended", "gray"),
}
DURATIONS: dict[PromoDuration, str] = {
    PromoDuration.ONCE: "The first billing period",
    PromoDuration.PERIODS: "Several billing periods",
    PromoDuration.FOREVER: "Every billing period",
}
EVERY_PLAN = "All plans"


def reduction(row: CodeRow) -> str:
    if row.percent is not None:
        return formats.Written(f"{formats.decimal(row.percent)}{formats.NO_BREAK_SPACE}%", row.percent, "%")
    return formats.money(row.amount_minor or 0, row.currency or "")


def lasting(row: CodeRow) -> str:
    match row.duration:
        case PromoDuration.ONCE:
            return "First period"
        case PromoDuration.PERIODS:
            return formats.counted(row.periods or 0, "period")
        case _:
            return "Every period"


def redeemed(row: CodeRow) -> str:
    times = formats.count(row.redeemed)
    return times if row.limit is None else formats.Written(f"{times} of {formats.count(row.limit)}", row.redeemed)


def promise(row: CodeRow) -> str:
    """What whoever redeems it is promised, in a sentence."""
    periods = {
        PromoDuration.ONCE: "in the first billing period",
        PromoDuration.PERIODS: f"in the first {formats.counted(row.periods or 0, 'billing period')}",
        PromoDuration.FOREVER: "in every billing period",
    }[row.duration]
    price = "price of any plan" if row.plan_code is None else f"price of the plan {row.plan_code}"
    return f"{reduction(row)} off the {price}, {periods} with a price. Usage is never reduced."


def limits(row: CodeRow) -> str:
    """How often and until when it can be redeemed, in a sentence."""
    often = "" if row.limit is None else f" of at most {formats.count(row.limit)}"
    each = "" if row.limit_per_customer is None else f", by each customer at most {_times(row.limit_per_customer)}"
    until = "without a last day" if row.valid_to is None else f"until {formats.day(row.valid_to)}, that day included"
    return f"Redeemed {_times(row.redeemed)}{often}{each}; {until}."


def _times(count: int) -> str:
    return "once" if count == 1 else f"{formats.count(count)} times"
