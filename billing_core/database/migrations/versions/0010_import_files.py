"""Files that were dropped for an import, and the jobs that check and import them, live in the database."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "import_jobs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column(
            "aim",
            sa.Enum("check", "import", name="jobaim", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("requested_by_id", sa.Integer(), nullable=True),
        sa.Column("requested_by", sa.String(length=200), nullable=False),
        sa.Column("process_id", sa.String(length=40), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_jobs")),
    )
    op.create_index("ix_import_jobs_finished_at", "import_jobs", ["finished_at"], unique=False)
    op.create_table(
        "import_files",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=24), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("file_name", sa.String(length=255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("layout", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("preview", sa.JSON(none_as_null=True), nullable=True),
        sa.Column(
            "kind",
            sa.Enum(
                "customers",
                "services",
                "products",
                "rates",
                "orders",
                "order-items",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("mapping", sa.JSON(none_as_null=True), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "receiving",
                "not checked",
                "waiting",
                "running",
                "ready to import",
                "refused",
                "imported",
                "discarded",
                name="filestate",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["import_jobs.id"], name=op.f("fk_import_files_job_id_import_jobs"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_files")),
        sa.UniqueConstraint("token", name=op.f("uq_import_files_token")),
    )
    op.create_index("ix_import_files_job_id", "import_files", ["job_id"], unique=False)
    op.create_index("ix_import_files_owner_id", "import_files", ["owner_id"], unique=False)
    op.create_index("ix_import_files_received_at", "import_files", ["received_at"], unique=False)
    op.create_table(
        "import_file_parts",
        sa.Column("file_id", sa.Integer(), nullable=False),
        sa.Column(
            "holds",
            sa.Enum("received", "rejected", name="holds", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"],
            ["import_files.id"],
            name=op.f("fk_import_file_parts_file_id_import_files"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("file_id", "holds", "number", name=op.f("pk_import_file_parts")),
    )


def downgrade() -> None:
    op.drop_table("import_file_parts")
    op.drop_index("ix_import_files_received_at", table_name="import_files")
    op.drop_index("ix_import_files_owner_id", table_name="import_files")
    op.drop_index("ix_import_files_job_id", table_name="import_files")
    op.drop_table("import_files")
    op.drop_index("ix_import_jobs_finished_at", table_name="import_jobs")
    op.drop_table("import_jobs")
