"""Every plan by its latest version, and how many organizations are on it."""

import streamlit as st

from billing_core.identity import Actor, Permission
from billing_core.plans import listing
from billing_core.plans.listing import PlanRow
from billing_core.subscriptions.overview import search
from pages.plan_sections import wording
from pages.ui import formats, opened, tables
from pages.ui.reads import Reader

PAGE_KEY = "plans_page"


def draw(read: Reader, actor: Actor) -> None:
    total = read(listing.count)
    if total == 0:
        st.info(
            "There are no plans yet. A plan says what a period costs, how much usage it includes, and what more of it "
            "costs. Create one, or import a file of them."
            if actor.may(Permission.PLAN_WRITE)
            else "There are no plans yet.",
            icon=":material/sell:",
        )
    else:
        skipped = tables.pager(total, key=PAGE_KEY, noun="plan")
        rows = read(listing.plans, day=read.today, limit=tables.PAGE_SIZE, offset=skipped)
        may_see = actor.may(Permission.SUBSCRIPTION_READ)
        subscribed = read(search.on_plans, [row.code for row in rows]) if may_see else {}
        tables.show(
            rows,
            [
                tables.button("Open", lambda row: f":material/open_in_new: {row.code}", opens=_open, width=130),
                tables.text("Name", "name"),
                *wording.columns(),
                tables.count("Versions", "versions"),
                *(
                    [tables.computed("Subscriptions", lambda row: formats.count(subscribed[row.code]), right=True)]
                    if subscribed
                    else []
                ),
                tables.count("Organizations", "customers", help="Whose usage any version of it prices today"),
            ],
            key=f"plans_{skipped}",
            alt="Plans by their latest versions",
        )
        st.caption("Terms never change: other terms are another version, and whoever is on an older one keeps it.")
    if actor.may(Permission.IMPORT) and st.button(
        "Import plans and who is on them", icon=":material/upload_file:", key="import_plans"
    ):
        opened.go_to("imports.py")


def _open(row: PlanRow) -> None:
    st.query_params["plan"] = row.code
