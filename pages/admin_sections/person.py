"""One person: role, account, links, sessions."""

import streamlit as st

from billing_core.dates import utc_now
from billing_core.identity import Actor, Role
from billing_core.people import queries, service
from billing_core.people.queries import PersonRow
from billing_core.settings import settings
from pages.admin_sections.one_time_link import keep_link
from pages.ui import context, messages, opened, tables
from pages.ui.signed_in import ROLE_NAMES
from pages.ui.text import md


def show_person(actor: Actor, user_id: int, zone: str) -> None:
    """Draw everything that an administrator can do about one person."""
    with context.reading() as session:
        person = queries.person(session, actor, user_id, now=utc_now())
    with st.container(border=True):
        opened.heading(md(person.name), "person")
        st.text(person.email)
        if person.customer:
            st.text(f"Sees only {person.customer}")
        _role(actor, person)
        _account(actor, person)
        _sessions(actor, person, zone)


def _role(actor: Actor, person: PersonRow) -> None:
    roles = list(Role)
    with st.form(f"role_{person.id}", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        role = st.selectbox(
            "Role",
            roles,
            index=roles.index(person.role),
            format_func=lambda one: ROLE_NAMES[one],
            key=f"person_role_{person.id}",
            width=220,
        )
        submitted = st.form_submit_button("Change role", key="person_change_role")
    if submitted:
        with context.attempt("The new role applies from their next click.") as session:
            service.change_role(session, actor, person.id, role=role, now=utc_now())


def _account(actor: Actor, person: PersonRow) -> None:
    with st.container(horizontal=True):
        link = st.button(
            "Invitation link" if person.invited else "Link for a new password",
            key="person_link",
            icon=":material/link:",
            disabled=not person.active,
        )
        if person.active:
            with st.popover("Deactivate", icon=":material/person_off:"):
                st.text("They are signed out everywhere at once and cannot sign in. What they did is kept.")
                # A refusal is said in here: below, the open popover would cover it.
                if st.button("Deactivate", key="person_deactivate", type="primary"):
                    with context.attempt("The account is deactivated.") as session:
                        service.deactivate(session, actor, person.id, now=utc_now())
            reactivate = False
        else:
            reactivate = st.button("Reactivate", key="person_reactivate", icon=":material/person_check:")
    if link:
        with context.transaction() as session:
            _, token = service.password_link(session, actor, person.id, now=utc_now())
        days = "7 days" if person.invited else "24 hours"
        keep_link(f"{person.name} can choose a password within {days} with this link", settings().address, token)
        st.rerun()
    if reactivate:
        with context.attempt("The account is active again.") as session:
            service.reactivate(session, actor, person.id, now=utc_now())


def _sessions(actor: Actor, person: PersonRow, zone: str) -> None:
    with context.reading() as session:
        rows = queries.sessions_of(session, actor, person.id, now=utc_now())
    if not rows:
        st.caption("Not signed in anywhere.")
        return
    chosen = tables.show(
        rows,
        [
            tables.instant("Signed in", "created_at", zone),
            tables.instant("Last used", "last_seen_at", zone),
            tables.instant("Expires", "expires_at", zone),
            tables.text("Address", "address"),
            tables.text("Browser", "user_agent"),
        ],
        key="person_sessions",
        alt="Where this person is signed in",
        choose=True,
    )
    with st.container(horizontal=True):
        some = st.button("Sign out where ticked", key="person_revoke", disabled=not chosen)
        everywhere = st.button("Sign out everywhere", key="person_revoke_all", icon=":material/logout:")
    if some:
        with context.transaction() as session:
            for row in chosen:
                service.revoke_session(session, actor, person.id, row.id, now=utc_now())
        _done("Signed out there.")
    if everywhere:
        with context.transaction() as session:
            service.revoke_sessions(session, actor, person.id, now=utc_now())
        _done("Signed out everywhere.")


def _done(message: str) -> None:
    messages.say(message)
    st.rerun()
