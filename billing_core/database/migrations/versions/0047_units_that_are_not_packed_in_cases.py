"""A product whose units are not packed in cases has a case size of 0; without any it is not known."""

from alembic import op

revision = "0047"
down_revision = "0046"


def upgrade() -> None:
    _check("positive", "not_negative", "case_size >= 0")


def downgrade() -> None:
    op.execute("UPDATE products SET case_size = NULL WHERE case_size = 0")
    _check("not_negative", "positive", "case_size > 0")


def _check(former: str, name: str, condition: str) -> None:
    # SQLite copies the table: nothing refers to it, and it has no triggers.
    with op.batch_alter_table("products") as batch:
        batch.drop_constraint(op.f(f"ck_products_case_size_{former}"), type_="check")
        batch.create_check_constraint(op.f(f"ck_products_case_size_{name}"), condition)
