"""States of payment links in words, and what became of one."""

from datetime import datetime

from billing_core.collecting.links import LinkRow
from billing_core.invoices.payment_links import CollectionWay, LinkState
from pages.ui import formats

STATES = {
    LinkState.ISSUING: ("Not answered", "orange"),
    LinkState.ACTIVE: ("Active", "blue"),
    LinkState.PAID: ("Paid", "green"),
    LinkState.EXPIRED: ("Expired", "gray"),
    LinkState.DEACTIVATED: ("Deactivated", "gray"),
    LinkState.FAILED: ("Refused", "red"),
}
OPENED, NOT_OPENED = "Opened", "Not opened"
COLORS = dict(STATES.values()) | {OPENED: "violet", NOT_OPENED: "blue"}
WAYS = {CollectionWay.PAYMENT_LINK: "Payment link", CollectionWay.HOSTED_INVOICE: "Hosted invoice"}


def state(link: LinkRow) -> str:
    """An active link says whether the customer has opened it."""
    if link.state is LinkState.ACTIVE:
        return OPENED if link.clicks else NOT_OPENED
    return STATES[link.state][0]


def age(link: LinkRow, now: datetime) -> str:
    """How long ago it was issued."""
    days = (now - (link.issued_at or link.created_at)).days
    return "today" if days < 1 else formats.counted(days, "day")


def told(link: LinkRow, zone: str) -> str:
    """What became of it, in a sentence."""
    asked = f"asked for by {link.created_by} on {formats.instant(link.created_at, zone)}"
    match link.state:
        case LinkState.ISSUING:
            return f"{asked}; the payment service has not answered yet"
        case LinkState.FAILED:
            return f"{asked}; refused: {link.ended_because}"
        case LinkState.ACTIVE:
            clicks = (
                f"opened {formats.counted(link.clicks, 'time')}, last on {formats.instant(link.last_clicked_at, zone)}"
                if link.clicks
                else "not opened yet"
            )
            return f"issued by {link.created_by}; {clicks}; works until {formats.instant(link.expires_at, zone)}"
        case LinkState.PAID:
            return f"issued by {link.created_by}; paid on {formats.instant(link.last_paid_at or link.ended_at, zone)}"
    because = f": {link.ended_because}" if link.ended_because else ""
    return f"issued by {link.created_by}; ended on {formats.instant(link.ended_at, zone)}{because}"
