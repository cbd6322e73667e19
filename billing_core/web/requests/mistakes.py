"""What is wrong with a field or a parameter, in the product's words: the library's own name its classes and steps."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

# How it begins of a field or parameter that is not taken, as opposed to one whose value is wrong.
UNKNOWN: Final = "is not known"
EMPTY: Final = "must not be empty"
NULL: Final = "must not be null"
REQUIRED: Final = "is required"
NONE_OF_THEM: Final = "needs at least 1"
_A_DAY: Final = "must be a day such as 2024-02-15"
# The kinds of mistakes that begin so, whatever step of reading found them.
_KINDS: Final = {
    "int_": "must be a whole number",
    "bool_": "must be true or false",
    "decimal_": "must be a number",
    "float_": "must be a number",
    "finite_": "must be a number",
    "date_": _A_DAY,
    "datetime_": "must be a time with its offset, such as 2024-02-15T10:00:00Z",
    "timezone_": "must be a time with its offset, such as 2024-02-15T10:00:00Z",
    "string_type": "must be a text",
    "list_": "must be a list",
    "tuple_": "must be a list",
    "dict_": "must be a JSON object",
    "missing": REQUIRED,
    "extra_forbidden": UNKNOWN,
}


def name_of(mistake: Mapping[str, Any]) -> str:
    """``("body", "line_items", 0, "quantity")`` -> ``line_items.0.quantity``."""
    source, *place = mistake["loc"]
    if source != "body":
        # What follows the name says which of several readings failed.
        return str(place[0])
    return ".".join(map(str, place)) or "body"


def reason_of(mistake: Mapping[str, Any], taken: Sequence[str] = ()) -> str:
    """Why it is refused; ``mistake`` is one of the validating library's errors. ``taken``: the fields of the body."""
    kind, facts = str(mistake["type"]), mistake.get("ctx", {})
    if kind == "extra_forbidden" and taken and len(mistake["loc"]) == 2:
        return f"{UNKNOWN} here: this request takes {', '.join(taken)}"
    if kind not in ("missing", "extra_forbidden") and mistake.get("input", "") is None:
        return NULL
    match kind:
        case "value_error":
            return str(facts["error"])
        case "model_type" | "model_attributes_type":
            # The body stays bytes where its content type is not JSON.
            undeclared = isinstance(mistake.get("input"), bytes)
            return "must be sent with Content-Type: application/json" if undeclared else "must be a JSON object"
        case "enum" | "literal_error":
            return f"must be {facts['expected']}"
        case "too_short":
            return f"needs at least {facts['min_length']}"
        case "too_long":
            return f"may have at most {facts['max_length']}"
        case "string_too_long":
            return f"may have at most {facts['max_length']} characters"
        case "string_too_short":
            return EMPTY if facts["min_length"] == 1 else f"needs at least {facts['min_length']} characters"
        case "string_pattern_mismatch":
            return f"must be written as {facts['pattern']} says"
        case _:
            return _compared(kind, facts) or _of_kind(kind) or str(mistake["msg"])


def _compared(kind: str, facts: Mapping[str, Any]) -> str:
    words = {
        "greater_than": "more than",
        "less_than": "less than",
        "greater_than_equal": "at least",
        "less_than_equal": "at most",
    }
    if kind not in words:
        return ""
    (bound,) = (facts[name] for name in ("gt", "lt", "ge", "le") if name in facts)
    return f"must be {words[kind]} {bound}"


def _of_kind(kind: str) -> str:
    return next((words for beginning, words in _KINDS.items() if kind.startswith(beginning)), "")
