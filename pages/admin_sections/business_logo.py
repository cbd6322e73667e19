"""The picture on a business's documents: uploaded, looked at, taken away."""

from io import BytesIO

import streamlit as st
from PIL import Image
from sqlalchemy.orm import Session

from billing_core.businesses import logo
from billing_core.dates import utc_now
from billing_core.identity import Actor
from pages.ui import context, messages
from pages.ui.reads import Reader


def draw(read: Reader, actor: Actor, business_id: int) -> None:
    with st.container(border=True):
        st.subheader("Logo", anchor=False)
        stored = read.plain(_content, business_id)
        if stored is None:
            st.caption("Documents begin with the business's name. A logo stands above it.")
        else:
            _show(stored, "The logo on documents")
        turn = st.session_state.get("logo_turn", 0)
        file = st.file_uploader(
            "Another logo" if stored else "Logo",
            type=["png", "jpg", "jpeg"],
            max_upload_size=1,
            key=f"logo_file_{business_id}_{turn}",
            help="A PNG or JPEG of at most 1 MB; on paper it is at most 62 × 22 mm.",
        )
        if (
            file is not None
            and _show(file.getvalue(), "The logo as it would be")
            and st.button("Use this logo", type="primary", icon=":material/check:", key="logo_use")
        ):
            _save(actor, business_id, file.getvalue(), "The logo is on every document from now on.")
        if stored is not None and st.button(
            "Remove the logo", type="tertiary", icon=":material/delete:", key="logo_remove"
        ):
            _save(actor, business_id, None, "Documents show no logo any more.")


def _content(session: Session, business_id: int) -> bytes | None:
    stored = logo.of(session, business_id)
    return stored.content if stored else None


def _show(content: bytes, caption: str) -> bool:
    try:
        with Image.open(BytesIO(content), formats=("PNG", "JPEG")) as opened:
            opened.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        st.warning(
            "This file is not a picture that we can print. Save it as PNG or JPEG again.", icon=":material/warning:"
        )
        return False
    # On white, as on paper: many logos are dark on nothing.
    st.image(content, caption=caption, width=240, alt=caption)
    return True


def _save(actor: Actor, business_id: int, content: bytes | None, message: str) -> None:
    with context.transaction() as session:
        logo.change(session, actor, business_id, content=content, now=utc_now())
    st.session_state["logo_turn"] = st.session_state.get("logo_turn", 0) + 1
    messages.say(message)
    st.rerun()
