"""One promo code: what it promises, how often it was redeemed and by whom, and ending it early."""

import streamlit as st

from billing_core.dates import utc_now
from billing_core.identity import Actor, Permission
from billing_core.promotions import listing, service
from billing_core.promotions.listing import CodeRow, CodeStatus, RedemptionRow
from pages.promo_code_sections import wording
from pages.ui import formats, opened, tables
from pages.ui.context import actor as signed_in
from pages.ui.context import attempt
from pages.ui.reads import Reader
from pages.ui.text import md

PAGE_KEY = "promo_redemptions_page"


def draw(read: Reader, actor: Actor, code: str) -> None:
    opened.back("All promo codes", "code")
    row = read(listing.one, code, today=read.today)
    name, color = wording.STATUSES[row.status]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            st.title(md(row.code), anchor=False, width="content")
            st.badge(name, color=color)
        if (
            actor.may(Permission.PROMO_WRITE)
            and row.status is not CodeStatus.ENDED
            and st.button("End it early", icon=":material/block:", key="end_promo_code")
        ):
            _end(row)
    zone = read.company.time_zone
    st.markdown(md(wording.promise(row)))
    st.markdown(md(wording.limits(row)))
    ended = "" if row.ended_at is None else f" · ended {formats.instant(row.ended_at, zone)}"
    st.caption(md(f"Created {formats.instant(row.created_at, zone)}{ended}"))
    _redemptions(read, row, zone)


def _redemptions(read: Reader, row: CodeRow, zone: str) -> None:
    st.subheader("Redemptions", anchor=False)
    total = read(listing.redemption_count, row.id)
    if total == 0:
        st.info("Nobody has redeemed this code yet.", icon=":material/info:")
        return
    skipped = tables.pager(total, key=PAGE_KEY, noun="redemption", of=row.id)
    tables.show(
        read(listing.redemptions, row.id, limit=tables.PAGE_SIZE, offset=skipped),
        [
            tables.button(
                "Open", lambda one: f":material/open_in_new: {one.customer}", opens=_open_customer, width=220
            ),
            tables.instant("Redeemed", "redeemed_at", zone),
            tables.computed(
                "Taken back",
                lambda one: "" if one.released_at is None else formats.instant(one.released_at, zone),
                help="What it was for did not come about: since then it counts towards no limit",
            ),
            tables.text("For", "subject"),
            tables.text("Key", "customer_ref"),
        ],
        key=f"promo_redemptions_{row.id}_{skipped}",
        alt=f"Who has redeemed {row.code}, the latest first",
    )


def _open_customer(row: RedemptionRow) -> None:
    st.switch_page("customers.py", query_params={"customer": str(row.customer_id)})


@st.dialog("End the promo code", icon=":material/block:")
def _end(row: CodeRow) -> None:
    actor = signed_in()
    st.markdown(
        f"Nobody can redeem **{md(row.code)}** any more. Whoever has redeemed it keeps what it promised. "
        "**This cannot be undone**, and there cannot be another code of this name."
    )
    if st.button("End it", type="primary", icon=":material/block:", key="do_end_promo_code"):
        with attempt(f"The promo code {row.code} has ended") as session:
            service.end(session, actor, row.code, now=utc_now())
