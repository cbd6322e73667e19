"""What the page shows, read once every two seconds at most, however many people look at it."""

import streamlit as st

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.identity import Actor
from billing_core.jobs.overview import queues
from billing_core.jobs.overview.queues import Overview


def overview(actor: Actor) -> Overview:
    return _kept(_actor=actor)


def forget() -> None:
    """Read it anew: something was changed."""
    _kept.clear()


# The same for all who may see the page: nobody bound to one customer may.
@st.cache_data(ttl=2, max_entries=1, show_spinner=False)
def _kept(_actor: Actor) -> Overview:
    with runtime.sessions()() as session:
        return queues.read(session, _actor, now=utc_now())
