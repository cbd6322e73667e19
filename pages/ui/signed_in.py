"""The foot of the sidebar: who is signed in, as what, and the way out."""

import streamlit as st

from billing_core import runtime
from billing_core.audit import queries as audit
from billing_core.dates import utc_now
from billing_core.identity import Role
from billing_core.identity.sessions import SignedIn
from billing_core.people import sign_in
from pages.ui import context, data_age
from pages.ui.reads import Reader

ROLE_NAMES = {Role.FINANCE: "Finance", Role.MANAGER: "Manager", Role.ADMIN: "Administrator"}


def signed_in_person(person: SignedIn) -> None:
    """Draw what kind of data this is and how old, the signed-in person, and a button that signs this browser out."""
    read = Reader(person.actor)
    with st.container(gap="xsmall"):
        if read.plain(audit.happened, "demo.fill"):
            st.badge("Demo data", icon=":material/science:", color="orange")
        data_age.draw(read)
    with st.container(gap="xsmall"):
        st.text(person.actor.name)
        st.caption(ROLE_NAMES[person.role])
    st.button("Sign out", icon=":material/logout:", key="sign_out", on_click=_sign_out, width="stretch")


def _sign_out() -> None:
    with runtime.sessions().begin() as session:
        sign_in.sign_out(session, context.session_token(), now=utc_now())
