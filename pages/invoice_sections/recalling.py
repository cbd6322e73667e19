"""For a minute after a bulk sending: take the mails back before they leave."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil

import streamlit as st

from billing_core.dates import utc_now
from billing_core.mailing import service
from pages.ui import context, formats, mail_words, messages
from pages.ui.context import actor as signed_in

_KEY = "mails_to_recall"


@dataclass(frozen=True, slots=True)
class Leaving:
    message_ids: tuple[int, ...]
    what: str
    leave_at: datetime


def keep(message_ids: Sequence[int], what: str) -> None:
    """Offer to take these back; those that still could be taken back leave with them in the same minute."""
    earlier: Leaving | None = st.session_state.get(_KEY)
    if earlier is not None and _seconds(earlier) > 0:
        message_ids, what = [*earlier.message_ids, *message_ids], f"{earlier.what} and {what}"
    st.session_state[_KEY] = Leaving(tuple(message_ids), what, utc_now() + service.RECALLABLE)


def draw() -> None:
    """Nothing, unless mails wait that this person has just sent."""
    if _KEY in st.session_state:
        _countdown()


@st.fragment(run_every=1)
def _countdown() -> None:
    leaving: Leaving | None = st.session_state.get(_KEY)
    if leaving is None:
        return
    seconds = _seconds(leaving)
    if seconds <= 0:
        del st.session_state[_KEY]
        messages.say(mail_words.many_put_in(leaving.what), icon=":material/send:")
        st.rerun()
    with st.container(border=True, horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(
            f":material/schedule_send: **{leaving.what}** can be recalled for {formats.counted(seconds, 'second')}.",
            width="content",
        )
        if st.button("Recall", icon=":material/undo:", key="recall_mails"):
            del st.session_state[_KEY]
            with context.transaction() as session:
                recalled = service.recall(session, signed_in(), leaving.message_ids, now=utc_now())
            messages.say(_said(recalled, len(leaving.message_ids)), icon=":material/undo:")
            st.rerun()


def _seconds(leaving: Leaving) -> int:
    return ceil((leaving.leave_at - utc_now()).total_seconds())


def _said(recalled: int, of: int) -> str:
    if recalled == of:
        taken = f"Recalled: no mail was sent ({formats.counted(of, 'mail')})."
    else:
        taken = f"Recalled {formats.count(recalled)} of {formats.counted(of, 'mail')}; the others have left already."
    return f"{taken} Invoices that were sent with them keep their numbers."
