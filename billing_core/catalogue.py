"""Every figure by its key, whichever package declares it, and the scope in which an actor may see it."""

from typing import Final

from billing_core import figures
from billing_core.bill_runs.figures import FAILED_IN_RUNS, PAUSED_RUNS
from billing_core.bounces.figures import BOUNCED_MAILS
from billing_core.errors import NotFound
from billing_core.figures import Figure, Scope
from billing_core.identity import Actor
from billing_core.imports.queries import FAILED_IMPORTS
from billing_core.online_payments import figures as of_online_payments
from billing_core.outbox.figures import FAILED_MAILS, KEPT_MAILS
from billing_core.outgoing_webhooks.figures import FAILED_WEBHOOKS
from billing_core.people.figures import REFUSED_GUESSES
from billing_core.processes.figures import FAILED_SCHEDULES, LOST_PROCESSES, PAUSED_QUEUES
from billing_core.receivables import attention
from billing_core.receivables import figures as of_money
from billing_core.reports import figures as of_reports
from billing_core.subscriptions.overview import attention as of_subscribers
from billing_core.subscriptions.overview import figures as of_subscriptions
from billing_core.tax_returns import figures as of_tax_returns
from billing_core.usage import figures as of_usage

# The figures of one service, one report or one cell of a tax return are made on demand: see ``of_key`` of each.
FIGURES: Final = {
    figure.key: figure
    for figure in (
        *of_reports.FIGURES,
        *of_money.FIGURES,
        *attention.FIGURES,
        *of_online_payments.FIGURES,
        *of_usage.FIGURES,
        *of_subscriptions.FIGURES,
        *of_subscribers.FIGURES,
        FAILED_MAILS,
        KEPT_MAILS,
        BOUNCED_MAILS,
        FAILED_WEBHOOKS,
        FAILED_IN_RUNS,
        PAUSED_RUNS,
        FAILED_IMPORTS,
        FAILED_SCHEDULES,
        LOST_PROCESSES,
        PAUSED_QUEUES,
        REFUSED_GUESSES,
    )
}


def find(actor: Actor, key: str, scope: Scope) -> tuple[Figure, Scope]:
    """The figure of a link and the scope in which this actor sees it; NotFound where there is no such figure."""
    figure = FIGURES.get(key) or of_reports.of_key(key) or of_tax_returns.of_key(key)
    if figure is None:
        raise NotFound(f"There is no figure “{key}”")
    return figure, figures.visible(actor, figure, scope)
