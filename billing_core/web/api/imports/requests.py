"""What programs say of a file: beside it in the form, or as an answer to what is unsure."""

from typing import Annotated, Any, Final

from fastapi import Path, Query
from pydantic import ConfigDict, Field

from billing_core.errors import Invalid
from billing_core.imports import Kind, Lines, Repeats
from billing_core.imports.posted import answers
from billing_core.imports.posted.queries import Poster
from billing_core.web.api.access import Caller
from billing_core.web.api.exact_json import Body, WholeNumber
from billing_core.web.requests.uploads import FILE

LARGEST_ID: Final = 2**31 - 1
WHEN_CERTAIN: Final = "when_certain"
_TRUTHS: Final = {"true": True, "false": False}
_ABOUT: Final = {
    "profile": "The layout that the file must have: `shopify_orders` or another known one, or the number of an import",
    "kind": "What it holds",
    "no-customer": "The `customer_ref` of the customer to whom orders belong that name none, such as sales at a till",
    "map": "`field=column`; `field==VALUE` gives every row that value; `field=` leaves it out",
    "word": "`field:word=ours`, what a word of the file stands for",
    "reading": "`field=how`, how numbers and dates of a column are written",
    "lines": "What becomes of the lines that its orders have",
    "repeats": "Which row counts of several with one key",
    "set-aside": "So many rejected rows may be left out",
    "member": "The file that is taken, of an archive with several",
    "sheet": "The sheet that is read, of a workbook with several",
    "encoding": "Of a text, such as `cp1252`",
    "separator": "Of a text: the character, or `tab`, `comma`, `semicolon` or `pipe`",
    "header-line": "The line that names the columns; 0: none does",
    "keep-line": "A line that is a row, though it looks like a total",
    "drop-line": "A line that is no row",
}
_CHOICES: Final = {
    name: {"enum": [one.value for one in choices]} for name, choices in (("lines", Lines), ("repeats", Repeats))
}
ImportId = Annotated[int, Path(alias="import_id", ge=1, le=LARGEST_ID, description="The import's id", examples=[7])]
OfKind = Annotated[Kind | None, Query(description="Of what it holds of this kind")]
OfFile = Annotated[str | None, Query(max_length=255, description="Of this file of an archive, as `files` name it")]
_Text = Annotated[str, Field(min_length=1, max_length=1_000)]
_Texts = Annotated[list[_Text], Field(max_length=answers.MOST_VALUES)]
_Line = Annotated[WholeNumber, Field(ge=0, le=999_999_999)]
_Lines = Annotated[list[_Line], Field(max_length=answers.MOST_VALUES)]


class ImportAnswers(Body):
    """All that is said of the file: what was said before counts no more."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"kind": ["customers"], "repeats": "last"}},
        populate_by_name=False,
    )

    profile: _Text | None = Field(None, description=_ABOUT["profile"])
    kind: Annotated[list[Kind], Field(max_length=len(Kind))] | None = Field(None, description=_ABOUT["kind"])
    no_customer: _Text | None = Field(None, alias="no-customer", description=_ABOUT["no-customer"])
    map: _Texts | None = Field(None, description=_ABOUT["map"])
    word: _Texts | None = Field(None, description=_ABOUT["word"])
    reading: _Texts | None = Field(None, description=_ABOUT["reading"])
    lines: Lines | None = Field(None, description=_ABOUT["lines"])
    repeats: Repeats | None = Field(None, description=_ABOUT["repeats"])
    set_aside: _Line | None = Field(None, alias="set-aside", description=_ABOUT["set-aside"])
    member: _Text | None = Field(None, description=_ABOUT["member"])
    sheet: _Text | None = Field(None, description=_ABOUT["sheet"])
    encoding: _Text | None = Field(None, description=_ABOUT["encoding"])
    separator: _Text | None = Field(None, description=_ABOUT["separator"])
    header_line: _Line | None = Field(None, alias="header-line", description=_ABOUT["header-line"])
    keep_line: _Lines | None = Field(None, alias="keep-line", description=_ABOUT["keep-line"])
    drop_line: _Lines | None = Field(None, alias="drop-line", description=_ABOUT["drop-line"])

    def given(self) -> dict[str, list[str]]:
        said = self.model_dump(by_alias=True, exclude_none=True)
        return {
            name: [str(one) for one in value] if isinstance(value, list) else [str(value)]
            for name, value in said.items()
        }


class Confirmation(Body):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"token": "9f86d081…"}})

    token: str = Field(
        min_length=1, max_length=64, description="The `confirm_token` of what was shown", examples=["9f86d081…"]
    )


def given_beside(fields: dict[str, str]) -> tuple[dict[str, list[str]], bool]:
    """What a form says of its file, and whether it goes in by itself where nothing is unsure. Invalid where a field is
    not known, or empty.
    """
    said = dict(fields)
    certain = said.pop(WHEN_CERTAIN, "false")
    if certain not in _TRUTHS:
        raise _invalid(WHEN_CERTAIN, "must be true or false")
    for name, value in said.items():
        if name not in answers.FIELDS:
            raise _invalid(name, "is not known")
        if not value.strip():
            raise _invalid(name, "must not be empty")
    return answers.of_lines(said), _TRUTHS[certain]


def poster_of(caller: Caller) -> Poster:
    """A key has no user: it is named as what it is, and owns what it posts."""
    actor = caller.actor
    if caller.by == "key":
        actor = type(actor)(actor.user_id, f"API {actor.name}", actor.permissions, actor.customer_id)
    return Poster(actor, caller.limit_key)


def _field(name: str) -> dict[str, Any]:
    about = _ABOUT[name] + ("; several with one a line" if name in answers.SEVERAL else "")
    return {"type": "string", "minLength": 1, **_CHOICES.get(name, {}), "description": about}


_FORM: Final[dict[str, Any]] = {
    "type": "object",
    "required": [FILE],
    "properties": {
        FILE: {"type": "string", "format": "binary", "description": "Any form of table, also zipped, by its name"},
        WHEN_CERTAIN: {
            "type": "string",
            "enum": list(_TRUTHS),
            "description": "`true`: import it without being confirmed, where nothing is unsure and no row rejected",
        },
        **{name: _field(name) for name in answers.FIELDS},
    },
    "additionalProperties": False,
    "example": {FILE: "customer_ref,name\nACME,Acme Inc\n", "kind": "customers"},
}
FORM_BODY: Final[dict[str, Any]] = {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}


def _invalid(name: str, reason: str) -> Invalid:
    return Invalid(f"{name}: {reason}", fields={name: reason})
