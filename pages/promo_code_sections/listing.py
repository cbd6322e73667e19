"""The promo codes that match, the newest first, and the same as a file."""

import streamlit as st

from billing_core.identity import Actor, Permission
from billing_core.plans import listing as plans
from billing_core.promotions import listing
from billing_core.promotions.listing import CodeFilter, CodeRow, CodeStatus
from pages.promo_code_sections import wording
from pages.ui import downloads, formats, opened, tables
from pages.ui.inputs import filters
from pages.ui.reads import Reader

PAGE_KEY = "promo_codes_page"


def draw(read: Reader, actor: Actor) -> None:
    chosen, total = CodeFilter(), read(listing.count, CodeFilter(), today=read.today)
    if total:
        chosen = _filters(read)
        total = read(listing.count, chosen, today=read.today)
    if total == 0:
        _nothing(read, actor)
    else:
        _table(read, chosen, total)
    with st.container(horizontal=True):
        if total and actor.may(Permission.EXPORT):
            facts = {"text": chosen.text, "status": chosen.status, "plan": chosen.plan_code}
            st.link_button("List as CSV", downloads.address("promo-codes.csv", **facts), icon=":material/download:")
        if actor.may(Permission.IMPORT) and st.button(
            "Import promo codes", icon=":material/upload_file:", key="import_promo_codes"
        ):
            opened.go_to("imports.py")


def _filters(read: Reader) -> CodeFilter:
    with filters.row():
        text = filters.search("Search", key="promo_codes_text", page_key=PAGE_KEY, placeholder="Part of a code")
        names = {status.value: name for status, (name, _) in wording.STATUSES.items()}
        status = filters.choice(
            "Status", list(names), key="promo_codes_status", page_key=PAGE_KEY, names=names, every="All"
        )
        plan = filters.choice(
            "Redeemable for", read(plans.codes), key="promo_codes_plan", page_key=PAGE_KEY, every="Any plan", width=200
        )
    return CodeFilter(text, CodeStatus(status) if status in names else None, plan)


def _table(read: Reader, chosen: CodeFilter, total: int) -> None:
    skipped = tables.pager(total, key=PAGE_KEY, noun="promo code")
    tables.show(
        read(listing.codes, chosen, today=read.today, limit=tables.PAGE_SIZE, offset=skipped),
        [
            tables.button("Open", lambda row: f":material/open_in_new: {row.code}", opens=_open, width=160),
            tables.computed("Takes off", wording.reduction, right=True),
            tables.computed("For", wording.lasting),
            tables.computed("Redeemed", wording.redeemed, right=True),
            tables.badge("Status", lambda row: wording.STATUSES[row.status][0], dict(wording.STATUSES.values())),
            tables.computed("Plan", lambda row: row.plan_code or wording.EVERY_PLAN),
            tables.computed(
                "Each customer",
                lambda row: (
                    formats.NOTHING if row.limit_per_customer is None else formats.count(row.limit_per_customer)
                ),
                help="How often one customer can redeem it",
                right=True,
            ),
            tables.day("Last day", "valid_to"),
        ],
        key=f"promo_codes_{skipped}",
        alt="Promo codes, the newest first",
    )


def _nothing(read: Reader, actor: Actor) -> None:
    if read(listing.count, CodeFilter(), today=read.today):
        st.info("No promo code matches. Clear the search or choose another status.", icon=":material/filter_alt_off:")
    elif actor.may(Permission.PROMO_WRITE):
        st.info(
            "There are no promo codes yet. A promo code takes a percent or an amount off a plan's price. Create one, "
            "or import a file of them.",
            icon=":material/redeem:",
        )
    else:
        st.info("There are no promo codes yet. An administrator creates them.", icon=":material/redeem:")


def _open(row: CodeRow) -> None:
    st.query_params["code"] = row.code
