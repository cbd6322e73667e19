"""What a word of a file may stand for, where that is one of a few: our value -> what people read."""

from billing_core.businesses import choices
from billing_core.dates import utc_now
from billing_core.languages.available import english_name, languages
from billing_core.orders.models import NOT_BILLED, OrderStatus
from billing_core.plans.models import PlanInterval
from billing_core.promotions.models import PromoDuration
from billing_core.rating.models import CostType


def statuses() -> dict[str, str]:
    return {each.value: each.value + (" (not billed)" if each in NOT_BILLED else "") for each in OrderStatus}


def cost_types() -> dict[str, str]:
    return {each.value: each.value.replace("_", " ") for each in CostType}


def intervals() -> dict[str, str]:
    return {each.value: each.value for each in PlanInterval}


def durations() -> dict[str, str]:
    return {each.value: each.value for each in PromoDuration}


def countries() -> dict[str, str]:
    return choices.countries()


def currencies() -> dict[str, str]:
    """By the names that they have today."""
    return choices.currency_names(utc_now().date())


def spoken() -> dict[str, str]:
    return {code: english_name(code) for code in languages()}
