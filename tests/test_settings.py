"""Secrets and addresses that come from the environment."""

import stat

import pytest

from billing_core.settings import Settings


def test_a_secret_that_is_too_short_refuses_to_start(tmp_path):
    with pytest.raises(SystemExit, match="at least 32 characters"):
        Settings(data_dir=tmp_path, secret_key="short").signing_key()


def test_a_given_secret_is_used_and_nothing_is_written(tmp_path):
    assert Settings(data_dir=tmp_path, secret_key="x" * 32).signing_key() == "x" * 32
    assert list(tmp_path.iterdir()) == []


def test_without_one_a_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path):
    first, second = Settings(data_dir=tmp_path).signing_key(), Settings(data_dir=tmp_path).signing_key()
    assert first == second
    assert len(first) >= 32
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


def test_a_secret_never_shows_in_the_settings_text(tmp_path):
    assert "x" * 32 not in repr(Settings(data_dir=tmp_path, secret_key="x" * 32))


@pytest.mark.parametrize("given", ["postgres://u:p@h/db", "postgresql://u:p@h/db", "postgresql+psycopg://u:p@h/db"])
def test_every_spelling_of_a_postgresql_address_gets_our_driver(given):
    assert Settings(database_url=given).sqlalchemy_url == "postgresql+psycopg://u:p@h/db"


def test_without_a_database_address_it_is_sqlite_in_the_data_folder(tmp_path):
    assert Settings(data_dir=tmp_path, database_url="").sqlalchemy_url == f"sqlite:///{tmp_path}/billing.sqlite3"


def test_trusted_origins_are_sites_and_never_patterns():
    assert Settings(trusted_origins=" https://App.example.com/ ,http://localhost:5176,").trusted == {
        "https://app.example.com",
        "http://localhost:5176",
    }
    for given in ("*", "null", "https://*.example.com", "app.example.com", "https://a.example/path", "https://a@b"):
        with pytest.raises(SystemExit, match="is not a site"):
            Settings(trusted_origins=given)


@pytest.mark.parametrize(
    "given",
    [
        "redis://:secret@h:6379/0",
        "rediss://h",
        " redis+unix:///run/redis.sock ",
        "redis+cluster://a:7000,b:7000",
        "redis+sentinel://a:26379,b:26379/ours",
    ],
)
def test_a_redis_is_named_by_its_address(given):
    assert Settings(redis_url=given).redis_url == given.strip()


@pytest.mark.parametrize(
    "given",
    [
        "h:6379",
        "http://:secret@h",
        "redis://",
        "memory://",
        "redis://:secret@h:port",
        "redis://[h",
        "redis+sentinel://:secret@h:26379",
    ],
)
def test_what_is_no_redis_refuses_to_start_without_being_repeated(given):
    with pytest.raises(SystemExit, match="BILLING_REDIS_URL") as refused:
        Settings(redis_url=given)
    assert "secret" not in str(refused.value)
