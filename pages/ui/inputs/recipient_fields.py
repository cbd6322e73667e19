"""Who gets a mail: shown as it will go out, and changed."""

import streamlit as st

from billing_core.recipients import LONGEST_LIST, Recipients
from pages.ui import formats
from pages.ui.inputs import bounced_addresses
from pages.ui.text import md


def draw(recipients: Recipients, prefix: str, identity: object) -> Recipients:
    """The lists as they are typed now, also where something is wrong with them, which is said."""
    to = _field("To", recipients.to, f"{prefix}_to_{identity}", "ana@example.com, ben@example.com")
    left, right = st.columns(2, gap="small")
    with left:
        cc = _field("CC", recipients.cc, f"{prefix}_cc_{identity}", "Nobody")
    with right:
        bcc = _field("BCC", recipients.bcc, f"{prefix}_bcc_{identity}", "Nobody")
    typed = Recipients.read(to, cc, bcc)
    if typed.to:
        for reason in typed.faults.values():
            st.markdown(f":red[:material/error: {md(formats.with_days(reason))}]")
    if not typed.faults and len(typed.everybody) > 1:
        st.caption(f"Goes to {md(typed.in_words())}.")
    bounced_addresses.warn(typed.everybody)
    return typed


def _field(label: str, listed: tuple[str, ...], key: str, placeholder: str) -> str:
    return st.text_input(label, ", ".join(listed), key=key, max_chars=LONGEST_LIST, placeholder=placeholder) or ""
