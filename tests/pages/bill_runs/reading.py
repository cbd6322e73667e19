"""What the page of reports shows of bill runs, and how a person uses it."""

from billing_core.bill_runs.models import BillRun
from pages.ui import formats
from tests.pages.bill_runs.states import GENERATE_MARCH


def generating(visitor, goal: str | None = None):
    page = visitor.visit("reports.py", **GENERATE_MARCH)
    if goal is not None:
        choose(page, goal)
    assert not page.exception
    return page


def choose(page, goal: str):
    """How far the run goes."""
    (control,) = [one for one in page.button_group if one.key in ("run_goal", "real_goal")]
    control.set_value(goal).run()
    return page


def watching(visitor, run_id: int, **query: str):
    page = visitor.visit("reports.py", tab="Generate", run=str(run_id), **query)
    assert not page.exception
    return page


def confirm(page, opener: str, confirming: str):
    """A click in the dialog. Here the whole page runs, not the dialog alone, so its opener is clicked again with it."""
    page.button(key=opener).click()
    return page.button(key=confirming).click().run()


def keys(page) -> set[str]:
    return {button.key for button in page.button}


def said(page) -> str:
    """All words of the page, with plain blanks."""
    drawn = [*page.markdown, *page.caption, *page.info, *page.warning, *page.error, *page.success, *page.subheader]
    return "\n".join(one.value for one in drawn).replace(formats.NO_BREAK_SPACE, " ")


def figures(page) -> dict[str, str]:
    return {one.label: one.value for one in page.metric}


def stored(sessions, run_id: int) -> BillRun:
    with sessions() as session:
        run = session.get_one(BillRun, run_id)
        session.expunge(run)
        return run
