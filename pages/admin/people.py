"""People: who may sign in, as what, and where they are signed in."""

import streamlit as st

from billing_core.dates import utc_now
from billing_core.identity import Permission
from billing_core.people import queries, service
from billing_core.people.queries import PersonRow
from billing_core.settings import settings
from pages.admin_sections import rights
from pages.admin_sections.one_time_link import keep_link, show_link
from pages.admin_sections.person import show_person
from pages.ui import context, opened, tables
from pages.ui.inputs import customer_names, filters
from pages.ui.reads import Reader
from pages.ui.signed_in import ROLE_NAMES

actor = context.require(Permission.USER_MANAGE)
read = Reader(actor)
zone = read.company.time_zone

STATES = {"Active": "green", "Invited": "orange", "Deactivated": "gray"}


def state(row: PersonRow) -> str:
    if not row.active:
        return "Deactivated"
    return "Invited" if row.invited else "Active"


def open_row(row: PersonRow) -> None:
    st.query_params["person"] = str(row.id)


st.title("People", anchor=False)
show_link()

inviting = st.expander("Invite somebody", icon=":material/person_add:")
with inviting:
    bound_to = customer_names.offered(read, key="invite_customer")
with inviting, st.form("invite", border=False, width=640):
    email = st.text_input("E-mail address", max_chars=254, key="invite_email")
    name = st.text_input("Name", max_chars=200, key="invite_name")
    role, customer_id = rights.fields(
        bound_to,
        key="invite",
        bound="Somebody bound to one customer sees only that customer. Not for administrators.",
    )
    invited = st.form_submit_button("Invite", type="primary", key="invite_submit")
if invited:
    with context.transaction() as session:
        user, token = service.invite(
            session, actor, email=email, name=name, role=role, customer_id=customer_id, now=utc_now()
        )
    keep_link(f"{user.name} can choose a password within 7 days with this link", settings().address, token)
    st.rerun()

if chosen := opened.identity("person", "person"):
    show_person(actor, chosen, zone)

with filters.row():
    text = filters.search("Search", key="q", page_key="people_page", placeholder="Name or e-mail address")
with context.reading() as session:
    total = queries.people_count(session, actor, text=text)
if total == 0:
    st.info("Nobody has this name or address. Clear the search.", icon=":material/filter_alt_off:")
    st.stop()
skipped = tables.pager(total, key="people_page", noun="account")
with context.reading() as session:
    rows = queries.people(session, actor, text=text, now=utc_now(), limit=tables.PAGE_SIZE, offset=skipped)
tables.show(
    rows,
    [
        tables.text("Name", "name"),
        tables.text("E-mail address", "email"),
        tables.computed("Role", lambda row: ROLE_NAMES[row.role]),
        tables.badge("State", state, STATES),
        tables.text("Customer", "customer"),
        tables.instant("Last sign-in", "last_sign_in_at", zone),
        tables.count("Open sessions", "open_sessions"),
    ],
    key="people",
    alt="Everybody who may sign in",
    opens=open_row,
)
st.caption("Click a person to change their role, send them a link, or see where they are signed in.")
