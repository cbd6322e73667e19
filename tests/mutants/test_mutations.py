"""Which faults are put into a file, and how they are named."""

import ast

import pytest

from mutants.mutations import mutants_of, mutated


def changed(source):
    """What the statement looks like with each of its mutants in it."""
    return [ast.unparse(mutated(source, mutant.place)) for mutant in mutants_of("rule.py", source)]


@pytest.mark.parametrize(
    ("source", "mutants"),
    [
        ("due < paid", ["due <= paid"]),
        ("0 < paid <= due", ["0 <= paid <= due", "0 < paid < due", "1 < paid <= due"]),
        ("order.id == line.id", ["order.id != line.id"]),
        ("paid is not None", ["paid is None"]),
        ("kind in kinds", ["kind not in kinds"]),
        ("due - paid", ["due + paid"]),
        ("due * rate", ["due // rate"]),
        ("due // rate", ["due * rate"]),
        ("is_open & is_late", ["is_open | is_late"]),
        ("due += paid", ["due -= paid"]),
        ("paid and due", ["paid or due"]),
        ("not paid", ["paid"]),
        ("-paid", ["paid"]),
        ("~is_paid", ["is_paid"]),
        ("True", ["False"]),
        ("limit = 50", ["limit = 51"]),
        ("max(due, paid)", ["min(due, paid)"]),
        ("func.min(due)", ["func.max(due)"]),
        ("any(lines)", ["all(lines)"]),
        ("or_(late, lost)", ["__import__('sqlalchemy').and_(late, lost)"]),
        ("due.desc()", ["due.asc()"]),
        ("due.is_(None)", ["due.is_not(None)"]),
        ("kind.not_in(kinds)", ["kind.in_(kinds)"]),
        ("def due():\n    return total", ["def due():\n    return None"]),
        ("if paid:\n    settle()", ["if not paid:\n    settle()"]),
        ("[line for line in lines if line.open]", ["[line for line in lines if not line.open]"]),
    ],
)
def test_one_small_thing_is_changed_at_a_time(source, mutants):
    assert changed(source) == mutants


@pytest.mark.parametrize(
    "source",
    [
        "due: int | None",
        "def pay(amount: int | None) -> int | None: ...",
        "@cache(size=100)\nclass Rate(Base[int | None]): ...",
        "raise Conflict(f'{count + 1} are due' if count > 1 else 'One is due')",
        "log.warning('late', days=days + 1)",
        "total: Mapped[int] = mapped_column(default=0, index=True)",
        "if TYPE_CHECKING:\n    limit = 1",
        "zip(lines, amounts, strict=True)",
        "name = 'INV-' + number",
        "def nothing():\n    return None",
        "kind = 'credit'",
        "SHEET: Columns = (('Number', 18, Kind.TEXT),)",
        "COLUMNS = (text_column('currency', 'Currency', 9), number_column('rate', 'Tax %', 9))",
    ],
)
def test_what_no_test_should_know_by_heart_is_left_alone(source):
    assert changed(source) == []


def test_a_mutant_says_where_it_is_and_what_it_does():
    source = "class Invoice:\n    def is_open(self):\n        if self.due:\n            return self.due > 0\n"
    assert [str(mutant) for mutant in mutants_of("billing_core/rule.py", source)] == [
        "billing_core/rule.py:3 in Invoice.is_open: condition negated in: if self.due:",
        "billing_core/rule.py:4 in Invoice.is_open: return → return None in: return self.due > 0",
        "billing_core/rule.py:4 in Invoice.is_open: > → >= in: return self.due > 0",
        "billing_core/rule.py:4 in Invoice.is_open: 0 → 1 in: return self.due > 0",
    ]


def test_the_same_change_twice_on_a_line_is_told_apart():
    mutants = mutants_of("rule.py", "left = due - paid - credited")
    assert [mutant.change for mutant in mutants] == ["- → +", "- → + (number 2)"]


def test_a_mutant_keeps_its_name_and_rank_when_lines_move():
    source = "def due(total, paid):\n    return total - paid\n"
    moved = f"LIMIT = 50\n\n\ndef limited(amount):\n    return min(amount, LIMIT)\n\n\n{source}"
    before = mutants_of("rule.py", source)
    after = mutants_of("rule.py", moved)[-len(before) :]
    assert [mutant.line for mutant in after] == [line.line + 7 for line in before]
    assert [mutant.rank(1) for mutant in after] == [mutant.rank(1) for mutant in before]
    assert [mutant.rank(2) for mutant in after] != [mutant.rank(1) for mutant in before]


def test_a_mutant_matters_where_its_statement_runs():
    source = (
        "LIMIT = 50\n"
        "def due(\n    total, limit=0\n):\n"
        "    if (\n        total > limit\n    ):\n        return 1\n"
        "    while total:\n        total -= 1\n"
        "    match total:\n        case 0 if limit:\n            pass\n"
    )
    reached = {(mutant.change, mutant.line): (mutant.statement, mutant.at_import) for mutant in mutants_of("a", source)}
    assert reached == {
        ("50 → 51", 1): ((1, 1), True),
        ("0 → 1", 3): ((2, 13), False),
        ("> → >=", 6): ((5, 7), False),
        ("1 → 2", 8): ((8, 8), False),
        ("condition negated", 9): ((9, 9), False),
        ("- → +", 10): ((10, 10), False),
        ("1 → 2", 10): ((10, 10), False),
        ("0 → 1", 12): ((12, 12), False),
        ("condition negated", 12): ((12, 12), False),
    }
