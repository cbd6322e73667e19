"""Which gateway collects, and whether money really moves: marked wherever it matters."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from billing_core import runtime
from billing_core.database import Sessions
from billing_core.errors import BillingError
from billing_core.invoices.payment_links import Mode
from billing_core.jobs import outbox_delivery
from billing_core.online_payments import configured
from billing_core.online_payments.gateway import Gateway
from billing_core.settings import settings
from pages.ui import context, messages
from pages.ui.colors import Color

NAMES = {Mode.SANDBOX: "Sandbox", Mode.TEST: "Test mode", Mode.LIVE: "Live"}
COLORS: dict[Mode, Color] = {Mode.SANDBOX: "violet", Mode.TEST: "orange", Mode.LIVE: "red"}
MEANS = {
    Mode.SANDBOX: "Our own payment page: no money moves. It takes test cards such as 4242 4242 4242 4242.",
    Mode.TEST: "Stripe's test mode: no money moves. It takes Stripe's test cards only.",
    Mode.LIVE: "Stripe's live mode: customers' money really moves.",
}


def mode() -> Mode:
    return configured.mode(settings())


def gateway() -> Gateway:
    """Whoever collects for us. Its calls cross the network: never inside a transaction."""
    return configured.gateway(runtime.sessions(), settings())


def mark_live() -> None:
    """On top of every page, where the sidebar may be folded away: here real money moves."""
    if mode() is Mode.LIVE:
        _badge(Mode.LIVE)


def mark() -> None:
    """On the pages about online payments: what kind of money this is about. Live mode is marked on every page."""
    if (current := mode()) is not Mode.LIVE:
        _badge(current)


def mark_of(mode: Mode) -> None:
    """For something that belongs to a mode, whichever is on now; real money needs no mark."""
    if mode is not Mode.LIVE:
        _badge(mode)


def _badge(current: Mode) -> None:
    icon = ":material/bolt:" if current is Mode.LIVE else ":material/science:"
    st.badge(NAMES[current], icon=icon, color=COLORS[current], help=MEANS[current])


@contextmanager
def asking(done: str, *, waiting: str = "Asking the payment service") -> Iterator[Sessions]:
    """A step that crosses the network and opens its own short transactions, then the page anew with this message.

    A refusal, or no answer, is said here and leaves what was typed.
    """
    try:
        with st.spinner(waiting, show_time=True):
            yield runtime.sessions()
    except BillingError as error:
        context.refused(error)
        return
    finally:
        outbox_delivery.nudge()
    messages.say(done)
    st.rerun()
