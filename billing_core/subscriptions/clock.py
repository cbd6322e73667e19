"""Doing all that is due by an instant: for jobs and commands, which open no transaction of their own around it."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

import structlog

from billing_core.database import Sessions
from billing_core.errors import BillingError, UpstreamFailed
from billing_core.identity import Actor
from billing_core.online_payments.gateway import Gateway
from billing_core.subscriptions import collecting, queries, renewals, signing_up
from billing_core.subscriptions.collecting import Collected
from billing_core.subscriptions.renewals import Done

log = structlog.get_logger()

_AT_ONCE: Final = 200


def run(
    sessions: Sessions,
    actor: Actor,
    gateway: Gateway,
    *,
    now: datetime,
    ending: Callable[[], bool] = lambda: False,
) -> Iterator[Done | Collected]:
    """Do what is due, one step after the other, and tell of each. A process killed anywhere leaves steps that are done,
    and others that are due: whoever comes next goes on.
    """
    signing_up.complete_unfinished(sessions, actor, gateway, before=now - collecting.CUT_OFF_AFTER, now=now)
    yield from _advance(sessions, actor, now, ending)
    yield from _collect(sessions, actor, gateway, now, ending)


def _advance(sessions: Sessions, actor: Actor, now: datetime, ending: Callable[[], bool]) -> Iterator[Done]:
    while not ending():
        with sessions() as session:
            ids = queries.due(session, now=now, limit=_AT_ONCE)
        if not ids:
            return
        for subscription_id in ids:
            if ending():
                return
            done = _advance_one(sessions, actor, subscription_id, now)
            if done is not None:
                yield done


def _advance_one(sessions: Sessions, actor: Actor, subscription_id: int, now: datetime) -> Done | None:
    """What cannot be billed waits for a person, and keeps nobody else waiting."""
    try:
        with sessions.begin() as session:
            return renewals.advance(session, actor, subscription_id, now=now)
    except BillingError as refusal:
        log.warning("subscription_held", subscription_id=subscription_id, reason=str(refusal))
        with sessions.begin() as session:
            return renewals.hold(session, actor, subscription_id, str(refusal), now=now)


def _collect(
    sessions: Sessions, actor: Actor, gateway: Gateway, now: datetime, ending: Callable[[], bool]
) -> Iterator[Collected]:
    with sessions() as session:
        ids = collecting.due(session, now=now, limit=_AT_ONCE)
    while ids and not ending():
        for billed_id in ids:
            if ending():
                return
            try:
                found = collecting.collect(sessions, actor, gateway, billed_id, now=now)
            except UpstreamFailed as failure:
                # Not now: the attempt is made again under the same key.
                log.warning("charge_waits", subscription_invoice_id=billed_id, because=str(failure))
                continue
            if found is not None:
                yield found
        with sessions() as session:
            following = collecting.due(session, now=now, limit=_AT_ONCE)
        if following == ids:
            return
        ids = following
