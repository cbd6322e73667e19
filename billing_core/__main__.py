"""``python -m billing_core …``: what people and programs do without a browser.

Exit 0: done. 1: refused, or the database or a disk failed, with the reason on stderr. 2: wrong usage. With ``--json``
before the command, stdout carries one JSON document and nothing else.
"""

import json
import sys
from collections.abc import Callable, Sequence
from pkgutil import resolve_name

from billing_core.commands import Answer, arguments
from billing_core.errors import BillingError


def main(typed: Sequence[str] | None = None) -> int:
    parsed = arguments.parser().parse_args(typed)
    try:
        carry_out: Callable[..., Answer] = resolve_name(parsed.function)
        answer = carry_out(parsed)
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
