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
from pages.ui import context, opened, tables
from pages.ui.inputs import customer_names, filters
from pages.ui.reads import Reader
from pages.ui.signed_in import ROLE_NAMES

actor = context.require(Permission.USER_MANAGE)
read = Reader(actor)
zone = read.company.time_zone

STATES = {"Active": "green", "Rotating": "blue", "Expired": "gray", "Revoked": "gray"}
LASTS = {None: "Until it is revoked", 30: "30 days", 90: "90 days", 365: "A year"}
MODES = {KeyMode.LIVE: "Live", KeyMode.TEST: "Test"}


def open_row(row: KeyRow) -> None:
    st.query_params["key"] = str(row.id)


st.title("API keys", anchor=False)
st.caption("A program sends its key with each request and may do what its role allows: see [the APIs](/api/docs).")
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
        bound="A key bound to one customer sees only that customer. Not for administrators' keys.",
    )
    lasts = st.selectbox("Valid for", [*LASTS], format_func=lambda one: LASTS[one], key="key_lasts")
    mode = st.radio(
        "Kind",
        [*MODES],
        format_func=lambda one: MODES[one],
        key="key_mode",
        horizontal=True,
        help="A test key stops working once Stripe collects real money: trials cannot charge anybody.",
    )
    made = st.form_submit_button("Create the key", type="primary", key="key_make")
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

if chosen := opened.identity("key", "key"):
    show_key(actor, chosen, zone)

with filters.row():
    text = filters.search("Search", key="q", page_key="keys_page", placeholder="Name or public key")
with context.reading() as session:
    total = keys.count(session, actor, text=text)
if total == 0:
    if text:
        st.info("No key has this name. Clear the search.", icon=":material/filter_alt_off:")
    else:
        st.info("No program has a key yet. Create one with “New key”.", icon=":material/key:")
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
        tables.instant("Created", "created_at", zone),
        tables.text("Created by", "created_by"),
    ],
    key="keys",
    alt="The keys of programs",
    opens=open_row,
)
st.caption("Click a key to give it a new secret or to revoke it. The last use is recorded once a minute.")
