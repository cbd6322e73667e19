"""Somebody at the invoice editor: the grid, the menus and the dialogs as a browser would use them."""

from typing import Any

from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from billing_core.identity import SYSTEM
from billing_core.invoices import queries
from billing_core.invoices.content.content import Content
from billing_core.invoices.models import Invoice
from pages.ui import formats
from tests.pages.as_read import as_read


def write(page: AppTest, *lines: dict[str, str], **state: Any) -> AppTest:
    """Type into the grid: ``lines`` from the first row on, or the grid's own words for what happened to it."""
    grid = page.data_editor[0]
    edits = {"edited_rows": dict(enumerate(lines)), "added_rows": [], "deleted_rows": []} | state
    page.session_state[grid.key] = edits
    return page.run()


def field(page: AppTest, name: str) -> Any:
    """The widget of this field of the draft, whatever kind it is."""
    kinds = (page.text_input, page.text_area, page.date_input, page.selectbox)
    return next(widget for kind in kinds for widget in kind if str(widget.key).endswith(f"_{name}"))


def choose(page: AppTest, action: str) -> AppTest:
    """Open the dialog behind an entry of the menu."""
    return _menu(page).click(action).run()


def press(page: AppTest, button: str, *, opener: str = "", again: str = "") -> AppTest:
    """A click in a dialog. Here the whole page runs, so that what opened the dialog is clicked again with it."""
    page.button(key=button).click()
    if opener:
        _menu(page).click(opener)
    if again:
        page.button(key=again).click()
    return page.run()


def shown(page: AppTest) -> str:
    """All that the page says, in one text."""
    kinds = (page.title, page.markdown, page.caption, page.error, page.warning, page.info, page.success, page.text)
    texts = [str(one.value) for kind in kinds for one in kind]
    return as_read(" | ".join(texts)).replace(formats.NO_BREAK_SPACE, " ")


def cards(page: AppTest) -> dict[str, str]:
    return {card.label: card.value.replace(formats.NO_BREAK_SPACE, " ") for card in page.metric}


def stored(sessions, invoice_id: int) -> Invoice:
    with sessions() as session:
        return session.get_one(Invoice, invoice_id)


def content_of(sessions, invoice_id: int) -> Content:
    with sessions() as session:
        return queries.content(session, queries.one(session, SYSTEM, invoice_id))


def ids(sessions) -> list[int]:
    with sessions() as session:
        return list(session.scalars(select(Invoice.id).order_by(Invoice.id)))


def _menu(page: AppTest) -> Any:
    return next(menu for menu in page.menu_button if menu.key in ("more_actions", "draft_more"))
