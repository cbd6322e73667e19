"""``make migration NAME="What changes"``: a migration from what the models declare beyond the ones there are.

It is a draft. A column that may not be empty needs a ``server_default`` for the rows there are. Alembic sees neither
changed CHECKs (``migrations/checks.py``) nor what becomes of stored values, and SQLite takes a column's foreign key or
CHECK only together with the column.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData

from billing_core import schema
from billing_core.database import connect, migrate


def write(name: str, config: Config, metadata: MetaData) -> Path:
    """Compare the tables with a temporary database at the newest revision, and write the next one."""
    with tempfile.TemporaryDirectory() as folder:
        engine = connect(f"sqlite:///{folder}/newest.sqlite3")
        migrate.upgrade(engine)
        with engine.connect() as connection:
            config.attributes.update(connection=connection, metadata=metadata)
            config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
            next_revision = f"{int(migrate.head() or 0) + 1:04}"
            command.revision(config, message=name.rstrip("."), autogenerate=True, rev_id=next_revision)
        engine.dispose()
    (file,) = Path(str(config.get_main_option("script_location"))).glob(f"versions/{next_revision}_*.py")
    lines = [line for line in file.read_text().splitlines() if not line.strip().startswith("# ###")]
    file.write_text("\n".join(lines) + "\n")
    for tidy in (["check", "--fix-only"], ["format"]):
        subprocess.run([sys.executable, "-m", "ruff", *tidy, "--quiet", str(file)], check=True)
    return file


if __name__ == "__main__":
    name = " ".join(sys.argv[1:]).strip()
    if not name:
        sys.exit('What does the migration change? make migration NAME="Invoices have a department"')
    print(f"Written, to be read and completed: {write(name, migrate.configuration(), schema.metadata)}")
