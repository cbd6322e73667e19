"""What one event changes in several periods or segments, and where a billed period's segments begin."""

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

_FORMER = ("customer_id", "event_id", "kind")
_NOW = (*_FORMER, "period_id", "day")


def upgrade() -> None:
    op.add_column("usage_periods", sa.Column("cuts", sa.JSON(), server_default="[]", nullable=False))
    _cut_where_lines_begin()
    _make_unique(_FORMER, _NOW)


def downgrade() -> None:
    _make_unique(_NOW, _FORMER)
    op.drop_column("usage_periods", "cuts")


def _make_unique(before: Sequence[str], after: Sequence[str]) -> None:
    names = [f"uq_usage_late_items_{'_'.join(columns)}" for columns in (before, after)]
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(names[0], "usage_late_items", type_="unique")
        op.create_unique_constraint(names[1], "usage_late_items", list(after))
        return
    # SQLite changes no constraint: the table is written anew. Nothing refers to it.
    connection = op.get_bind()
    of_table = (
        "SELECT sql FROM sqlite_master WHERE tbl_name = 'usage_late_items' AND sql IS NOT NULL ORDER BY type DESC"
    )
    table, *indexes = connection.exec_driver_sql(of_table).scalars().all()
    former, now = (
        f"CONSTRAINT {name} UNIQUE ({', '.join(columns)})" for name, columns in zip(names, (before, after), strict=True)
    )
    if former not in table:
        raise LookupError(f"the table of late items has no {former}: {table}")
    connection.exec_driver_sql("ALTER TABLE usage_late_items RENAME TO usage_late_items_before")
    for name in ("ix_usage_late_items_period_id", "ix_usage_late_items_settlement_id"):
        connection.exec_driver_sql(f"DROP INDEX {name}")
    connection.exec_driver_sql(table.replace(former, now))
    connection.exec_driver_sql("INSERT INTO usage_late_items SELECT * FROM usage_late_items_before")
    connection.exec_driver_sql("DROP TABLE usage_late_items_before")
    for index in indexes:
        connection.exec_driver_sql(index)


def _cut_where_lines_begin() -> None:
    """A segment without lines begins where the one before it ends."""
    connection = op.get_bind()
    bounds = sa.text(
        "SELECT DISTINCT p.id, p.first_day, p.last_day, l.first_day AS begun, l.last_day AS ended"
        " FROM usage_periods p JOIN usage_lines l ON l.period_id = p.id AND l.settlement_id IS NULL"
        " WHERE l.first_day <> p.first_day OR l.last_day <> p.last_day"
    ).columns(id=sa.Integer, first_day=sa.Date, last_day=sa.Date, begun=sa.Date, ended=sa.Date)
    cuts: dict[int, set[date]] = defaultdict(set)
    for row in connection.execute(bounds):
        for day in (row.begun, row.ended + timedelta(days=1)):
            if row.first_day < day <= row.last_day:
                cuts[row.id].add(day)
    if cuts:
        written = [
            {"period": id_, "cuts": json.dumps([f"{day}" for day in sorted(days)])} for id_, days in cuts.items()
        ]
        connection.execute(sa.text("UPDATE usage_periods SET cuts = :cuts WHERE id = :period"), written)
