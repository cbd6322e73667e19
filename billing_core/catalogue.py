"""Every figure by its key, whichever package declares it, and what somebody may ask it for."""

from dataclasses import replace

from billing_core.figures import Figure, Scope
from billing_core.identity import Actor, Permission
from billing_core.online_payments import figures as of_online_payments
from billing_core.outbox import figures as of_mails
from billing_core.outgoing_webhooks import figures as of_outgoing_webhooks
from billing_core.receivables import attention
from billing_core.receivables import figures as of_money
from billing_core.reports import figures as of_reports


def asked(actor: Actor, key: str, scope: Scope) -> tuple[Figure, Scope]:
    """The figure behind a link and the scope that this actor may ask it for; NotFound where there is no such figure.

    One bound to a customer asks for that customer alone.
    """
    figure = of_money.named(key) or attention.named(key)
    if figure is not None:
        actor.require(Permission.INVOICE_READ)
    elif key in {one.key for one in of_online_payments.OF_PAYMENTS}:
        actor.require(Permission.PAYMENT_READ)
        figure = next(one for one in of_online_payments.OF_PAYMENTS if one.key == key)
    elif key == of_online_payments.FAILED_EVENTS.key:
        actor.require(Permission.WEBHOOK_READ)
        figure = of_online_payments.FAILED_EVENTS
    elif key == of_mails.FAILED_MAILS.key:
        actor.require(Permission.OUTBOX_READ)
        figure = of_mails.FAILED_MAILS
    elif key == of_outgoing_webhooks.FAILED_WEBHOOKS.key:
        actor.require(Permission.WEBHOOK_ENDPOINT_WRITE)
        figure = of_outgoing_webhooks.FAILED_WEBHOOKS
    else:
        actor.require(Permission.REPORT_READ)
        figure = of_reports.named(key)
    return figure, scope if actor.customer_id is None else replace(scope, customer_id=actor.customer_id)
