"""Tax: what the documents of a period say by country and rate, for the tax return. Every amount opens into them."""

import streamlit as st

from billing_core.identity import Permission
from pages.tax_sections import asking, table
from pages.ui.context import require
from pages.ui.figures.drilldown import open_requested
from pages.ui.reads import Reader

actor = require(Permission.INVOICE_READ)
read = Reader(actor)

st.title("Tax", anchor=False)
asked = asking.draw(read, actor)
table.draw(read, actor, asked)
open_requested()
