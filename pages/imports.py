"""Import: drop files, see what they would do, take them in."""

import streamlit as st

from billing_core.identity import Permission
from pages.import_sections import drop, files, history
from pages.ui.context import require

actor = require(Permission.IMPORT)

st.title("Import", anchor=False)
drop.draw(actor)
files.draw(actor)
history.draw(actor)
