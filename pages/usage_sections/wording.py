"""Usage in words and numbers."""

from decimal import Decimal

from billing_core.metering.models import API_CALLS
from billing_core.money import Money
from billing_core.plans.queries import Version
from billing_core.usage.charges import Charge
from billing_core.usage.overview import Month
from billing_core.usage.parts import Part, PartKind
from pages.ui import formats

METHOD = (
    "The forecast expects each day to come to be like the same weekday in the last four weeks; the range held in each "
    "of the past months."
)


def forecast(month: Month) -> str:
    """Calls by the month's end, where something is known."""
    return formats.NOTHING if month.forecast is None else formats.count(month.forecast.calls)


def forecast_range(month: Month) -> str:
    """Such as ``9,800 – 12,400``; from too few months none is told."""
    told = month.forecast
    if told is None or told.low is None or told.high is None:
        return formats.NOTHING
    return formats.Written(f"{formats.count(told.low)} – {formats.count(told.high)}", told.low)


def seconds(value: Decimal | None) -> str:
    """Such as ``0.42 s``."""
    if value is None:
        return formats.NOTHING
    return formats.Written(f"{formats.decimal(value)}{formats.NO_BREAK_SPACE}s", value)


def user(name: str) -> str:
    return name or "(no user named)"


def endpoint(name: str) -> str:
    return name or "(no endpoint named)"


def plan(month: Month) -> str:
    """What the organization is on in the last part of the month in which it is on any."""
    versions = [charge.segment.version for charge in month.charges if charge.segment.version is not None]
    return f"plan {named(versions[-1])}: {terms(versions[-1])}" if versions else "on no plan"


def named(version: Version) -> str:
    """Such as ``Basic, version 2``."""
    return f"{version.name}, version {version.number}"


def terms(version: Version) -> str:
    """Such as ``10,000 calls included, 0.001 USD a call beyond``."""
    price = formats.price(version.price_per_call, version.currency)
    return f"{formats.counted(version.included_calls, 'call')} included, {price} {version.currency} a call beyond"


def meter(code: str) -> str:
    """``api_calls`` -> ``API calls``."""
    return formats.words(code).replace("Api", "API")


def version(charge: Charge) -> str:
    """Of the plan on the days of this charge."""
    return "No plan" if charge.segment.version is None else named(charge.segment.version)


def what(charge: Charge) -> str:
    """The meter, and the bucket where it is about one."""
    return f"{meter(charge.meter)}, {charge.bucket}" if charge.bucket else meter(charge.meter)


def prices(charge: Charge) -> str:
    """Such as ``2,500 × 0.001``, or ``1,000 × 0.002 + 500 × 0.001`` of tiers."""
    if charge.amount is None or not charge.parts:
        return formats.NOTHING if charge.amount is None else ""
    currency = charge.amount.currency
    return formats.Written(" + ".join(_part(part, currency) for part in charge.parts), charge.parts[0].price, currency)


def _part(part: Part, currency: str) -> str:
    price, number = formats.price(part.price, currency), formats.decimal(part.quantity)
    match part.kind:
        case PartKind.UNITS:
            shown = f"{number} × {price}" if part.per == 1 else f"{number} × {price} / {formats.decimal(part.per)}"
        case PartKind.PACKAGES:
            shown = f"{number} packages of {formats.decimal(part.per)} × {price}"
        case PartKind.FEE:
            shown = f"fee {price}"
        case PartKind.MINIMUM:
            shown = f"at least {price}"
        case PartKind.WAIVED:
            shown = f"waived −{price}"
    return shown if part.share == 1 else f"{shown} × {part.share}"


def money(amount: Money | None) -> str:
    return formats.NOTHING if amount is None else formats.money(amount.minor, amount.currency)


def steps(month: Month, charge: Charge) -> list[str]:
    """How the charge's amount comes about, step by step."""
    segment, version = charge.segment, charge.segment.version
    if version is None:
        return ["On these days the organization is on no plan: nobody has agreed on a price."]
    if charge.amount is None:
        return [f"{named(version)} has no price for {meter(charge.meter)}."]
    share = f"Included: {formats.decimal(charge.included)}"
    if charge.meter == API_CALLS and segment.days != month.period:
        share += (
            f", which are {formats.count(version.included_calls)} × {segment.days.days} ÷ {month.period.days} days, "
            "rounded up"
        )
    beyond = f"Beyond: {formats.decimal(charge.quantity)} − {formats.decimal(charge.included)}"
    beyond += f" = {formats.decimal(charge.billable)}" if charge.billable else ", which is not more: 0"
    amount = prices(charge) or formats.decimal(charge.billable)
    return [share, beyond, f"Cost: {amount} = {money(charge.amount)}, rounded once"]
