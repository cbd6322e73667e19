"""``python -m billing_core …``: what people and programs do without a browser.

Exit 0: done. 1: refused, or a database, disk or pipe failed, with the reason on stderr. 2: wrong usage. With
``--json`` before the command, stdout carries one JSON document and nothing else.
"""

import gc
import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout, suppress
from pkgutil import resolve_name

from billing_core.commands import Answer, arguments, faults
from billing_core.errors import BillingError


def main(typed: Sequence[str] | None = None) -> int:
    try:
        try:
            return _carry_out(arguments.parser().parse_args(typed))
        finally:
            # Flushed here, because a full disk or a closed pipe at the interpreter's exit would be a traceback.
            sys.stdout.flush()
    except BillingError as error:
        print(str(error), file=sys.stderr)
        for field, reason in error.fields.items():
            print(f"  {field}: {reason}", file=sys.stderr)
    except KeyboardInterrupt:
        print("Interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        sentence = faults.sentence(error)
        if sentence is None:
            raise
        if isinstance(error, OSError):
            _abandon_output()
        print(sentence, file=sys.stderr)
    return 1


def _carry_out(parsed: Namespace) -> int:
    # Whatever is loaded stays: to look through it for garbage takes a fifth of what a short command does.
    gc.disable()
    try:
        function: Callable[[Namespace], Answer] = resolve_name(parsed.function)
    finally:
        gc.enable()
    # What is logged meanwhile would spoil a file or a document on stdout.
    with redirect_stdout(sys.stderr):
        answer = function(parsed)
    if parsed.json and not answer.text_is_json:
        print(json.dumps(answer.data, ensure_ascii=False, default=str))
    elif answer.text:
        print(answer.text, end="" if answer.text.endswith("\n") else "\n")
    return 1 if answer.refused else 0


def _abandon_output() -> None:
    """Unwritten output would be tried once more at the interpreter's exit."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
