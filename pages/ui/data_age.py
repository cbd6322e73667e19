"""How old the data is: when something last changed."""

from datetime import datetime

import streamlit as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.imports.models import ImportRun
from billing_core.reports.models import BillingReport
from pages.ui import formats
from pages.ui.reads import Reader
from pages.ui.text import md


def draw(read: Reader) -> None:
    imported, billed = read.plain(_newest)
    zone = read.company.time_zone
    lines = [
        f"{what} {md(formats.instant(when, zone))}"
        for what, when in (("Imported", imported), ("Billed", billed))
        if when
    ]
    st.caption("  \n".join(lines) or "No data yet")


def _newest(session: Session) -> tuple[datetime | None, datetime | None]:
    newest = [select(func.max(table.created_at)).scalar_subquery() for table in (ImportRun, BillingReport)]
    imported, billed = tuple(session.execute(select(*newest)).one())
    return imported, billed
