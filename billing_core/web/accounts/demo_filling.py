"""Making the demo company in the background, right after the first set-up."""

from threading import Lock, Thread

import structlog
from sqlalchemy.exc import SQLAlchemyError

from billing_core import demo, runtime
from billing_core.businesses import queries as businesses
from billing_core.dates import utc_now
from billing_core.errors import BillingError
from billing_core.identity import SYSTEM, Actor, tokens

_log = structlog.get_logger()


class DemoFilling:
    """One fill per process. ``failure`` is a text for people."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._thread: Thread | None = None
        self.failure = ""

    def start(self, actor: Actor) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=self._fill, args=(actor,), name="demo filling", daemon=True)
                self._thread.start()

    def resume(self) -> None:
        """Finish a fill that was interrupted when the process ended."""
        with runtime.sessions()() as session:
            cut_off = demo.unfinished(session)
        if cut_off:
            self.start(SYSTEM)

    @property
    def done(self) -> bool:
        """Whether the fill has ended without a failure to report."""
        running = self._thread is not None and self._thread.is_alive()
        return not running and not self.failure

    def wait(self) -> None:
        if self._thread is not None:
            self._thread.join()

    def _fill(self, actor: Actor) -> None:
        now = utc_now()
        try:
            with runtime.sessions()() as session:
                today = businesses.today(session, now=now)
            demo.fill(runtime.sessions(), actor, today=today, now=now)
        except BillingError as error:
            self.failure = str(error)
        except SQLAlchemyError:
            reference = tokens.fresh()[:12]
            _log.exception("the demo company could not be made", reference=reference)
            self.failure = f"The demo company could not be made. It has been logged as {reference}."


filling = DemoFilling()
