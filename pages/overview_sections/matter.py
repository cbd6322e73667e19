"""One thing that needs a hand."""

from collections.abc import Callable
from dataclasses import dataclass

from billing_core.figures import Figure, Scope
from billing_core.identity import Actor, Permission


@dataclass(frozen=True, slots=True)
class Matter:
    """``action`` names the button that leads to ``page``; who may not do it sees the rows alone. ``below`` draws what
    can be settled here.
    """

    shown: Figure
    scope: Scope
    sentence: Callable[[int], str]
    page: str
    query: dict[str, str] | None
    action: str
    permission: Permission
    icon: str
    below: Callable[[Actor], None] | None = None
