"""One small fault at a time: an operator, a comparison, a constant, a condition, a return.

Source is read and changed as a syntax tree, and nothing is written: ``trying`` imports the changed tree in the module's
place. Left alone are what no test should know by heart (what is raised or logged says it in words, how wide a
workbook's columns are) and what other checks hold: annotations, decorators, and the columns of tables, which are
compared with the migrations.
"""

import ast
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_SYMBOLS: dict[type[ast.AST], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.FloorDiv: "//",
    ast.Div: "/",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.And: "and",
    ast.Or: "or",
    ast.Not: "not",
    ast.USub: "-",
    ast.Invert: "~",
}
_FUNCTIONS = {"max": "min", "min": "max", "any": "all", "all": "any", "and_": "or_", "or_": "and_"}
_METHODS = {
    "max": "min",
    "min": "max",
    "asc": "desc",
    "desc": "asc",
    "is_": "is_not",
    "is_not": "is_",
    "in_": "not_in",
    "not_in": "in_",
}
_DECLARED = {
    "mapped_column",
    "relationship",
    "ForeignKey",
    "ForeignKeyConstraint",
    "CheckConstraint",
    "UniqueConstraint",
    "Index",
    # Of an export: title and width.
    "text_column",
    "number_column",
}
_LEFT_ALONE = {"annotation", "returns", "decorator_list", "bases"}
_CONDITIONS = {"test", "guard", "ifs"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault in a file. ``text`` is the line's, ``change`` says what becomes of it; with the function they name the
    mutant wherever the lines have moved. ``statement`` has the first and last line of what has to run for it to matter,
    and ``at_import`` says that it runs when the module is imported. ``place`` is its number in the file.
    """

    file: str
    function: str
    line: int
    text: str
    change: str
    statement: tuple[int, int]
    at_import: bool
    place: int

    def __str__(self) -> str:
        inside = f" in {self.function}" if self.function else ""
        return f"{self.file}:{self.line}{inside}: {self.change} in: {self.text}"

    def rank(self, seed: int) -> str:
        """Who comes first in a sample. It depends on this mutant alone: whatever else changes, it keeps its rank."""
        told = f"{seed} {self.file} {self.function} {self.text} {self.change}"
        return hashlib.sha256(told.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Change:
    function: str
    node: Any
    change: str
    statement: tuple[int, int]
    at_import: bool
    make: Callable[[], None]


def mutants_of(file: str, source: str) -> list[Mutant]:
    """Every mutant of a file, in the order of its syntax tree."""
    lines = source.splitlines()
    seen: Counter[tuple[str, str, str]] = Counter()
    found = []
    for place, change in enumerate(_changes(ast.parse(source))):
        text = lines[change.node.lineno - 1].strip()
        named = change.function, text, change.change
        seen[named] += 1
        again = f" (number {seen[named]})" if seen[named] > 1 else ""
        found.append(
            Mutant(
                file,
                change.function,
                change.node.lineno,
                text,
                change.change + again,
                change.statement,
                change.at_import,
                place,
            )
        )
    return found


def mutated(source: str, place: int) -> ast.Module:
    """The file's syntax tree with the mutant of this number in it."""
    tree = ast.parse(source)
    next(change for number, change in enumerate(_changes(tree)) if number == place).make()
    return ast.fix_missing_locations(tree)


def _changes(tree: ast.Module) -> Iterator[_Change]:
    # As a list, since whoever makes one of the changes would change what is being walked through.
    return iter([*_below(tree, "", (0, 0), at_import=True)])


def _below(node: ast.AST, function: str, statement: tuple[int, int], *, at_import: bool) -> Iterator[_Change]:
    for field, value in ast.iter_fields(node):
        if field in _LEFT_ALONE:
            continue
        for index, child in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(child, ast.AST) or _is_left_alone(child):
                continue
            reached = _reached(child) if isinstance(child, ast.stmt | ast.match_case) else statement
            conditions = _negated(child) if field in _CONDITIONS else ()
            for change, replacement in (*_replacements(child), *conditions):
                make = partial(_put, node, field, index, replacement)
                yield _Change(function, child, change, reached, at_import, make)
            inner = function
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{function}.{child.name}".lstrip(".")
            outside = at_import and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _below(child, inner, reached, at_import=outside)


def _put(parent: ast.AST, field: str, index: int, replacement: ast.AST) -> None:
    value = getattr(parent, field)
    if isinstance(value, list):
        value[index] = replacement
    else:
        setattr(parent, field, replacement)


def _reached(statement: ast.stmt | ast.match_case) -> tuple[int, int]:
    """The lines that run when this statement does. What a loop or a condition holds is statements of their own; the
    defaults of a function matter when its body runs."""
    if isinstance(statement, ast.match_case):
        return statement.pattern.lineno, max(statement.pattern.lineno, statement.body[0].lineno - 1)
    last = statement.end_lineno or statement.lineno
    inside = [*getattr(statement, "body", ()), *(case.pattern for case in getattr(statement, "cases", ()))]
    if inside and not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        last = max(statement.lineno, inside[0].lineno - 1)
    return statement.lineno, last


def _is_left_alone(node: ast.AST) -> bool:
    match node:
        case ast.Raise():
            return True
        # A workbook's: titles, widths, and what stands in them.
        case ast.AnnAssign(annotation=ast.Name(id="Columns")):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.keyword(arg="strict"):
            return True
        case ast.Call(func=ast.Name(id=name)):
            return name in _DECLARED
        case ast.Call(func=ast.Attribute(value=ast.Name(id="log"))):
            return True
    return False


def _replacements(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.Compare():
            for index, operator in enumerate(node.ops):
                changed = copy(node)
                changed.ops = [*node.ops]
                changed.ops[index] = _COMPARISONS[type(operator)]()
                yield _named(operator, changed.ops[index]), changed
        case ast.BinOp() | ast.AugAssign():
            if type(node.op) in _OPERATORS and not _joins_texts(node):
                changed_operation = copy(node)
                changed_operation.op = _OPERATORS[type(node.op)]()
                yield _named(node.op, changed_operation.op), changed_operation
        case ast.BoolOp():
            other: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield _named(node.op, other), ast.BoolOp(other, node.values)
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert()):
            yield f"{_SYMBOLS[type(node.op)]} left out", node.operand
        case ast.Constant(value=bool() as value):
            yield f"{value} → {not value}", ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield f"{value} → {value + 1}", ast.Constant(value + 1)
        case ast.Call(func=ast.Name(id=name)) if name in _FUNCTIONS:
            yield f"{name} → {_FUNCTIONS[name]}", ast.Call(_function(_FUNCTIONS[name]), node.args, node.keywords)
        case ast.Call(func=ast.Attribute(value=owner, attr=name)) if name in _METHODS:
            swapped = ast.Attribute(owner, _METHODS[name], ast.Load())
            yield f".{name} → .{_METHODS[name]}", ast.Call(swapped, node.args, node.keywords)
        case ast.Return(value=ast.expr() as value) if not _is_plain(value):
            yield "return → return None", ast.Return(ast.Constant(None))


def _negated(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """A condition that is no operation of its own, such as ``if paid``."""
    operation = isinstance(node, ast.Compare | ast.BoolOp) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    )
    if isinstance(node, ast.expr) and not operation:
        yield "condition negated", ast.UnaryOp(ast.Not(), node)


def _named(before: ast.AST, after: ast.AST) -> str:
    return f"{_SYMBOLS[type(before)]} → {_SYMBOLS[type(after)]}"


def _function(name: str) -> ast.expr:
    """SQLAlchemy's may not be imported where its opposite is; without it a mutant would only be a missing name."""
    named = f'__import__("sqlalchemy").{name}' if name.endswith("_") else name
    return ast.parse(named, mode="eval").body


def _joins_texts(node: ast.BinOp | ast.AugAssign) -> bool:
    """Texts and lists have no other operator: every test that runs the line would notice."""
    sides = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.value,)
    return any(
        isinstance(side, ast.JoinedStr | ast.List | ast.Tuple)
        or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in sides
    )


def _is_plain(value: ast.expr) -> bool:
    """None already, or what is changed itself."""
    return isinstance(value, ast.Constant) and not isinstance(value.value, str)
