"""The lines of a draft that bill usage: what they come to follows from what was used, and is not for editing."""

from collections import Counter
from typing import Any

from billing_core.errors import Conflict
from billing_core.invoices.content.content import Content


def refuse_change(current: Content, proposed: Content) -> None:
    """Conflict where the proposed content would bill other usage than the current one, or bill it otherwise."""
    billed = _billed(current)
    if _billed(proposed) == billed and (not billed or _billed_to(current) == _billed_to(proposed)):
        return
    raise Conflict(
        "What this draft bills of usage follows from the events and the plan: those lines keep quantity and price, and "
        "stay. Give a discount on the whole invoice, add a line, or discard the draft and bill the period anew",
        fields={"lines": "of usage must stay as they are"},
    )


def _billed(content: Content) -> Counter[tuple[Any, ...]]:
    return Counter(
        (line.usage_line_id, line.quantity, line.unit_price, line.discount_percent, line.discount_minor)
        for line in content.lines
        if line.usage_line_id is not None
    )


def _billed_to(content: Content) -> tuple[int, int, str, bool]:
    return content.business_id, content.customer_id, content.currency, content.prices_include_tax
