"""The command line: ``arguments`` declares every command; one file a topic carries them out.

A command is a function of the parsed arguments that returns an ``Answer``. It acts as the system, opens its own
unit of work, and raises a BillingError to refuse.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """``data`` is what ``--json`` prints; ``text`` is what people read. ``refused``: exit 1 although there is data.
    ``text_is_json``: the text is JSON already, with exact amounts, and ``--json`` prints it as it is.
    """

    data: Any
    text: str
    refused: bool = False
    text_is_json: bool = False
