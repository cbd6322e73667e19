"""What was pressed in a table, carried out before the page is drawn again.

The tables are drawn by a part of the page that renews itself: it only notes the step, and the whole page takes it.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import streamlit as st

from billing_core.dates import utc_now
from billing_core.identity import Actor
from billing_core.jobs import bill_run, nudges
from billing_core.jobs.overview import actions
from billing_core.processes import pausing, service
from billing_core.processes.models import Queue
from pages.job_sections import reading
from pages.job_sections.wording import QUEUES
from pages.ui import context

_NOTED: Final = "jobs_step"
_DANGERS: Final = {
    Queue.MAILS: "Mails that nobody has tried to deliver yet are recalled and never leave, up to 500 at once. What "
    "they are about stays: an invoice whose mail is recalled is still sent.",
    Queue.BILL_RUNS: "Every bill run that goes on is stopped before its next customer, whoever began it. What is done "
    "stays. A stopped run can go on later, from its own page.",
    Queue.IMPORTS: "Every check and import that no process has taken up is called off, whoever asked for it. The files "
    "stay with whoever dropped them, who can check them again.",
}
CANCELLING: Final = {Queue.MAILS: "Recall", Queue.BILL_RUNS: "Stop", Queue.IMPORTS: "Call off"}
_DONE: Final = {Queue.MAILS: "recalled", Queue.BILL_RUNS: "stopped", Queue.IMPORTS: "called off"}


def note(step: Callable[[Actor], None]) -> None:
    """Take this step with the next run of the page; for callbacks."""
    st.session_state[_NOTED] = step


def noted() -> bool:
    return _NOTED in st.session_state


def carry_out(actor: Actor) -> None:
    """Take the step that was noted, if one was."""
    step: Callable[[Actor], None] | None = st.session_state.pop(_NOTED, None)
    if step is not None:
        step(actor)


def pause_or_resume(queue: Queue, *, paused: bool) -> None:
    note(partial(_resume if paused else _pause, queue))


def retry(queue: Queue) -> None:
    note(partial(_retry, queue))


def cancel(queue: Queue) -> None:
    note(partial(_cancelling, queue))


def go_to(queue: Queue) -> None:
    note(partial(_open, queue))


def dismiss(process_id: str) -> None:
    note(partial(_dismiss, process_id))


def _pause(queue: Queue, actor: Actor) -> None:
    with context.attempt(f"{QUEUES[queue].title}: paused", then=reading.forget) as session:
        pausing.pause(session, actor, queue, now=utc_now())


def _resume(queue: Queue, actor: Actor) -> None:
    with context.attempt(f"{QUEUES[queue].title}: resumed", then=partial(_tell, queue)) as session:
        pausing.resume(session, actor, queue, now=utc_now())


def _retry(queue: Queue, actor: Actor) -> None:
    done: list[actions.Retried] = []
    with context.attempt(f"{QUEUES[queue].title}: retrying", then=partial(_begin, queue, done)) as session:
        done.append(actions.retry_failed(session, actor, queue, now=utc_now()))


def _begin(queue: Queue, done: list[actions.Retried]) -> None:
    for run_id in done[0].run_ids:
        bill_run.begin(run_id)
    _tell(queue)


def _tell(queue: Queue) -> None:
    nudges.tell(queue)
    reading.forget()


def _open(queue: Queue, _actor: Actor) -> None:
    words = QUEUES[queue]
    st.switch_page(words.page, query_params=words.query or {})


def _dismiss(process_id: str, actor: Actor) -> None:
    with context.attempt("Dismissed", then=reading.forget) as session:
        service.dismiss(session, actor, process_id, now=utc_now())


@st.dialog("Cancel what waits", icon=":material/block:")
def _cancelling(queue: Queue, actor: Actor) -> None:
    st.markdown(_DANGERS[queue])
    word = CANCELLING[queue]
    if st.button(f"{word} {QUEUES[queue].title.lower()}", type="primary", key="cancel_waiting"):
        with context.attempt(f"{QUEUES[queue].title}: {_DONE[queue]}", then=partial(_tell, queue)) as session:
            actions.cancel_waiting(session, actor, queue, now=utc_now())
