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
        kept = read.plain(_content, business_id)
        if kept is None:
            st.caption("Documents begin with the business's name. A logo stands above it.")
        else:
            _show(kept, "The logo on documents")
        turn = st.session_state.get("logo_turn", 0)
        file = st.file_uploader(
            "Another logo" if kept else "Logo",
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
        if kept is not None and st.button(
            "Remove the logo", type="tertiary", icon=":material/delete:", key="logo_remove"
        ):
            _save(actor, business_id, None, "Documents show no logo any more.")


def _content(session: Session, business_id: int) -> bytes | None:
    found = logo.of(session, business_id)
    return found.content if found else None


def _show(content: bytes, said: str) -> bool:
    try:
        with Image.open(BytesIO(content), formats=("PNG", "JPEG")) as opened:
            opened.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        st.warning("This file is no picture that we can print. Save it anew as PNG or JPEG.", icon=":material/warning:")
        return False
    # On white, as on paper: many logos are dark on nothing.
    st.image(content, caption=said, width=240, alt=said)
    return True


def _save(actor: Actor, business_id: int, content: bytes | None, said: str) -> None:
    with context.transaction() as session:
        logo.change(session, actor, business_id, content=content, now=utc_now())
    st.session_state["logo_turn"] = st.session_state.get("logo_turn", 0) + 1
    messages.say(said)
    st.rerun()
