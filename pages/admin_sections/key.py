"""One key: its new secret, and its end."""

from datetime import datetime, timedelta

import streamlit as st

from billing_core.dates import utc_now
from billing_core.identity import Actor
from billing_core.people import keys
from billing_core.people.keys import KeyRow, Secret
from pages.ui import context, formats, opened
from pages.ui.signed_in import ROLE_NAMES
from pages.ui.text import md

_KEPT = "secret_to_copy"
OVERLAPS = {
    timedelta(0): "Stops at once",
    timedelta(hours=1): "Works for another hour",
    timedelta(hours=24): "Works for another day",
    timedelta(days=7): "Works for another week",
}


def state_of(row: KeyRow, now: datetime) -> str:
    if row.revoked_at is not None:
        return "Revoked"
    if row.expires_at is not None and row.expires_at <= now:
        return "Expired"
    return "Rotating" if row.former_until is not None and row.former_until > now else "Active"


def keep_secret(secret: Secret) -> None:
    """Show this secret from the next run on, until it has been copied. It is kept in this browser's session alone."""
    st.session_state[_KEPT] = secret


def show_secret() -> None:
    """Draw the secret that waits to be copied, if there is one."""
    secret: Secret | None = st.session_state.get(_KEPT)
    if secret is None:
        return
    with st.container(border=True):
        st.text(f"The key of {secret.name}. Copy it now: it is not shown again.")
        st.code(secret.secret_key, language=None, wrap_lines=True)
        st.caption("Programs that need a pair of keys use this instead:")
        st.code(secret.pair, language=None, wrap_lines=True)
        st.button("Done", key="secret_done", on_click=_forget)


def show_key(actor: Actor, key_id: int, zone: str) -> None:
    """Draw everything that an administrator can do about one key."""
    with context.reading() as session:
        key = keys.one(session, actor, key_id)
    state = state_of(key, utc_now())
    with st.container(border=True):
        opened.heading(md(key.name), "key")
        st.text(f"{ROLE_NAMES[key.role]} · {key.public_key} · {state}")
        if key.customer:
            st.text(f"Sees only {key.customer}")
        if key.former_until is not None and state == "Rotating":
            st.text(f"The old secret is valid until {formats.instant(key.former_until, zone)}")
        if state in ("Active", "Rotating"):
            with st.container(horizontal=True):
                _rotate(actor, key)
                _revoke(actor, key)


def _rotate(actor: Actor, key: KeyRow) -> None:
    with st.popover("New secret", icon=":material/autorenew:"):
        st.text("The key keeps its name, role and public key, and gets a new secret.")
        overlap = st.selectbox(
            "The old secret",
            [*OVERLAPS],
            index=2,
            format_func=lambda one: OVERLAPS[one],
            key=f"key_overlap_{key.id}",
        )
        rotated = st.button("Create a new secret", key="key_rotate", type="primary")
    if rotated:
        with context.transaction() as session:
            secret = keys.rotate(session, actor, key.id, overlap=overlap, now=utc_now())
        keep_secret(secret)
        st.rerun()


def _revoke(actor: Actor, key: KeyRow) -> None:
    with st.popover("Revoke", icon=":material/key_off:"):
        st.text("Programs that use it are refused from their next request on. This cannot be undone.")
        # A refusal is said in here: below, the open popover would cover it.
        if st.button("Revoke", key="key_revoke", type="primary"):
            with context.attempt("The key is revoked.") as session:
                keys.revoke(session, actor, key.id, now=utc_now())


def _forget() -> None:
    st.session_state.pop(_KEPT, None)
