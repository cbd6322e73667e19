"""What was imported, and how each file layout's columns were mapped."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.database import Base


class ImportRun(Base):
    """One imported file: its name, what it changed, who imported it."""

    __tablename__ = "import_runs"
    __table_args__ = (Index("ix_import_runs_created_at", "created_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    file_name: Mapped[str] = mapped_column(String(255))
    checksum: Mapped[str] = mapped_column(String(64))
    new_count: Mapped[int]
    changed_count: Mapped[int]
    unchanged_count: Mapped[int]
    created_at: Mapped[datetime]
    created_by_id: Mapped[int | None]
    created_by: Mapped[str] = mapped_column(String(200))


class ColumnMapping(Base):
    """The mapping last used for files of this kind with exactly these column names."""

    __tablename__ = "column_mappings"
    __table_args__ = (UniqueConstraint("kind", "layout"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    layout: Mapped[str] = mapped_column(String(64))
    mapping: Mapped[dict[str, Any]]
