"""The bodies of answers about imports."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import with_config
from typing_extensions import TypedDict

from billing_core.imports.automatic import telling
from billing_core.imports.next_steps.counting import Step
from billing_core.imports.posted import answers
from billing_core.imports.posted.queries import Posted, PostedState
from billing_core.web.api.exact_json import WrittenNumber, number

_AT_WORK = (PostedState.CHECKING, PostedState.IMPORTING)
_EXAMPLE: dict[str, Any] = {
    "id": 7,
    "state": "waiting_for_confirmation",
    "file_name": "orders_export.csv",
    "size": 48213,
    "posted_at": "2026-03-04T02:00:00Z",
    "when_certain": False,
}
_SHOWN: dict[str, Any] = {
    **_EXAMPLE,
    "answers": {"profile": "shopify_orders"},
    "progress": None,
    "changed_since": False,
    "files": [{"file": "orders_export.csv", "kinds": ["customers", "orders", "order-items"], "unsure": []}],
    "next_steps": [],
    "confirm_token": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "problem": "",
}


@with_config(json_schema_extra={"example": {"step": "Reading the file", "share": 0.25}})
class ImportProgress(TypedDict):
    """``share`` of the ``step`` that is done, from 0 to 1."""

    step: str
    share: WrittenNumber


@with_config(json_schema_extra={"example": _EXAMPLE})
class ImportSummary(TypedDict):
    """``size`` is in bytes. ``state``: `checking`, `waiting_for_confirmation`, `needs_answers`, `importing`,
    `imported`, `failed` or `called_off`.
    """

    id: int
    state: PostedState
    file_name: str
    size: int
    posted_at: datetime
    when_certain: bool


@with_config(json_schema_extra={"example": _SHOWN})
class ImportShown(TypedDict):
    """``progress`` is null unless it is being worked on. ``files`` and ``next_steps`` are as `import auto --json` has
    them. ``confirm_token`` stands for exactly what ``files`` show; null where there is nothing to confirm.
    ``changed_since``: it was confirmed, but would have done something else by then, and is shown again instead.
    ``problem``: why it failed.
    """

    id: int
    state: PostedState
    file_name: str
    size: int
    posted_at: datetime
    when_certain: bool
    answers: dict[str, Any]
    progress: ImportProgress | None
    changed_since: bool
    files: list[dict[str, Any]]
    next_steps: list[dict[str, Any]]
    confirm_token: str | None
    problem: str


@with_config(json_schema_extra={"example": {"imports": [_EXAMPLE], "count": 1}})
class ImportList(TypedDict):
    """``count`` imports, the newest first; the ``Link`` header leads to the next page."""

    imports: list[ImportSummary]
    count: int


def summary(posted: Posted) -> ImportSummary:
    return {
        "id": posted.id,
        "state": posted.state,
        "file_name": posted.file_name,
        "size": posted.size,
        "posted_at": posted.posted_at,
        "when_certain": posted.when_certain,
    }


def shown(posted: Posted, steps: list[Step]) -> ImportShown:
    at_work = posted.state in _AT_WORK
    progress: ImportProgress | None = None
    if at_work:
        share = Decimal(min(posted.done, posted.total)) / Decimal(posted.total or 1)
        progress = {"step": posted.step, "share": number(round(share, 3))}
    return {
        "id": posted.id,
        "state": posted.state,
        "file_name": posted.file_name,
        "size": posted.size,
        "posted_at": posted.posted_at,
        "when_certain": posted.when_certain,
        "answers": answers.told(posted.answers),
        "progress": progress,
        "changed_since": posted.changed and not at_work,
        "files": [] if posted.found is None else posted.found["files"],
        "next_steps": telling.steps_told(steps),
        "confirm_token": posted.confirm_token if posted.state is PostedState.WAITING_FOR_CONFIRMATION else None,
        "problem": posted.problem,
    }
