"""API keys: which programs may use the HTTP APIs, as what, and when they last did."""

from datetime import timedelta

import streamlit as st

from billing_core.dates import utc_now
from billing_core.identity import Permission
from billing_core.identity.api_keys import KeyMode
from billing_core.people import keys
from billing_core.people.keys import KeyRow
from pages.admin_sections import rights
from pages.admin_sections.key import keep_secret, show_key, show_secret, state_of
from pages.ui import context, tables
from pages.ui.inputs import customer_names, filters
from pages.ui.reads import Reader
from pages.ui.signed_in import ROLE_NAMES

actor = context.require(Permission.USER_MANAGE)
read = Reader(actor)
zone = read.company.time_zone

STATES = {"In force": "green", "Changing over": "blue", "Expired": "gray", "Revoked": "gray"}
LASTS = {None: "Until it is revoked", 30: "30 days", 90: "90 days", 365: "A year"}
MODES = {KeyMode.LIVE: "Live", KeyMode.TEST: "Test"}


def opened(row: KeyRow) -> None:
    st.query_params["key"] = str(row.id)


st.title("API keys", anchor=False)
st.caption("A program sends its key with each request and may do what its role may: see [the APIs](/api/docs).")
show_secret()

making = st.expander("New key", icon=":material/key:")
with making:
    bound_to = customer_names.offered(read, key="key_customer")
with making, st.form("make_key", border=False, width=640):
    name = st.text_input(
        "What it is for", max_chars=keys.LONGEST_NAME, key="key_name", placeholder="ERP, nightly export"
    )
    role, customer_id = rights.fields(
        bound_to,
        key="key",
        bound="A key bound to one customer sees that customer alone. Not for administrators' keys.",
    )
    lasts = st.selectbox("Works for", [*LASTS], format_func=lambda one: LASTS[one], key="key_lasts")
    mode = st.radio(
        "Kind",
        [*MODES],
        format_func=lambda one: MODES[one],
        key="key_mode",
        horizontal=True,
        help="A test key stops working once Stripe collects real money: what tries things out cannot ask for any.",
    )
    made = st.form_submit_button("Make the key", type="primary", key="key_make")
if made:
    now = utc_now()
    with context.transaction() as session:
        secret = keys.make(
            session,
            actor,
            name=name,
            role=role,
            customer_id=customer_id,
            mode=mode,
            expires_at=now + timedelta(days=lasts) if lasts else None,
            now=now,
        )
    keep_secret(secret)
    st.rerun()

chosen = st.query_params.get("key", "")
if chosen.isdecimal() and len(chosen) < 10:
    show_key(actor, int(chosen), zone)

text = filters.search("Search", key="q", page_key="keys_page", placeholder="Name or public key")
with context.reading() as session:
    total = keys.count(session, actor, text=text)
if total == 0:
    if text:
        st.info("No key has this name. Clear the search.", icon=":material/filter_alt_off:")
    else:
        st.info("No program has a key yet. Make one with “New key”.", icon=":material/key:")
    st.stop()
skipped = tables.pager(total, key="keys_page", noun="key")
with context.reading() as session:
    rows = keys.page(session, actor, text=text, limit=tables.PAGE_SIZE, offset=skipped)
now = utc_now()
tables.show(
    rows,
    [
        tables.text("Name", "name"),
        tables.computed("Role", lambda row: ROLE_NAMES[row.role]),
        tables.badge("State", lambda row: state_of(row, now), STATES),
        tables.text("Customer", "customer"),
        tables.instant("Last used", "last_used_at", zone),
        tables.instant("Ends", "expires_at", zone),
        tables.text("Public key", "public_key"),
        tables.computed("Secret", lambda row: f"sk_{row.mode}_…{row.secret_end}"),
        tables.instant("Made", "created_at", zone),
        tables.text("Made by", "created_by"),
    ],
    key="keys",
    alt="The keys of programs",
    opens=opened,
)
st.caption("Click a key to give it a new secret or to revoke it. Last use is written down once a minute.")
