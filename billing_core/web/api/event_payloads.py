"""What outgoing webhooks carry: invoices, reports and subscriptions as the published APIs show them, and thresholds
of usage.
"""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from billing_core.dates import utc_now
from billing_core.errors import NotFound
from billing_core.identity import SYSTEM
from billing_core.invoices import queries as invoices
from billing_core.reports import queries as reports
from billing_core.subscriptions import listing as subscriptions
from billing_core.subscriptions.telling import events
from billing_core.usage import alerts, threshold_checks
from billing_core.web.api.billing.subscription_bodies import subscription as published_subscription
from billing_core.web.api.invoices.routes import published
from billing_core.web.api.reports import plain
from billing_core.web.api.usage import thresholds


def rendered(session: Session, kind: str, identity: int) -> Mapping[str, object] | None:
    """The object of an event as it is now; None where it does not exist (any more)."""
    try:
        match kind:
            case "invoice":
                return published(session, invoices.one(session, SYSTEM, identity), now=utc_now())
            case "report":
                return plain.listed_report(reports.one(session, SYSTEM, identity))
            case events.SUBSCRIPTION:
                return published_subscription(subscriptions.by_id(session, SYSTEM, identity))
            case threshold_checks.REACHED:
                return thresholds.published(alerts.reached_one(session, SYSTEM, identity))
    except NotFound:
        pass
    return None
