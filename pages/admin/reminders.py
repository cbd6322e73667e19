"""Reminders and mail texts: when customers are reminded, what would go out next, and in which words."""

import streamlit as st

from billing_core.businesses import queries as businesses
from billing_core.identity import Permission
from pages.reminder_sections import mail_texts, schedule
from pages.ui import context
from pages.ui.reads import Reader

actor = context.require(Permission.BUSINESS_WRITE)
read = Reader(actor)

st.title("Reminders", anchor=False)
st.caption("When customers are reminded of what they owe, and what all mails say.")

with context.reading() as session:
    names = {business.id: business.name for business in businesses.every(session, active_only=True)}
with st.container(horizontal=True, vertical_alignment="bottom"):
    business_id = next(iter(names))
    if len(names) > 1:
        business_id = st.selectbox(
            "Business", list(names), format_func=names.__getitem__, key="reminders_of", width=260
        )
    part = st.segmented_control(
        "Part", ["Schedule", "Mail texts"], default="Schedule", key="part", label_visibility="collapsed", required=True
    )

if part == "Mail texts":
    mail_texts.draw(read, actor, business_id)
else:
    schedule.draw(read, actor, business_id)
