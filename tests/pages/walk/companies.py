"""A company in a file: walked through by one person, and as good as new before each step."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from billing_core.database import Sessions, connect
from pages.job_sections import reading


class Company:
    """``template`` is copied to ``file`` whenever somebody has written into it."""

    def __init__(self, template: Path, file: Path) -> None:
        self._template, self._file = template, file
        self._snapshots = self._times = 0
        self._begin_from(template)

    @property
    def touched(self) -> bool:
        """Whether anything was written since it was as good as new."""
        return self._source != self._template or self._written

    @property
    def moment(self) -> str:
        """What it is like: the same again whenever it is as good as new, or as in the same copy."""
        return f"{self._source} {self._times}:{self._version()}" if self._written else str(self._source)

    def as_in(self, snapshot: Path | None) -> None:
        """As it was when this copy was made; without one as good as new."""
        if self._written or self._source != (snapshot or self._template):
            self.close()
            self._begin_from(snapshot or self._template)

    def snapshot(self) -> Path:
        """A copy of it as it is now."""
        self._snapshots += 1
        copied = self._file.with_suffix(f".{self._snapshots}")
        with closing(sqlite3.connect(copied)) as target:
            self._watch.backup(target)
        return copied

    def close(self) -> None:
        self.sessions.engine.dispose()
        self._watch.close()

    def _begin_from(self, source: Path) -> None:
        for ending in ("-wal", "-shm"):
            Path(f"{self._file}{ending}").unlink(missing_ok=True)
        shutil.copyfile(source, self._file)
        self.sessions = Sessions(connect(f"sqlite:///{self._file}"))
        self._watch = sqlite3.connect(self._file, check_same_thread=False)
        self._source, self._begun_at = source, self._version()
        self._times += 1
        # It remembers no company in particular, for two seconds.
        reading.forget()

    @property
    def _written(self) -> bool:
        return self._version() != self._begun_at

    def _version(self) -> int:
        return int(self._watch.execute("PRAGMA data_version").fetchone()[0])
