"""A process of its own that sends invoices while another does the same: ``python -m … URL COUNT``.

It says that it is ready, and begins with a line on stdin. Every third transaction fails after its number was drawn.
"""

import sys

from billing_core.database import Sessions, connect
from billing_core.identity import SYSTEM
from billing_core.invoices import service
from tests.invoices.company import NOW, content


class _Failure(Exception):
    pass


def main(url: str, count: int) -> None:
    sessions = Sessions(connect(url))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for turn in range(count):
        try:
            with sessions.begin() as session:
                invoice = service.create(session, SYSTEM, content(session, 1), now=NOW)
                service.send(session, SYSTEM, invoice.id, now=NOW)
                if turn % 3 == 2:
                    raise _Failure
        except _Failure:
            continue
    sessions.engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
