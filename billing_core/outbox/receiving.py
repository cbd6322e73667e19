"""Who gets a message, of several, and who has it already."""

from collections.abc import Mapping
from typing import Any, Protocol

from billing_core.recipients import Recipients


class Addressed(Protocol):
    """A message, as it is stored or read."""

    @property
    def recipient(self) -> str: ...
    @property
    def receivers(self) -> list[list[str]] | None: ...


class Tried(Addressed, Protocol):
    @property
    def answers(self) -> dict[str, Any] | None: ...


def stored(receivers: Recipients | None) -> list[list[str]] | None:
    """As a column has them: nothing of one alone, whom ``recipient`` names."""
    if receivers is None or len(receivers.everybody) == 1:
        return None
    return [list(listed) for listed in (receivers.to, receivers.cc, receivers.bcc)]


def recipients_of(message: Addressed) -> Recipients:
    if message.receivers is None:
        return Recipients((message.recipient,))
    return Recipients(*map(tuple, message.receivers))


def left(message: Tried) -> tuple[str, ...]:
    """Those who do not have it yet."""
    answers: Mapping[str, str] = message.answers or {}
    return tuple(one for one in recipients_of(message).everybody if answers.get(one) != "")
