"""A SQLite file that is deleted or replaced while it is open is noticed, and nothing is written into it."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from billing_core.database import Sessions, connect
from billing_core.database.files import opened_file


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "billing.sqlite3"


@pytest.fixture
def sessions(file):
    opened = Sessions(connect(f"sqlite:///{file}"))
    with opened.begin() as session:
        session.execute(text("CREATE TABLE notes (words TEXT)"))
    write(opened, "before")
    yield opened
    opened.engine.dispose()


def write(sessions: Sessions, words: str) -> None:
    with sessions.begin() as session:
        session.execute(text("INSERT INTO notes VALUES (:words)"), {"words": words})


def read(sessions: Sessions) -> list[str]:
    with sessions() as session:
        return list(session.scalars(text("SELECT words FROM notes ORDER BY words")))


def deleted(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))


def replaced(file: Path) -> None:
    """Not with the same number: the former one is still open."""
    copy = Path(shutil.copyfile(file, file.with_name("copy")))
    file.unlink()
    copy.rename(file)


def replaced_by_a_link(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))
    file.symlink_to(shutil.copyfile(file.with_name("elsewhere"), file.with_name("copy")))


LOST = {deleted: "was deleted", replaced: "was replaced", replaced_by_a_link: "was replaced"}


@pytest.mark.parametrize("lose", LOST, ids=lambda lose: lose.__name__)
def test_nothing_is_written_into_a_file_that_is_gone(sessions, file, lose):
    assert opened_file.problem(sessions.engine) == ""
    lose(file)
    assert f"billing.sqlite3 {LOST[lose]} " in opened_file.problem(sessions.engine)
    with pytest.raises(OperationalError) as refused:
        write(sessions, "lost")
    assert opened_file.reason_of(refused.value) == opened_file.problem(sessions.engine)
    # What was read before is still shown, and no empty file is made in its place.
    assert read(sessions) == ["before"]
    assert file.exists() is (lose is not deleted)


@pytest.mark.parametrize("lose", LOST, ids=lambda lose: lose.__name__)
def test_what_is_under_way_meanwhile_is_not_committed(sessions, file, lose):
    def change() -> None:
        with sessions.begin() as session:
            session.execute(text("INSERT INTO notes VALUES ('lost')"))
            lose(file)

    with pytest.raises(OperationalError, match=r"billing\.sqlite3 was "):
        change()
    assert read(sessions) == ["before"]


def test_no_further_connection_takes_what_is_in_its_place_for_it(sessions, file):
    replaced(file)
    sessions.engine.dispose()
    with pytest.raises(OperationalError, match=r"was replaced"):
        read(sessions)


def test_once_it_is_back_everything_goes_on(sessions, file):
    deleted(file)
    with pytest.raises(OperationalError):
        write(sessions, "lost")
    file.with_name("elsewhere").rename(file)
    write(sessions, "after")
    assert read(sessions) == ["after", "before"]


def test_a_copy_with_the_number_of_the_former_file_is_noticed(file):
    """The number of a deleted file is given again at once, unless somebody holds it."""
    alone = Sessions(connect(f"sqlite:///{file}"))
    with alone.begin() as session:
        session.execute(text("CREATE TABLE notes (words TEXT)"))
    alone.engine.dispose()
    for ending in ("", "-wal", "-shm"):
        file.with_name(file.name + ending).unlink(missing_ok=True)
    file.write_bytes(b"")
    with pytest.raises(OperationalError, match=r"was replaced"):
        write(alone, "lost")


def test_other_databases_have_no_file():
    engine = connect("postgresql+psycopg://nobody@localhost/none")
    assert opened_file.problem(engine) == ""
    assert opened_file.reason_of(ValueError("x")) == ""
