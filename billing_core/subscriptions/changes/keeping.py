"""What was proposed, as it is kept with a change, to be done as it was shown, whenever it is done."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from billing_core.dates import Period
from billing_core.subscriptions.changes.proposing import Proposal
from billing_core.subscriptions.changes.unused import Credit
from billing_core.subscriptions.models import ChargeKind


def kept(proposal: Proposal) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "when": proposal.when.value,
        "day": None if proposal.day is None else proposal.day.isoformat(),
        "promo_periods": proposal.promo_periods,
        "credits": kept_credits(proposal.credits),
        "amounts": {
            "subtotal_minor": proposal.sums.subtotal_minor,
            "tax_minor": proposal.sums.tax_minor,
            "total_minor": proposal.sums.total_minor,
            "credited_minor": proposal.credited_minor,
            "credit_used_minor": proposal.credit_used_minor,
            "to_pay_minor": proposal.to_pay_minor,
        },
    }
    if proposal.begun is not None:
        facts |= {"anchor_time": proposal.begun.anchor.anchor_time.isoformat(), "in_place": proposal.begun.in_place}
    return facts


def kept_credits(given: Iterable[Credit]) -> list[dict[str, Any]]:
    return [
        {
            "charge_id": one.charge_id,
            "invoice_id": one.invoice_id,
            "kind": one.kind.value,
            "code": one.code,
            "first_day": one.days.start.isoformat(),
            "last_day": one.days.end.isoformat(),
            "net_minor": one.net_minor,
            "tax_minor": one.tax_minor,
        }
        for one in given
    ]


def credits_of(proposed: Mapping[str, Any]) -> list[Credit]:
    return [
        Credit(
            one["charge_id"],
            one["invoice_id"],
            ChargeKind(one["kind"]),
            one["code"],
            Period(date.fromisoformat(one["first_day"]), date.fromisoformat(one["last_day"])),
            one["net_minor"],
            one["tax_minor"],
        )
        for one in proposed["credits"]
    ]
