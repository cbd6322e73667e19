"""Several processes that work off one chunk at once, each with connections of its own."""

import threading
from collections.abc import Callable

from billing_core.bill_runs import taking, workflow
from billing_core.database import Sessions, connect
from billing_core.online_payments.gateway import Gateway
from tests.reports.company import NOW


def worked_off_at_once(
    sessions: Sessions, database_url: str, run_id: int, gateway: Callable[[], Gateway], *, processes: int
) -> list[Exception]:
    """Work off the run's only chunk, and finish it. Returns what failed."""
    with sessions() as session:
        terms = taking.terms(session, run_id)
    together, failures = threading.Barrier(processes), []

    def work_off() -> None:
        ours = Sessions(connect(database_url))
        together.wait(timeout=300)
        try:
            while workflow.bill_next(ours, gateway, terms, 0, now=NOW):
                pass
            with ours.begin() as session:
                taking.finish(session, run_id, 1, now=NOW)
        except Exception as error:
            failures.append(error)
        finally:
            ours.engine.dispose()

    working = [threading.Thread(target=work_off) for _ in range(processes)]
    for thread in working:
        thread.start()
    for thread in working:
        thread.join(timeout=300)
    return failures
