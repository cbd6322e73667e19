"""Changing a subscription across the network: what a change costs now is charged first, and where that fails nothing
else has changed.

The change, its draft and the attempt are written before the charge, and all else after it in one transaction: what is
cut off between is completed later, under the same key.
"""

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.database import Sessions
from billing_core.dates import LATEST_DAY
from billing_core.errors import BillingError, Conflict, Invalid
from billing_core.identity import Actor, Permission, idempotent
from billing_core.identity.idempotent import Claim
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.gateway import Charged, ChargeOutcome, Declined, Gateway
from billing_core.online_payments.off_session import attempts
from billing_core.subscriptions import collecting, invoicing, lifecycle, queries
from billing_core.subscriptions.calendar import Cycle
from billing_core.subscriptions.changes import agreeing, keeping, proposing, unused
from billing_core.subscriptions.changes import wanted as asking
from billing_core.subscriptions.changes.proposing import Proposal
from billing_core.subscriptions.changes.unused import Credit
from billing_core.subscriptions.changes.wanted import Wanted, When
from billing_core.subscriptions.models import (
    ChangeState,
    InvoiceKind,
    Subscription,
    SubscriptionChange,
    SubscriptionInvoice,
)

log = structlog.get_logger()

GIVEN_UP: Final = "Withdrawn before it was known whether the card was charged"


class Outdated(Conflict):
    """What was proposed is not what the change comes to now: ``proposal`` is."""

    def __init__(self, proposal: Proposal) -> None:
        super().__init__("The change does not come to what was shown any more: look at it again")
        self.proposal = proposal


def preview(session: Session, actor: Actor, public_id: str, wanted: Wanted, *, now: datetime) -> Proposal:
    """What the change would come to now."""
    actor.require(Permission.SUBSCRIPTION_WRITE)
    return proposing.propose(session, actor, queries.by_public_id(session, actor, public_id), wanted, now=now)


def change(
    sessions: Sessions,
    actor: Actor,
    gateway: Gateway,
    public_id: str,
    wanted: Wanted,
    *,
    token: str | None = None,
    claim: Claim | None = None,
    now: datetime,
) -> int:
    """Change a subscription; returns the change's id. ``token``: to exactly what was proposed under it, once, however
    often this is asked for. ``claim``: of the request that asks for it, which is done once it is written.

    ``Outdated`` where it comes to something else by now; ``Declined`` where what is due now is not paid.
    """
    actor.require(Permission.SUBSCRIPTION_WRITE)
    with sessions.begin() as session:
        subscription = queries.by_public_id(session, actor, public_id)
        subscription = queries.for_change(session, actor, subscription.id)
        known = None if token is None else _known(session, subscription, token)
        if known is not None:
            return _again(known)
        proposal = proposing.propose(session, actor, subscription, wanted, now=now)
        if token is not None and token != proposal.token:
            raise Outdated(proposal)
        made = _write(session, actor, subscription, proposal, now)
        attempt_id = _begin(session, actor, subscription, made, proposal, now)
        change_id = made.id
        if claim is not None:
            idempotent.mark_changed(session, claim, now=now)
    if attempt_id is not None:
        _complete(sessions, actor, gateway, change_id, attempt_id, now)
    return change_id


def withdraw(
    session: Session, actor: Actor, public_id: str, change_id: int, *, mode: Mode | None = None, now: datetime
) -> None:
    """Drop a scheduled change. Conflict where it is not one any more. ``mode``: in which the product collects now; one
    that is charged to a card of which nothing is heard then fails.
    """
    actor.require(Permission.SUBSCRIPTION_WRITE)
    found = queries.by_public_id(session, actor, public_id)
    subscription = queries.for_change(session, actor, found.id)
    made = queries.change(session, subscription, change_id)
    if made.state is ChangeState.CHARGING:
        _give_up(session, actor, subscription, made, mode, now)
        return
    if made.state is not ChangeState.SCHEDULED:
        raise Conflict(f"The change is {made.state.value}, it cannot be withdrawn any more")
    planned = [one for one in queries.scheduled(session, subscription.id) if one.id != change_id]
    try:
        begins = asking.beginning_on(LATEST_DAY, planned)
        asking.merged(session, queries.terms(session, subscription), [one.wanted for one in begins])
    except Invalid as refusal:
        raise Conflict(f"Another scheduled change needs it: {refusal}") from None
    agreeing.withdraw(session, actor, subscription, made, recalls=True, now=now)


def _give_up(
    session: Session,
    actor: Actor,
    subscription: Subscription,
    made: SubscriptionChange,
    mode: Mode | None,
    now: datetime,
) -> None:
    """Nothing changes, whatever is heard of the charge later: money that came in is kept as credit, with a case."""
    billed = collecting.unanswered(session, subscription.id, mode)
    if billed is None:
        raise Conflict("What this change costs is being charged: try again in a moment")
    made.state, made.ended_at, made.outcome = ChangeState.FAILED, now, GIVEN_UP
    facts = {"change": made.id, "wanted": dict(made.wanted)}
    lifecycle.record(session, actor, subscription, "withdraw_change", facts, {"state": "failed"}, now=now)
    invoicing.abandon(session, actor, billed, now=now)


def unfinished(session: Session, *, before: datetime, after: int = 0, limit: int = 100) -> dict[int, int]:
    """The changes beyond ``after`` that were asked for before then, and of whose charge it is not known what came of
    it, each with its attempt.
    """
    statement = (
        select(SubscriptionChange.id, SubscriptionInvoice.attempt_id)
        .join(
            SubscriptionInvoice,
            (SubscriptionInvoice.subscription_id == SubscriptionChange.subscription_id)
            & (SubscriptionInvoice.change_id == SubscriptionChange.id)
            & (SubscriptionInvoice.kind != InvoiceKind.OTHER),
        )
        .where(
            SubscriptionChange.state == ChangeState.CHARGING,
            SubscriptionChange.asked_at < before,
            SubscriptionChange.id > after,
            SubscriptionInvoice.attempt_id.is_not(None),
        )
    )
    found = session.execute(statement.order_by(SubscriptionChange.id).limit(limit))
    return {change_id: attempt_id for change_id, attempt_id in found if attempt_id is not None}


def complete_unfinished(sessions: Sessions, actor: Actor, gateway: Gateway, *, before: datetime, now: datetime) -> int:
    """Complete what was cut off between its charge and what came of it; how many there were. One that cannot be
    completed keeps no other waiting.
    """
    done = 0
    for change_id, attempt_id in collecting.each_cut_off(sessions, unfinished, before=before):
        done += 1
        try:
            _complete(sessions, actor, gateway, change_id, attempt_id, now)
        except Declined:
            continue
        except BillingError as failure:
            log.warning("change_waits", change_id=change_id, because=str(failure))
    return done


def _known(session: Session, subscription: Subscription, token: str) -> SubscriptionChange | None:
    """The change that was asked for as it was shown under this token, unless it was withdrawn: then it is outdated."""
    same = select(SubscriptionChange).where(
        SubscriptionChange.subscription_id == subscription.id,
        SubscriptionChange.token == token,
        SubscriptionChange.state != ChangeState.WITHDRAWN,
    )
    return session.scalars(same).one_or_none()


def _again(known: SubscriptionChange) -> int:
    """What came of the same change before."""
    if known.state is ChangeState.CHARGING:
        raise Conflict("What this change costs is being charged: try again in a moment")
    if known.state is ChangeState.FAILED:
        raise Declined(known.outcome)
    return known.id


def _write(
    session: Session, actor: Actor, subscription: Subscription, proposal: Proposal, now: datetime
) -> SubscriptionChange:
    made = SubscriptionChange(
        subscription_id=subscription.id,
        state=ChangeState.SCHEDULED,
        wanted=dict(proposal.facts),
        token=proposal.token,
        proposed=keeping.kept(proposal),
        period_number=proposal.number,
        effective_at=now if proposal.when is When.NOW else None,
        asked_at=now,
        asked_by_id=actor.user_id,
        asked_by=actor.name,
    )
    session.add(made)
    session.flush()
    facts = {"change": made.id, "when": proposal.when.value, "wanted": dict(proposal.facts)}
    facts |= {"to_pay_minor": proposal.to_pay_minor, "credited_minor": proposal.credited_minor}
    lifecycle.record(session, actor, subscription, "ask_change", None, facts, now=now)
    return made


def _begin(
    session: Session,
    actor: Actor,
    subscription: Subscription,
    made: SubscriptionChange,
    proposal: Proposal,
    now: datetime,
) -> int | None:
    """Schedule it, or charge what it costs now; where that is nothing, or is mailed with a link, it holds at once."""
    if proposal.when is When.PERIOD_END:
        return None
    _refuse_charging(session, proposal.credits)
    billed = None
    begins = proposal.begun is not None and not proposal.begun.in_place
    if proposal.day is not None and (begins or any(item.gross_minor for item in proposal.items)):
        billed = invoicing.draft(
            session,
            actor,
            subscription,
            proposal.items,
            number=proposal.number,
            kind=InvoiceKind.PERIOD if begins else InvoiceKind.CHANGE,
            issued_on=proposal.day,
            now=now,
            change_id=made.id,
        )
    method_id = queries.payment_method(session, subscription)
    if billed is None or billed.invoice_id is None or not proposal.to_pay_minor or method_id is None:
        _apply(session, actor, subscription, made, billed, None, now)
        return None
    made.state = ChangeState.CHARGING
    billed.attempt_id = attempts.begin(
        session,
        actor,
        billed.invoice_id,
        method_id,
        amount_minor=proposal.to_pay_minor,
        now=now,
    )
    return billed.attempt_id


def _refuse_charging(session: Session, given: Sequence[Credit]) -> None:
    """What is being charged is not lowered meanwhile."""
    if any(attempts.running(session, invoice_id) for invoice_id in {one.invoice_id for one in given}):
        raise Conflict("What is due for the present period is being charged: try again in a moment")


def _complete(
    sessions: Sessions, actor: Actor, gateway: Gateway, change_id: int, attempt_id: int, now: datetime
) -> None:
    """Charge, and record what came of it."""
    charged = attempts.charge(sessions, gateway, attempt_id)
    with sessions.begin() as session:
        found = session.get_one(SubscriptionChange, change_id)
        subscription = queries.for_change(session, actor, found.subscription_id)
        made = session.get_one(SubscriptionChange, change_id, populate_existing=True)
        if made.state is not ChangeState.CHARGING:
            return
        billed = session.scalars(select(SubscriptionInvoice).where(SubscriptionInvoice.attempt_id == attempt_id)).one()
        if charged.outcome is ChargeOutcome.SUCCEEDED:
            _apply(session, actor, subscription, made, billed, charged, now)
            return
        attempt = attempts.record(session, actor, attempt_id, charged, now=now)
        made.state, made.ended_at, made.outcome = ChangeState.FAILED, now, attempt.failure[:500]
        lifecycle.record(session, actor, subscription, "decline", None, {"change": made.id}, now=now)
        invoicing.withdraw_draft(session, actor, billed, now=now)
        reason = attempt.failure
    raise Declined(reason)


def _apply(
    session: Session,
    actor: Actor,
    subscription: Subscription,
    made: SubscriptionChange,
    billed: SubscriptionInvoice | None,
    charged: Charged | None,
    now: datetime,
) -> None:
    """Credit what is not used, send and pay what is billed, and agree on the terms."""
    proposed = made.proposed or {}
    first_day = date.fromisoformat(proposed["day"])
    unused.give(session, actor, subscription, keeping.credits_of(proposed), today=first_day, now=now)
    if billed is not None and charged is not None and billed.attempt_id is not None:
        collecting.record_first(session, actor, billed, billed.attempt_id, charged, now=now)
    elif billed is not None:
        invoicing.issue(session, actor, billed, now=now)
    anchor_time = proposed.get("anchor_time")
    after = agreeing.begin(session, actor, subscription, made, first_day, now=now)
    if anchor_time is not None:
        offer = after.offer
        anchor = Cycle(
            first_day,
            time.fromisoformat(anchor_time),
            subscription.zone,
            offer.interval,
            offer.interval_count,
        )
        in_place = proposed["in_place"]
        agreeing.begin_period(session, subscription, after, made.period_number, anchor, in_place=in_place)
    subscription.promo_periods_used += proposed["promo_periods"]
    session.flush()
