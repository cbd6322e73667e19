"""What subscriptions need of plans: periods of any length, seats, further currencies, add-ons, phases."""

import sqlalchemy as sa
from alembic import op

from billing_core.database.migrations import checks

revision = "0031"
down_revision = "0030"

_VERSIONS = "plan_versions"
_TABLES = ("plan_amounts", "plan_add_ons", "plan_add_on_amounts", "plan_phases")
_OF_INTERVALS = "planinterval"
_INTERVALS = ("month", "year")


def upgrade() -> None:
    op.create_table(
        "plan_add_ons",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_version_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_version_id"],
            ["plan_versions.id"],
            name=op.f("fk_plan_add_ons_plan_version_id_plan_versions"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_add_ons")),
        sa.UniqueConstraint("plan_version_id", "code", name=op.f("uq_plan_add_ons_plan_version_id_code")),
    )
    op.create_table(
        "plan_amounts",
        sa.Column("plan_version_id", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("seat_price_minor", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("price_minor >= 0", name=op.f("ck_plan_amounts_price_not_negative")),
        sa.CheckConstraint("seat_price_minor >= 0", name=op.f("ck_plan_amounts_seat_price_not_negative")),
        sa.ForeignKeyConstraint(
            ["plan_version_id"],
            ["plan_versions.id"],
            name=op.f("fk_plan_amounts_plan_version_id_plan_versions"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("plan_version_id", "currency", name=op.f("pk_plan_amounts")),
    )
    op.create_table(
        "plan_phases",
        sa.Column("plan_version_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("periods", sa.Integer(), nullable=False),
        sa.Column("percent", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("percent >= 0", name=op.f("ck_plan_phases_percent_not_negative")),
        sa.CheckConstraint("periods > 0", name=op.f("ck_plan_phases_periods_positive")),
        sa.ForeignKeyConstraint(
            ["plan_version_id"],
            ["plan_versions.id"],
            name=op.f("fk_plan_phases_plan_version_id_plan_versions"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("plan_version_id", "position", name=op.f("pk_plan_phases")),
    )
    op.create_table(
        "plan_add_on_amounts",
        sa.Column("add_on_id", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("price_minor >= 0", name=op.f("ck_plan_add_on_amounts_price_not_negative")),
        sa.ForeignKeyConstraint(
            ["add_on_id"],
            ["plan_add_ons.id"],
            name=op.f("fk_plan_add_on_amounts_add_on_id_plan_add_ons"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("add_on_id", "currency", name=op.f("pk_plan_add_on_amounts")),
    )
    _add_count("interval_count", "interval_count > 0", "interval_count_positive", default="1")
    _add_words("timing", "billingtiming", ("advance", "arrears"))
    seat_price = sa.CheckConstraint("seat_price_minor >= 0", name=op.f("ck_plan_versions_seat_price_not_negative"))
    op.add_column(_VERSIONS, sa.Column("seat_price_minor", sa.BigInteger(), seat_price, nullable=True))
    _add_count("included_seats", "included_seats >= 0", "included_seats_not_negative", default="0")
    _add_words("trial_end", "trialend", ("cancel", "pause", "invoice"))
    _add_count("ends_after", "ends_after > 0", "ends_after_positive", default=None)
    checks.allow(_VERSIONS, _OF_INTERVALS, "interval", ("day", "week", "month", "quarter", "year"))
    for table in _TABLES:
        for event in ("UPDATE", "DELETE"):
            op.execute(_refuse(table, event, op.get_bind().dialect.name))


def _add_count(name: str, check: str, called: str, *, default: str | None) -> None:
    checked = sa.CheckConstraint(check, name=op.f(f"ck_plan_versions_{called}"))
    op.add_column(_VERSIONS, sa.Column(name, sa.Integer(), checked, server_default=default, nullable=default is None))


def _add_words(name: str, kind: str, words: tuple[str, ...]) -> None:
    """The first of them is what versions have that there are."""
    allowed = ", ".join(f"'{word}'" for word in words)
    checked = sa.CheckConstraint(f"{name} IN ({allowed})", name=op.f(kind))
    op.add_column(_VERSIONS, sa.Column(name, sa.String(length=32), checked, server_default=words[0], nullable=False))


def _refuse(table: str, event: str, dialect: str) -> str:
    """What customers have agreed to stays as it was agreed, as in the tables that there are."""
    start = f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table}"
    if dialect == "sqlite":
        return f"{start} BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    return f"{start} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"


def downgrade() -> None:
    checks.allow(_VERSIONS, _OF_INTERVALS, "interval", _INTERVALS)
    for name in ("ends_after", "trial_end", "included_seats", "seat_price_minor", "timing", "interval_count"):
        op.drop_column(_VERSIONS, name)
    for table in ("plan_phases", "plan_add_on_amounts", "plan_add_ons", "plan_amounts"):
        op.drop_table(table)
