"""What each import made and changed, so that it can be taken back."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0087"
down_revision = "0086"

_MADE = (
    *("customers", "services", "products", "rates", "orders", "order_lines"),
    *("plans", "plan_versions", "customer_plans", "promo_codes"),
)
_OF_RUNS: dict[str, sa.types.TypeEngine[Any]] = {
    "mapping": sa.JSON(),
    "first_id": sa.BigInteger(),
    "batch": sa.BigInteger(),
    "taken_back_at": sa.DateTime(timezone=True),
    "taken_back_by_id": sa.Integer(),
    "taken_back_by": sa.String(length=200),
}
# What of a plan never changes, and how its rows lead to the version that they are of.
_OF_VERSIONS = {
    "plan_versions": "OLD.id",
    "plan_prices": "OLD.plan_version_id",
    "plan_price_tiers": "(SELECT plan_version_id FROM plan_prices WHERE id = OLD.price_id)",
    "plan_amounts": "OLD.plan_version_id",
    "plan_add_ons": "OLD.plan_version_id",
    "plan_add_on_amounts": "(SELECT plan_version_id FROM plan_add_ons WHERE id = OLD.add_on_id)",
    "plan_phases": "OLD.plan_version_id",
}
_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    for table in _MADE:
        op.add_column(table, sa.Column("import_id", sa.Integer(), nullable=True))
    for name, of in _OF_RUNS.items():
        op.add_column("import_runs", sa.Column(name, of, nullable=True))
    op.create_table(
        "imported_changes",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("row_id", _BIG_ID, autoincrement=False, nullable=False),
        sa.Column(
            "effect",
            sa.Enum("changed", "removed", name="roweffect", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("label", sa.String(length=300), nullable=False),
        sa.Column("cells", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["import_runs.id"], name=op.f("fk_imported_changes_run_id_import_runs"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("run_id", "row_id", name=op.f("pk_imported_changes")),
        sqlite_with_rowid=False,
    )
    for table, version in _OF_VERSIONS.items():
        _keep_unless_taken_back(table, version)


def _keep_unless_taken_back(table: str, version: str) -> None:
    """Terms stay as they are, but for those that an import brought which is taken back: nobody agreed to them yet."""
    name, dialect = f"{table}_no_delete", op.get_bind().dialect.name
    taken_back = (
        "EXISTS (SELECT 1 FROM plan_versions JOIN import_runs ON import_runs.id = plan_versions.import_id "
        f"WHERE plan_versions.id = {version} AND import_runs.taken_back_at IS NOT NULL)"
    )
    _drop(name, table)
    if dialect == "sqlite":
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        op.execute(f"CREATE TRIGGER {name} BEFORE DELETE ON {table} WHEN NOT {taken_back} {refuse}")
        return
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN IF {taken_back} THEN RETURN OLD; END IF; "
        "RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    op.execute(f"CREATE TRIGGER {name} BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")


def _drop(trigger: str, table: str) -> None:
    of = "" if op.get_bind().dialect.name == "sqlite" else f" ON {table}"
    op.execute(f"DROP TRIGGER {trigger}{of}")


def _keep(table: str) -> None:
    name, dialect = f"{table}_no_delete", op.get_bind().dialect.name
    _drop(name, table)
    if dialect == "sqlite":
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        op.execute(f"CREATE TRIGGER {name} BEFORE DELETE ON {table} {refuse}")
        return
    op.execute(f"DROP FUNCTION {name}()")
    op.execute(f"CREATE TRIGGER {name} BEFORE DELETE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()")


def downgrade() -> None:
    for table in _OF_VERSIONS:
        _keep(table)
    op.drop_table("imported_changes")
    for name in reversed(_OF_RUNS):
        op.drop_column("import_runs", name)
    for table in reversed(_MADE):
        op.drop_column(table, "import_id")
