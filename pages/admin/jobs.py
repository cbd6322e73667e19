"""Jobs: what runs, waits and failed in the background, the schedules, and the processes that do it."""

import streamlit as st

from billing_core.identity import Permission
from pages.job_sections import listing, reading, steps
from pages.ui import context
from pages.ui.reads import Reader

EVERY = "5s"

actor = context.require(Permission.JOBS_MANAGE)
zone = Reader(actor).company.time_zone
st.title("Jobs", anchor=False)
st.caption("Everything that the product does in the background. This page renews itself every few seconds.")
steps.carry_out(actor)


@st.fragment(run_every=EVERY)
def live() -> None:
    if steps.noted():
        st.rerun()
    # Asked anew: the page may stay open for days, while sessions end and roles change.
    seen = reading.overview(context.require(Permission.JOBS_MANAGE))
    listing.draw_queues(seen, zone)
    listing.draw_schedules(seen, zone)
    listing.draw_processes(seen, zone)


live()
