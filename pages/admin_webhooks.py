"""Webhooks: what the payment service has told us, what became of each event, and processing one again."""

import streamlit as st

from billing_core.identity import Permission
from pages.ui import context

actor = context.require(Permission.WEBHOOK_READ)
st.title("Webhooks", anchor=False)
