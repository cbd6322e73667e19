"""States of payment links in words, and what became of one."""

from datetime import datetime

from billing_core.invoices.payment_links import PAID_BY_IT, CollectionWay, LinkState
from billing_core.online_payments.links.queries import LinkRow
from pages.ui import formats
from pages.ui.colors import Color

STATES: dict[LinkState, tuple[str, Color]] = {
    LinkState.CREATING: ("Not answered", "orange"),
    LinkState.ACTIVE: ("Active", "blue"),
    LinkState.PAID: ("Paid", "green"),
    LinkState.EXPIRED: ("Expired", "gray"),
    LinkState.DEACTIVATED: ("Deactivated", "gray"),
    LinkState.FAILED: ("Refused", "red"),
}
OPENED, NOT_OPENED, PAID_LATE = "Opened", "Not opened", "Paid after it ended"
COLORS: dict[str, Color] = dict(STATES.values()) | {OPENED: "violet", NOT_OPENED: "blue", PAID_LATE: "orange"}
WAYS = {CollectionWay.PAYMENT_LINK: "Payment link", CollectionWay.HOSTED_INVOICE: "Hosted invoice"}


def state(link: LinkRow) -> str:
    """An active link says whether the customer has opened it, a paid one whether it should have been paid."""
    if link.state is LinkState.ACTIVE:
        return OPENED if link.clicks else NOT_OPENED
    if _paid_late(link):
        return PAID_LATE
    return STATES[link.state][0]


def age(link: LinkRow, now: datetime) -> str:
    """How long ago it was created."""
    days = (now - (link.activated_at or link.created_at)).days
    return "today" if days < 1 else formats.counted(days, "day")


def history(link: LinkRow, zone: str) -> str:
    """What became of it, in a sentence."""
    requested = f"requested by {link.created_by} on {formats.instant(link.created_at, zone)}"
    match link.state:
        case LinkState.CREATING:
            return f"{requested}; the payment service has not answered yet"
        case LinkState.FAILED:
            return f"{requested}; refused: {link.ended_because}"
        case LinkState.ACTIVE:
            clicks = (
                f"opened {formats.counted(link.clicks, 'time')}, last on {formats.instant(link.last_clicked_at, zone)}"
                if link.clicks
                else "not opened yet"
            )
            return f"created by {link.created_by}; {clicks}; valid until {formats.instant(link.expires_at, zone)}"
        case LinkState.PAID:
            paid = f"paid on {formats.instant(link.last_paid_at or link.ended_at, zone)}"
            why = f"ended earlier: {link.ended_because}; " if _paid_late(link) else ""
            return f"created by {link.created_by}; {why}{paid}"
    because = f": {link.ended_because}" if link.ended_because else ""
    return f"created by {link.created_by}; ended on {formats.instant(link.ended_at, zone)}{because}"


def happened(link: LinkRow) -> str:
    """What ended it, or what went wrong last."""
    if _paid_late(link):
        return f"{link.ended_because}, then the customer paid"
    return link.ended_because or (f"An attempt failed: {link.last_failure}" if link.last_failure else "")


def _paid_late(link: LinkRow) -> bool:
    """The customer had the gateway's page open, or the gateway had not heard yet that the link ended."""
    return link.state is LinkState.PAID and bool(link.ended_because) and link.ended_because != PAID_BY_IT
