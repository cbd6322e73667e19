"""What only a person can say about a column."""

from collections.abc import Mapping
from dataclasses import dataclass

from billing_core.imports.writing.evidence import Example


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer: the ``reading`` that the column gets by it, and what that makes of the example."""

    reading: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Question:
    """How the cells of one ``field`` are written, where its column can be read in several ways."""

    field: str
    column: str
    text: str
    choices: tuple[Choice, ...]


def question(field: str, column: str, example: Example, readings: Mapping[str, str]) -> Question:
    """Which of its meanings the example has, by what the ``readings`` are called."""
    alternatives = " or ".join(f"{meaning} ({readings[way]})" for way, meaning in example.meanings.items())
    choices = tuple(
        Choice(way, f"{readings[way][0].upper()}{readings[way][1:]}: {example.cell} is {meaning}")
        for way, meaning in example.meanings.items()
    )
    return Question(field, column, f"{example.cell}: {alternatives}?", choices)
