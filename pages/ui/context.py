"""Who is signed in, and the two ways a page reaches the database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st
from sqlalchemy.orm import Session

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.errors import BillingError
from billing_core.identity import SESSION_COOKIE, Actor, Permission, sessions
from billing_core.identity.sessions import SignedIn
from billing_core.jobs import outbox_delivery
from pages.ui import formats, messages
from pages.ui.text import md

_FOR_THIS_RUN = "signed_in_for_this_run"


def session_token() -> str:
    """The browser's session token, or nothing."""
    return st.context.cookies.get(SESSION_COOKIE, "")


def signed_in() -> SignedIn:
    """The browser's session and whose it is; the script stops where there is none any more.

    Asked anew on every run, so that a revoked session or a changed role works at once.
    """
    with runtime.sessions()() as session:
        person = sessions.find(session, session_token(), now=utc_now())
    if person is None:
        st.session_state.clear()
        # The same address again: the authentication answers with the sign-in page, which leads back. Markdown and
        # nothing else: it no longer serves this browser the script of an element that the page has not drawn yet.
        st.warning("You are signed out. [Sign in](<>) to come back here.", icon=":material/lock:")
        st.stop()
    # A page that stayed open while somebody else signed in here must not show what the first had typed.
    if st.session_state.get("signed_in_person", person.actor.user_id) != person.actor.user_id:
        st.session_state.clear()
    st.session_state["signed_in_person"] = person.actor.user_id
    return person


def signed_in_for_this_run() -> SignedIn:
    """The same, kept for the page that the menu runs next, so that one run asks once."""
    person = signed_in()
    st.session_state[_FOR_THIS_RUN] = person
    return person


def actor() -> Actor:
    """Whoever the browser's session belongs to; the script stops where there is none any more."""
    return signed_in().actor


def require(permission: Permission) -> Actor:
    """The actor, if they may see this page."""
    person: SignedIn = st.session_state.pop(_FOR_THIS_RUN, None) or signed_in()
    who = person.actor
    if not who.may(permission):
        st.error("Your role does not allow this page. An administrator can change your role.", icon=":material/block:")
        st.stop()
    return who


@contextmanager
def transaction() -> Iterator[Session]:
    """One user action, one commit; an expected failure becomes a message. No ``st.*`` call inside."""
    try:
        with runtime.sessions().begin() as session:
            yield session
    except BillingError as error:
        refused(error)
        st.stop()
    outbox_delivery.nudge()


@contextmanager
def attempt(done: str, *, then: Callable[[], None] = lambda: None) -> Iterator[Session]:
    """One change, then the page anew with this message; a refusal is said here and leaves the rest of the page.

    ``then``: called once it is done.
    """
    try:
        with runtime.sessions().begin() as session:
            yield session
    except BillingError as error:
        refused(error)
    else:
        outbox_delivery.nudge()
        then()
        messages.say(done)
        st.rerun()


def refused(error: BillingError) -> None:
    """Say why something was not done, here and with the fields at fault; the script goes on."""
    told = str(error)
    for field in error.fields:
        # As programs are told; people know no field by such a name.
        if told.startswith(f"{field}: "):
            told = formats.words(field) + told.removeprefix(field)
    st.error(md(formats.with_days(told)), icon=":material/error:")
    for field, reason in error.fields.items():
        if reason not in told:
            st.caption(f"{md(formats.words(field))}: {md(formats.with_days(reason))}")


@contextmanager
def reading() -> Iterator[Session]:
    """A session to read with; an expected failure becomes a message."""
    try:
        with runtime.sessions()() as session:
            yield session
    except BillingError as error:
        refused(error)
        st.stop()
