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
    parts = []
    if imported:
        parts.append(f"Last import {formats.instant(imported, zone)}")
    if billed:
        parts.append(
            f"last report {formats.instant(billed, zone)}" if parts else f"Last report {formats.instant(billed, zone)}"
        )
    st.caption(md(" · ".join(parts)) if parts else "No data yet")


def _newest(session: Session) -> tuple[datetime | None, datetime | None]:
    return (
        session.scalar(select(func.max(ImportRun.created_at))),
        session.scalar(select(func.max(BillingReport.created_at))),
    )
