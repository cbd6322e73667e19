"""What somebody says of files before, or after, it was found out what they hold."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from billing_core.errors import Invalid
from billing_core.imports import Kind, Lines, Repeats, mapping, sources
from billing_core.imports.kind import Definition, Field
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.mapping import FromColumns, Mapping
from billing_core.imports.sources.encodings import CHOICES

SEPARATORS: Final = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


@dataclass(frozen=True, slots=True)
class Answers:
    """``profile``: the layout that a file must have, see ``profiles``. ``kinds``: what it holds. ``maps``, ``words``
    and ``readings`` are written as ``mapping.read_changes``, ``read_words`` and ``read_readings`` take them; with a
    kind and a point before the field they are for that kind alone, otherwise for each that has the field. ``source``:
    how the file is read. ``set_aside``: so many rejected rows of a part may be. ``owner``: the ``customer_ref`` of the
    customer to whom orders belong that name none.
    """

    profile: str | None = None
    kinds: tuple[Kind, ...] = ()
    maps: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    readings: tuple[str, ...] = ()
    lines: Lines | None = None
    repeats: Repeats | None = None
    set_aside: int = 0
    owner: str = ""
    source: sources.Chosen = field(default_factory=sources.Chosen)

    def __post_init__(self) -> None:
        """Invalid where one is for no kind at all."""
        for texts, after in ((self.maps, "="), (self.words, ":"), (self.readings, "=")):
            for text in texts:
                _kind, name, _rest = _taken_apart(text, after)
                if not any(name == each.name for each in _fields()):
                    raise Invalid(f"No kind of file has a field “{name}”", fields={name: "is not known"})


NOTHING_SAID: Final = Answers()


def mapped(answers: Answers, definition: Definition, layout: sources.Layout, start: Mapping) -> Mapping:
    """``start`` with what is said about this kind. Required fields may still be missing."""
    changes = mapping.read_changes(definition, _of_kind(definition, answers.maps, "="))
    changed = mapping.changed(definition, layout, start, changes)
    in_columns = {name for name, origin in changed.items() if isinstance(origin, FromColumns)}
    words = mapping.read_words(definition, _of_kind(definition, answers.words, ":", in_columns))
    readings = mapping.read_readings(definition, _of_kind(definition, answers.readings, "=", in_columns))
    return mapping.read_as(mapping.with_words(definition, changed, words), readings)


def separator(text: str | None) -> str | None:
    """A separator by its name, or itself. Invalid where it is none."""
    sign = text if text is None else SEPARATORS.get(text, text)
    if sign is not None and len(sign) != 1:
        raise Invalid(f"A separator is one character, or one of {', '.join(SEPARATORS)}")
    return sign


def encoding(name: str | None) -> str | None:
    """Invalid where there is none of this name."""
    if name is not None and name not in CHOICES:
        raise Invalid(f"“{name}” is not an encoding. They are: {', '.join(CHOICES)}")
    return name


def _of_kind(
    definition: Definition, texts: Iterable[str], after: str, among: Iterable[str] | None = None
) -> Iterator[str]:
    """Those that are about a field of this kind, or about one of ``among``, without the kind's name."""
    names = {each.name for each in definition.fields} if among is None else set(among)
    for text in texts:
        kind, name, rest = _taken_apart(text, after)
        if kind in (None, definition.kind) and name in names:
            yield f"{name}{rest}"


def _taken_apart(text: str, after: str) -> tuple[Kind | None, str, str]:
    """The kind that it is for, the field, and what follows."""
    name, sign, rest = text.partition(after)
    kind, point, own = name.strip().rpartition(".")
    if not point:
        return None, own, f"{sign}{rest}"
    if kind not in list(Kind):
        raise Invalid(f"“{kind}” is no kind of file. They are: {', '.join(Kind)}")
    return Kind(kind), own, f"{sign}{rest}"


def _fields() -> Iterator[Field]:
    for definition in DEFINITIONS.values():
        yield from definition.fields
