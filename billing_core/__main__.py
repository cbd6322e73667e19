"""``python -m billing_core …``: what people and programs do without a browser.

Exit 0: done. 1: refused, with the reason on stderr. 2: wrong usage. With ``--json`` before the command, stdout
carries one JSON document and nothing else.
"""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from billing_core.commands import copies, database, demo, imports, keys, reports, users, verify, worker
from billing_core.errors import BillingError

TOPICS = (database, demo, users, keys, imports, reports, verify, copies, worker)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = ArgumentParser(prog="python -m billing_core", description="The billing engine's commands.")
    parser.add_argument("--json", action="store_true", help="machine-readable output on stdout, nothing else there")
    subcommands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for topic in TOPICS:
        topic.register(subcommands)
    parsed = parser.parse_args(arguments)
    try:
        answer = parsed.run(parsed)
    except BillingError as error:
        print(str(error), file=sys.stderr)
        for field, reason in error.fields.items():
            print(f"  {field}: {reason}", file=sys.stderr)
        return 1
    if parsed.json and not answer.text_is_json:
        print(json.dumps(answer.data, ensure_ascii=False, default=str))
    elif answer.text:
        print(answer.text, end="" if answer.text.endswith("\n") else "\n")
    return 1 if answer.refused else 0


if __name__ == "__main__":
    sys.exit(main())
