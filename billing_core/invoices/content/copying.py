"""What a copy of an invoice may bill: nothing that is billed already, and no report in a former version."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from billing_core.errors import Conflict
from billing_core.invoices.billed_orders import keeping as billed_orders
from billing_core.invoices.content.content import Content
from billing_core.invoices.content.writing import reports_of
from billing_core.reports.models import BillingReport


@dataclass(frozen=True, slots=True)
class Copied:
    """``left_out``: so many lines are not copied. ``replaced``: of reports that bill nothing any more since there is a
    newer version, the id of that, by theirs; some of the lines were of these.
    """

    content: Content
    left_out: int
    replaced: dict[int, int]

    @property
    def told(self) -> dict[str, Any]:
        """For the copy's timeline."""
        newer = {"newer_reports": sorted(self.replaced.values())} if self.replaced else {}
        return ({"left_out": self.left_out} if self.left_out else {}) | newer


def of_invoice(session: Session, invoice_id: int, content: Content) -> Copied:
    """Without the lines of usage, and of reports, unless the invoice bills them no more and nobody else does. A
    discount in money goes with such lines. Conflict where nothing is left.
    """
    free = billed_orders.free_again(session, invoice_id, reports_of(content))
    replaced = _replaced(session, sorted(free))
    may_be = {None, *free} - replaced.keys()
    lines = tuple(line for line in content.lines if line.usage_line_id is None and line.report_id in may_be)
    left_out = len(content.lines) - len(lines)
    if left_out and not lines:
        raise Conflict(_nothing_left(replaced))
    kept = replace(content, lines=lines, discount_minor=None if left_out else content.discount_minor)
    return Copied(kept, left_out, replaced)


def _replaced(session: Session, report_ids: Sequence[int]) -> dict[int, int]:
    """Those of which there is a newer version, with the newest one."""
    former, newest = aliased(BillingReport), aliased(BillingReport)
    same = (
        newest.customer_id == former.customer_id,
        newest.period_start == former.period_start,
        newest.period_end == former.period_end,
        newest.services == former.services,
    )
    statement = select(former.id, newest.id).where(
        former.id.in_(report_ids), former.superseded_at.is_not(None), newest.superseded_at.is_(None), *same
    )
    return {row[0]: row[1] for row in session.execute(statement)}


def _nothing_left(replaced: dict[int, int]) -> str:
    if replaced:
        told = " and ".join(f"report {one} was replaced by report {by}" for one, by in sorted(replaced.items()))
        return f"There is nothing to copy: {told}, so that a copy would bill what is no longer so. Invoice that one"
    return (
        "There is nothing to copy: these lines bill orders or usage, which are billed once. To bill the orders "
        "again, cancel the invoice or credit all of it first, or invoice their report once more and say why"
    )
