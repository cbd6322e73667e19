"""Every verb of online payments as every role: who may not is refused before anything else is looked at."""

import inspect
import pkgutil
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from billing_core import online_payments
from billing_core.errors import Forbidden
from billing_core.identity import PERMISSIONS, Actor, Permission, Role, actor_with

READ, WRITE, LINKS, EVENTS = (
    Permission.PAYMENT_READ,
    Permission.PAYMENT_WRITE,
    Permission.LINK_WRITE,
    Permission.WEBHOOK_READ,
)

# What each takes. None: it takes nothing, as it is a part of a verb that was checked, or for anybody with the link.
NEEDED: dict[str, tuple[Permission, ...] | None] = {
    "cases.open_case": (WRITE,),
    "cases.settle": (WRITE,),
    "cases.settle_of_payment": (WRITE,),
    "links.expiry.end_due": (LINKS,),
    "links.link_candidates.search": (LINKS,),
    "links.queries.count": (READ,),
    "links.queries.counts": (READ,),
    "links.queries.of_invoice": (READ,),
    "links.queries.one": (READ,),
    "links.queries.page": (READ,),
    "links.workflow.create": (LINKS,),
    "links.workflow.deactivate": (LINKS,),
    "links.workflow.preview": (LINKS,),
    "off_session.attempts.begin": (WRITE,),
    "off_session.attempts.of_invoice": (READ,),
    "off_session.attempts.one": (READ,),
    "off_session.attempts.record": (WRITE,),
    "off_session.methods.attach": (WRITE,),
    "off_session.methods.detach": (WRITE,),
    "off_session.methods.expiring": (READ,),
    "off_session.methods.for_change": (WRITE,),
    "off_session.methods.gateway_customer": (WRITE,),
    "off_session.methods.of_customer": (READ,),
    "off_session.methods.record": (WRITE,),
    "off_session.requests.ask": (WRITE,),
    "off_session.requests.ask_again": (WRITE,),
    "off_session.requests.enter": None,
    "off_session.requests.keep": (WRITE,),
    "off_session.requests.open_for": (WRITE,),
    "queries.case_count": (READ,),
    "queries.cases": (READ,),
    "queries.cases_of_invoice": (READ,),
    "queries.disputes": (READ,),
    "queries.event": (EVENTS,),
    "queries.event_count": (EVENTS,),
    "queries.event_counts": (EVENTS,),
    "queries.events": (EVENTS,),
    "queries.last_received_at": (EVENTS,),
    "queries.refused": (EVENTS,),
    "reconciliation.balance_transactions.last_reading": (READ, EVENTS),
    "reconciliation.balance_transactions.read": (READ, EVENTS),
    "reconciliation.balance_transactions.require": (READ, EVENTS),
    "reconciliation.exporting.as_csv": (Permission.EXPORT,),
    "reconciliation.reconciliation.listing": (READ, EVENTS),
    "reconciliation.reconciliation.page": (READ, EVENTS),
    "reconciliation.reconciliation.sums": (READ, EVENTS),
    "refunding.ask": (WRITE,),
    "refunding.make": (WRITE,),
    "refunding.refund": (WRITE,),
    "refunding.refundable": (READ,),
    "sandbox.events.tell_card": None,
    "sandbox.events.tell_payment": None,
    "sandbox.events.tell_refund": None,
    "sandbox.gateway.pay": None,
    "webhooks.attempt_outcomes.note_failure": (WRITE,),
    "webhooks.attempt_outcomes.note_success": (WRITE,),
    "webhooks.card_requests.have_kept": (WRITE,),
    "cases.open_again": (WRITE,),
    "webhooks.disputes.note": (WRITE,),
    "webhooks.disputes.take_back": (WRITE,),
    "webhooks.fees.ask": (WRITE,),
    "webhooks.fees.note": (WRITE,),
    "webhooks.inbox.process_again": (WRITE,),
    "webhooks.inbox.process_failed_again": (WRITE,),
    "webhooks.matching.of_attempt": None,
    "webhooks.receipts.record": (WRITE,),
    "webhooks.refund_recording.note_failed": (WRITE,),
    "webhooks.refund_recording.note_refunded": (WRITE,),
}


def verbs() -> dict[str, Callable[..., Any]]:
    """Every public function of the package that takes an actor, by its module and name."""
    above = f"{online_payments.__name__}."
    found = {}
    for one in pkgutil.walk_packages(online_payments.__path__, above):
        for name, function in inspect.getmembers(import_module(one.name), inspect.isfunction):
            own = function.__module__ == one.name and not name.startswith("_")
            if own and "actor" in inspect.signature(function).parameters:
                found[f"{one.name.removeprefix(above)}.{name}"] = function
    return found


def refused(verb: Callable[..., Any], actor: Actor) -> str:
    """What the actor is told, with nothing given that could be looked at: the permission comes first."""
    nothing = dict.fromkeys(inspect.signature(verb).parameters)
    with pytest.raises(Forbidden) as refusal:
        verb(**nothing | {"actor": actor})
    return str(refusal.value)


def test_every_verb_says_what_it_takes():
    assert set(NEEDED) == set(verbs())


@pytest.mark.parametrize("role", Role)
def test_a_role_without_the_permission_is_refused(role, subtests):
    found = verbs()
    for name, needed in NEEDED.items():
        lacking = [permission for permission in needed or () if permission not in PERMISSIONS[role]]
        if lacking:
            with subtests.test(verb=name):
                actor = actor_with(role, user_id=None, name="Ada Lovelace")
                assert f"“{lacking[0]}”" in refused(found[name], actor)


def test_every_other_permission_together_does_not_replace_a_verbs_own(subtests):
    found = verbs()
    for name, needed in NEEDED.items():
        for permission in needed or ():
            with subtests.test(verb=name, permission=permission):
                others = Actor(None, "Ada Lovelace", frozenset(Permission) - {permission})
                assert f"“{permission}”" in refused(found[name], others)
