"""Settings that come from the environment, and the secret that the data folder keeps."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from billing_core.__main__ import main
from billing_core.settings import Settings, settings

PROJECT = Path(__file__).parent.parent
NAMES = {
    name: str(field.validation_alias or f"BILLING_{name.upper()}") for name, field in Settings.model_fields.items()
}
HIDDEN = "not-to-be-shown"
# What each setting cannot be.
WRONG = {
    "data_dir": [__file__],
    "database_url": [
        f"mysql://me:{HIDDEN}@host/db",
        f"postgresql+asyncpg://me:{HIDDEN}@host/db",
        f"postgresql://me:{HIDDEN}@host:port/db",
        f"postgresql://me:{HIDDEN}@host:99999/db",
        f"postgresql://me:an@{HIDDEN}@host/db",
        "billing.sqlite3",
        "sqlite://",
        "sqlite:///:memory:",
    ],
    "secret_key": ["x" * 31],
    "public_url": [
        "billing.example.com",
        "ftp://billing.example.com",
        "https://",
        "https://a.example:port",
        "https://a b",
    ],
    "redis_url": [f"http://:{HIDDEN}@host"],
    "smtp_url": [f"http://me:{HIDDEN}@host", f"smtp://me:{HIDDEN}@host:port", "smtp://host?starttls=yes"],
    "bounce_address": ["nobody", "bounces@b_c.example"],
    "bounce_mailbox": [
        f"http://me:{HIDDEN}@host",
        f"imaps://me:{HIDDEN}@host:port",
        "imaps://host/INBOX",
        "imaps://me@host/INBOX",
        f"imap://me:{HIDDEN}@host?starttls=yes",
        f"imaps://me:{HIDDEN}@host/IN%0d%0aBOX",
        f"imaps://me:{HIDDEN}@host/IN%22BOX",
    ],
    "bounce_secret": ["x" * 31],
    "mail_from": ["nobody", "nobody@example", "a@b@c.example"],
    "trusted_origins": ["*", "https://a.example, null"],
    "trusted_proxies": ["*", "proxy.example", "10.0.0.1/8", "0.0.0.0/0", "127.0.0.1, ::/0"],
    "metrics": ["short"],
    "session_idle_minutes": ["ten", "4", "1.5", "9" * 9, "9" * 5_000],
    "archive_usage_after_months": ["ten", "0", "-1", "1201", "1.5"],
    "archive_usage_dir": [__file__],
    "move_notice_days": ["a month", "-1", "366", "1.5"],
    "keep_jobs_days": ["a month", "0", "-1", "3651"],
    "session_max_hours": ["ten", "0", "-1", "9" * 9],
    "stripe_secret_key": [f"pk_test_{HIDDEN}", f"sk_test_{HIDDEN}"],
    "stripe_webhook_secret": [f"sk_test_{HIDDEN}"],
    "stripe_account": ["ours", "1032D82eZvKYlo2C"],
    "stripe_api_base": ["api.stripe.com", "https://host:port"],
    "port": ["http", "-1", "65536", "80.5"],
    "allow_private_webhooks": ["perhaps"],
}
EACH_WRONG = [(name, value) for name, values in WRONG.items() for value in values]


@pytest.fixture
def environment(monkeypatch):
    """Sets variables where no other setting is given; the next process would start with them."""
    for name in NAMES.values():
        monkeypatch.delenv(name, raising=False)

    def given(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()

    yield given
    settings.cache_clear()


@pytest.mark.parametrize("blank", ["", " \t"])
def test_settings_given_as_empty_text_count_as_unset(environment, blank):
    unset = Settings()
    environment(**dict.fromkeys(NAMES.values(), blank))
    assert Settings() == unset


def test_a_wrong_value_is_tried_for_every_setting():
    assert WRONG.keys() == NAMES.keys()


@pytest.mark.parametrize(("name", "value"), EACH_WRONG, ids=[f"{name}-{value[:40]}" for name, value in EACH_WRONG])
def test_a_wrong_setting_ends_a_command_in_one_sentence_that_names_it_and_shows_no_secret(environment, name, value):
    key = {"STRIPE_SECRET_KEY": "sk_test_0"} if name == "stripe_webhook_secret" else {}
    environment(**key, **{NAMES[name]: value})
    with pytest.raises(SystemExit) as ended:
        main(["migrate"])
    sentence = str(ended.value)
    assert sentence.startswith(NAMES[name])
    assert len(sentence.splitlines()) == 1
    assert HIDDEN not in sentence


@pytest.mark.slow
@pytest.mark.parametrize("program", [["-m", "billing_core", "migrate"], ["-m", "billing_core", "worker"], ["app.py"]])
def test_a_wrong_setting_ends_whatever_is_started(environment, program):
    environment(BILLING_SESSION_IDLE_MINUTES="ten")
    ended = subprocess.run([sys.executable, *program], cwd=PROJECT, capture_output=True, text=True, timeout=300)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "BILLING_SESSION_IDLE_MINUTES must be a whole number\n"


@pytest.mark.parametrize("folder", ["/dev/null/data", "/proc/data"])
def test_a_data_folder_that_cannot_be_made_is_named(environment, folder):
    environment(BILLING_DATA_DIR=folder)
    for use in (settings().usable_data_dir, settings().signing_key, lambda: main(["migrate"])):
        with pytest.raises(SystemExit, match=r"^BILLING_DATA_DIR: .*cannot be"):
            use()


def test_a_data_folder_that_may_not_be_written_is_named(environment, tmp_path, monkeypatch):
    environment(BILLING_DATA_DIR=str(tmp_path))
    monkeypatch.setattr(os, "access", lambda _path, mode: not mode & os.W_OK)
    with pytest.raises(SystemExit, match=r"^BILLING_DATA_DIR: .*Permission denied"):
        main(["migrate"])


def test_archives_by_schedule_need_their_folder(environment):
    environment(BILLING_ARCHIVE_USAGE_AFTER_MONTHS="12")
    with pytest.raises(SystemExit, match="is set without BILLING_ARCHIVE_USAGE_DIR"):
        main(["migrate"])


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


_ALL_SECRETS = """
import sys
from billing_core.settings import Settings
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[2])):
    print(Settings(data_dir=f"{sys.argv[1]}/{number}").signing_key())
"""


@pytest.mark.slow
def test_processes_that_start_at_the_same_moment_have_the_same_secret(tmp_path):
    folders, command = 100, [sys.executable, "-c", _ALL_SECRETS, str(tmp_path), "100"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, cwd=PROJECT, **pipes) for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    printed = [process.communicate(timeout=300)[0].splitlines() for process in processes]
    assert printed == [printed[0]] * 4
    assert len(set(printed[0])) == folders
    assert {len(secret) for secret in printed[0]} == {64}
    assert {file.name for file in tmp_path.glob("*/*")} == {"secret_key"}


def test_a_file_system_without_second_names_keeps_the_secret_too(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "hardlink_to", lambda *_: (_ for _ in ()).throw(OSError(95, "Operation not supported")))
    assert Settings(data_dir=tmp_path).signing_key() == Settings(data_dir=tmp_path).signing_key()
    assert [file.name for file in tmp_path.iterdir()] == ["secret_key"]


@pytest.mark.parametrize("content", [b"", b"\n", b"half of it", b"\xff" * 8])
def test_a_secret_that_is_not_whole_is_never_signed_with(tmp_path, content):
    (tmp_path / "secret_key").write_bytes(content)
    with pytest.raises(SystemExit, match="incomplete"):
        Settings(data_dir=tmp_path).signing_key()
    assert (tmp_path / "secret_key").read_bytes() == content


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
