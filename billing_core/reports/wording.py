"""What a report's codes mean, in the words that its readers use."""

from billing_core.rating.models import CostType, QuestionKind

_COST_TYPES = {
    CostType.PER_ORDER: "per order",
    CostType.PER_ITEM: "per item",
    CostType.PER_SKU: "per SKU",
    CostType.PER_CASE: "per full case",
    CostType.PER_LOOSE_UNIT: "per loose unit",
    CostType.PER_PACKAGE: "per package",
    CostType.PER_WEIGHT_UNIT: "by weight",
    CostType.PERCENT_OF_SERVICES: "percent of other services",
}
_QUESTIONS = {
    QuestionKind.NO_RATE: "No price was agreed for this day",
    QuestionKind.RATE_GAP: "This service had no price on this day",
    QuestionKind.UNKNOWN_SKU: "Nobody said how many units of this SKU a case holds",
    QuestionKind.NO_LINES: "The order has no lines",
    QuestionKind.NO_WEIGHT: "The order has no weight",
    QuestionKind.NO_PACKAGES: "The order has no number of packages",
}


def cost_type_words(cost_type: CostType) -> str:
    return _COST_TYPES[cost_type]


def question_words(kind: QuestionKind) -> str:
    return _QUESTIONS[kind]
