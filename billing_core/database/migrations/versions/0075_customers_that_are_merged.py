"""Customers that were merged into others, whose postings are the others' then.

What an entry posted stays as it is, and so does the customer for whom it was posted, which is sealed. A posting repeats
the customer whose it is now: it may pass from one to the other into which that one was merged, and in no other way.
"""

from alembic import op

revision = "0075"
down_revision = "0074"

_KEPT = "id, entry_id, account, detail, business_id, invoice_id, currency, amount_minor, effective_on, recorded_at"
_SAME = "SELECT 1 FROM customers WHERE id = OLD.customer_id AND merged_into_id = NEW.customer_id"
_REFUSAL = "ledger_postings is append-only"
_NO_UPDATE = "CREATE TRIGGER ledger_postings_no_update BEFORE UPDATE"
_NO_OTHER = "CREATE TRIGGER ledger_postings_no_other_customer BEFORE UPDATE OF customer_id ON ledger_postings"
_ABORT = f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
_RAISE = "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"


def upgrade() -> None:
    key = "CONSTRAINT fk_customers_merged_into_id_customers REFERENCES customers (id)"
    op.execute(f"ALTER TABLE customers ADD COLUMN merged_into_id INTEGER {key}")
    op.create_index("ix_customers_merged_into_id", "customers", ["merged_into_id"])
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER ledger_postings_no_update")
        op.execute(f"{_NO_UPDATE} OF {_KEPT} ON ledger_postings {_ABORT}")
        op.execute(f"{_NO_OTHER} WHEN NOT EXISTS ({_SAME}) {_ABORT}")
        return
    op.execute("DROP TRIGGER ledger_postings_no_update ON ledger_postings")
    op.execute(f"{_NO_UPDATE} OF {_KEPT} ON ledger_postings {_RAISE}")
    op.execute(
        "CREATE OR REPLACE FUNCTION refuse_other_customer() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF NOT EXISTS ({_SAME}) THEN RAISE EXCEPTION '{_REFUSAL}'; END IF; RETURN NEW; END $$"
    )
    op.execute(f"{_NO_OTHER} FOR EACH ROW EXECUTE FUNCTION refuse_other_customer()")


def downgrade() -> None:
    """What was merged stays so."""
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    for trigger in ("ledger_postings_no_update", "ledger_postings_no_other_customer"):
        op.execute(f"DROP TRIGGER {trigger}" + ("" if on_sqlite else " ON ledger_postings"))
    op.execute(f"{_NO_UPDATE} ON ledger_postings {_ABORT if on_sqlite else _RAISE}")
    if not on_sqlite:
        op.execute("DROP FUNCTION refuse_other_customer()")
    op.drop_index("ix_customers_merged_into_id", "customers")
    op.execute("ALTER TABLE customers DROP COLUMN merged_into_id")
