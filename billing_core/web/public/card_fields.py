"""The fields for a test card on the sandbox's pages, and what both of them do alike."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import RedirectResponse, Response

from billing_core.languages.formats import gettext_noop
from billing_core.web.public.problems import PRIVATE

# Without the other header, which would hide from us that a form which is sent is our own.
WITH_A_FORM: Final = {"X-Robots-Tag": PRIVATE["X-Robots-Tag"]}
# How many times, two seconds apart, a page checks whether the gateway has reported what was done there.
LOOKS: Final = 30
# What is wrong with a field, by the word that ``sandbox.cards`` has for it.
_PROBLEMS: Final = {
    "incomplete": gettext_noop("is not complete"),
    "wrong": gettext_noop("has a wrong digit"),
    "over": gettext_noop("lies in the past"),
    "real": gettext_noop("is not one of the test cards"),
}


def facts(cards: Mapping[str, str], problems: Mapping[str, str], failure: str) -> dict[str, Any]:
    """What a template needs for the fields. ``cards``: what each number does; ``problems``: what is wrong with which
    field; ``failure``: why the last card was refused, as a message.
    """
    spaced = [(" ".join(number[at : at + 4] for at in range(0, 16, 4)), does) for number, does in cards.items()]
    reasons = {field: _PROBLEMS[problem] for field, problem in problems.items()}
    wrong = [name for name in ("number", "expiry", "cvc") if name in reasons]
    first = wrong[0] if wrong else "number" if failure else ""
    return {"cards": spaced, "problems": reasons, "failure": failure, "first": first}


def redirect(address: str) -> Response:
    return RedirectResponse(address, 303, headers=dict(PRIVATE))
