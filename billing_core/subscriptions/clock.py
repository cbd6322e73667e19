"""Doing all that is due by an instant: for jobs and commands, which open no transaction of their own around it.

A process killed anywhere leaves steps that are done, and others that are due: whoever comes next goes on.
"""

import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import exc
from sqlalchemy.orm import Session

from billing_core.businesses import queries as businesses
from billing_core.database import Sessions
from billing_core.errors import BillingError
from billing_core.identity import Actor
from billing_core.online_payments.gateway import Gateway
from billing_core.subscriptions import collecting, queries, renewals, signing_up
from billing_core.subscriptions.changes import changing, giving_back
from billing_core.subscriptions.collecting import Collected
from billing_core.subscriptions.moving import letters
from billing_core.subscriptions.renewals import Done
from billing_core.subscriptions.upkeep import cards, reminding

log = structlog.get_logger()

_AT_ONCE: Final = 200
# The database does not answer, or has no time now.
_AWAY: Final = (exc.OperationalError, exc.InterfaceError, exc.TimeoutError)


def never() -> bool:
    return False


def run(
    sessions: Sessions, actor: Actor, gateway: Gateway, *, now: datetime, ending: Callable[[], bool] = never
) -> Iterator[Done | Collected]:
    """Everything, one step after the other; tells of each."""
    recover(sessions, actor, gateway, now=now)
    look_after(sessions, actor, now=now)
    remind(sessions, actor, now=now)
    yield from renew(sessions, actor, now=now, ending=ending)
    yield from collect(sessions, actor, gateway, now=now, ending=ending)


def recover(sessions: Sessions, actor: Actor, gateway: Gateway, *, now: datetime) -> None:
    """Complete what was cut off between a charge, or a refund, and what came of it."""
    before = now - collecting.CUT_OFF_AFTER
    signing_up.complete_unfinished(sessions, actor, gateway, before=before, now=now)
    changing.complete_unfinished(sessions, actor, gateway, before=before, now=now)
    giving_back.complete_unfinished(sessions, actor, gateway, before=before, now=now)


def look_after(sessions: Sessions, actor: Actor, *, now: datetime, ending: Callable[[], bool] = never) -> int:
    """What customers did: cards that they gave us, and payments of what could not be charged; how many."""
    with sessions() as session:
        given, settled = cards.answered(session, limit=_AT_ONCE), collecting.overdue_settled(session, limit=_AT_ONCE)
    for subscription_id in given:
        if not ending():
            with sessions.begin() as session:
                cards.take_answer(session, actor, subscription_id, now=now)
    for subscription_id in settled:
        if not ending():
            with sessions.begin() as session:
                subscription = queries.for_change(session, actor, subscription_id)
                collecting.settle(session, actor, subscription, now=now)
    return len(given) + len(settled)


def remind(sessions: Sessions, actor: Actor, *, now: datetime, ending: Callable[[], bool] = never) -> int:
    """Tell customers of trials that end, cards that expire, and moves to other terms; how many were told."""
    told = 0
    with sessions() as session:
        today = businesses.today(session, now=now)
        trials = reminding.trials_due(session, now=now, limit=_AT_ONCE)
        expiring = reminding.cards_due(session, today=today, limit=_AT_ONCE)
    for subscription_id in trials:
        if not ending():
            with sessions.begin() as session:
                told += reminding.remind_of_trial(session, actor, subscription_id, now=now)
    for method_id in expiring:
        if not ending():
            with sessions.begin() as session:
                told += reminding.remind_of_card(session, actor, method_id, today=today, now=now)
    return told + _tell_of_moves(sessions, actor, now=now, ending=ending)


def _tell_of_moves(sessions: Sessions, actor: Actor, *, now: datetime, ending: Callable[[], bool]) -> int:
    """All of them, as many at once as one transaction should hold."""
    told = 0
    while not ending():
        with sessions.begin() as session:
            some = letters.tell(session, actor, limit=_AT_ONCE, now=now)
        if not some:
            break
        told += some
    return told


def somebody_was_cut_off(session: Session, *, now: datetime) -> bool:
    """Whether there is something to ``recover``."""
    before = now - collecting.CUT_OFF_AFTER
    return any(part.unfinished(session, before=before) for part in (signing_up, changing, giving_back))


def renew(
    sessions: Sessions,
    actor: Actor,
    *,
    now: datetime,
    ending: Callable[[], bool] = never,
    within: range | None = None,
) -> Iterator[Done]:
    """What the calendar brings to all, or to those whose ids are ``within`` this range."""
    while not ending():
        with sessions() as session:
            ids = queries.due(session, now=now, limit=_AT_ONCE, within=within)
        some, offers = False, queries.Offers()
        for subscription_id in ids:
            if ending():
                return
            done = _advance(sessions, actor, subscription_id, offers, now)
            if done is not None:
                some = True
                yield done
        # What is due, and cannot be done now, is not asked for again and again.
        if not some:
            return


def collect(
    sessions: Sessions,
    actor: Actor,
    gateway: Gateway,
    *,
    now: datetime,
    ending: Callable[[], bool] = never,
    within: range | None = None,
) -> Iterator[Collected]:
    """What is to be charged, of all or of those whose ids are ``within`` this range: each once."""
    tried: set[int] = set()
    while not ending():
        with sessions() as session:
            ids = [
                one
                for one in collecting.due(session, now=now, limit=_AT_ONCE + len(tried), within=within)
                if one not in tried
            ]
        if not ids:
            return
        for billed_id in ids:
            if ending():
                return
            tried.add(billed_id)
            found = _collect(sessions, actor, gateway, billed_id, now)
            if found is not None:
                yield found


def _advance(
    sessions: Sessions, actor: Actor, subscription_id: int, offers: queries.Offers, now: datetime
) -> Done | None:
    """What cannot be billed waits for a person, and keeps nobody else waiting."""
    try:
        with sessions.begin() as session:
            queries.share_offers(session, offers)
            return renewals.advance(session, actor, subscription_id, now=now)
    except BillingError as refusal:
        log.warning("subscription_held", subscription_id=subscription_id, reason=str(refusal))
        reason = str(refusal)
    except _AWAY:
        raise
    except Exception:  # the edge of the subscription: a bug with one must not stop the others
        reference = secrets.token_hex(4)
        log.exception("subscription_held", subscription_id=subscription_id, reference=reference)
        reason = f"Something went wrong on our side. Reference {reference}"
    with sessions.begin() as session:
        return renewals.hold(session, actor, subscription_id, reason, now=now)


def _collect(sessions: Sessions, actor: Actor, gateway: Gateway, billed_id: int, now: datetime) -> Collected | None:
    """What the gateway does not answer now is asked again later, under the same key."""
    try:
        return collecting.collect(sessions, actor, gateway, billed_id, now=now)
    except BillingError as failure:
        log.warning("charge_waits", subscription_invoice_id=billed_id, because=str(failure))
    except _AWAY:
        raise
    except Exception:  # the edge of the charge: the same
        log.exception("charge_waits", subscription_invoice_id=billed_id)
    return None
