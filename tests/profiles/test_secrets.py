"""Secrets: fetched when a connection opens, in time, and never told."""

from __future__ import annotations

import os
import sys
import threading
import time
import types
from collections.abc import Iterator

import pytest

from dbtool.errors import ProfileError, SecretError, TimedOutError
from dbtool.profiles import resolve
from tests.profiles.world import World


def _write(world: World, password: str, more: str = "") -> None:
    world.write(world.config / "profiles.toml", f'[profiles.x]\nengine = "mysql"\npassword = {password}\n{more}\n')


def _python(code: str) -> str:
    return f'{{ command = ["{sys.executable}", "-c", """{code}"""] }}'


def test_a_plain_password_may_hold_references(world: World) -> None:
    world.variables["PW"] = "hu${sh"
    _write(world, '"a${PW}b$${c}"')
    assert world.resolve("x").password == "ahu${shb${c}"


def test_an_empty_password_stays_empty(world: World) -> None:
    _write(world, '""')
    assert world.resolve("x").password == ""


def test_a_variable_is_read_when_it_is_needed(world: World) -> None:
    _write(world, '{ env = "PW" }')
    profile = world.get("x")
    with pytest.raises(SecretError, match=r"toml:1: profile 'x': password: the variable PW is not set"):
        resolve(profile, world.environment)
    world.variables["PW"] = ""
    with pytest.raises(SecretError, match="the variable PW is empty"):
        resolve(profile, world.environment)
    world.variables["PW"] = "hush"
    assert resolve(profile, world.environment).password == "hush"


@pytest.mark.parametrize("content", ["hush\n", "hush\r\n", "hush"])
def test_a_file_loses_its_last_line_break_only(world: World, content: str) -> None:
    (world.config).mkdir(parents=True)
    (world.config / "secret").write_bytes(b" a\n" + content.encode())
    _write(world, '{ file = "secret" }')
    assert world.resolve("x").password == " a\nhush"


def test_a_file_may_be_in_the_home_directory_or_named_by_a_variable(world: World) -> None:
    world.write(world.home / "secret", "hush")
    world.variables["WHERE"] = str(world.home)
    for path in ("~/secret", "${WHERE}/secret"):
        _write(world, f'{{ file = "{path}" }}')
        assert world.resolve("x").password == "hush"


def test_a_file_that_is_not_there_or_no_text_is_an_error(world: World) -> None:
    _write(world, '{ file = "secret" }')
    with pytest.raises(SecretError, match="the file secret cannot be read: No such file"):
        world.resolve("x")
    (world.config / "secret").write_bytes(b"hush\xff")
    with pytest.raises(SecretError, match="the file secret is not UTF-8 text") as caught:
        world.resolve("x")
    assert caught.value.__cause__ is None or "hush" not in repr(caught.value.__cause__.__cause__)


@pytest.mark.timing
def test_a_pipe_that_nobody_writes_to_does_not_hang(world: World) -> None:
    _write(world, '{ file = "pipe" }')
    os.mkfifo(world.config / "pipe")
    with pytest.raises(TimedOutError, match="the time was up while waiting for the file pipe"):
        resolve(world.get("x"), world.environment, deadline=time.monotonic() + 0.05)
    # The thread that was left behind ends here.
    (world.config / "pipe").write_bytes(b"")


def test_a_command_is_told_the_connection(world: World) -> None:
    code = (
        "import os; print(*(os.environ.get('DBTOOL_' + k) for k in "
        "('HOST', 'USER', 'PORT', 'DATABASE')), os.environ['EXTRA'], os.getcwd())"
    )
    world.variables["EXTRA"] = "more"
    _write(world, _python(code), 'host = "h"\nuser = "u"\nport = 1\ndatabase = "d"')
    assert world.resolve("x").password == f"h u 1 d more {world.config}"


def test_a_command_does_not_read_the_sql_on_standard_input(world: World) -> None:
    _write(world, _python("import sys; print('[' + sys.stdin.read() + ']')"))
    reader, writer = os.pipe()
    os.write(writer, b"SELECT 1")
    os.close(writer)
    kept = os.dup(0)
    os.dup2(reader, 0)
    try:
        assert world.resolve("x").password == "[]"
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(reader)


def test_a_commands_arguments_are_not_given_to_a_shell(world: World) -> None:
    world.variables["X"] = "$(id); *"
    _write(world, f'{{ command = ["{sys.executable}", "-c", "import sys; print(sys.argv[1:])", "${{X}}", "`id`"] }}')
    assert world.resolve("x").password == "['$(id); *', '`id`']"


def test_a_commands_path_is_relative_to_the_file(world: World) -> None:
    script = world.write(world.config / "bin" / "tell", "#!/bin/sh\necho hush\n")
    script.chmod(0o700)
    _write(world, '{ command = ["./bin/tell"] }')
    assert world.resolve("x").password == "hush"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "import sys; print('hush'); print('first\\\\nnot logged in', file=sys.stderr); sys.exit(3)",
            "failed with status 3: not logged in",
        ),
        ("import sys; print('hush'); sys.exit(1)", "failed with status 1$"),
        ("pass", "is empty"),
        ("import sys; sys.stdout.buffer.write(b'hush' + bytes([255]))", "is not UTF-8 text"),
        ("print('hush' + chr(0))", "holds a NUL"),
    ],
)
def test_a_command_that_fails_says_so_without_what_it_printed(world: World, code: str, message: str) -> None:
    _write(world, _python(code))
    with pytest.raises(SecretError, match=message) as caught:
        world.resolve("x")
    assert "hush" not in str(caught.value)


def test_a_command_that_is_not_there_is_an_error(world: World) -> None:
    _write(world, '{ command = ["no-such-command"] }')
    with pytest.raises(SecretError, match="the command 'no-such-command' cannot be run: No such file"):
        world.resolve("x")


@pytest.mark.timing
def test_a_command_that_hangs_is_ended_at_the_commands_deadline(world: World) -> None:
    _write(world, _python("import time; print('hush', flush=True); time.sleep(60)"))
    with pytest.raises(TimedOutError, match="the time was up while waiting for the command") as caught:
        resolve(world.get("x"), world.environment, deadline=time.monotonic() + 0.3)
    assert caught.value.__suppress_context__


def test_a_command_that_hangs_is_ended_at_its_own_limit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbtool.profiles.secrets.SECRET_LIMIT", 0.1)
    _write(world, _python("import time; time.sleep(60)"))
    with pytest.raises(SecretError, match="did not answer within"):
        world.resolve("x")


def test_a_deadline_that_has_passed_fetches_nothing(world: World) -> None:
    _write(world, f'{{ command = ["touch", "{world.root}/ran"] }}')
    with pytest.raises(TimedOutError, match="the time was up before"):
        resolve(world.get("x"), world.environment, deadline=5.0, clock=lambda: 5.0)
    assert not (world.root / "ran").exists()


class _Keyring(types.ModuleType):
    """Stands in for the keyring package."""

    def __init__(self) -> None:
        super().__init__("keyring")
        self.entries = {("https://shop", "ann"): "hush"}
        self.release = threading.Event()
        self.hangs = False

    def get_password(self, service: str, user: str) -> str | None:
        if self.hangs:
            self.release.wait(30)
        if service == "locked":
            raise RuntimeError("the collection is locked")
        return self.entries.get((service, user))


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Keyring]:
    fake = _Keyring()
    monkeypatch.setitem(sys.modules, "keyring", fake)
    yield fake
    fake.release.set()


def test_a_keyring_is_asked_for_its_entry(world: World, keyring: _Keyring) -> None:
    _write(world, '{ keyring = "https://shop/ann" }')
    assert world.resolve("x").password == "hush"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("shop/bob", "the keyring's entry 'shop/bob' does not exist: keyring set shop bob"),
        ("locked/ann", "cannot be had: RuntimeError: the collection is locked"),
    ],
)
def test_a_keyring_that_gives_nothing_is_an_error(world: World, keyring: _Keyring, entry: str, message: str) -> None:
    _write(world, f'{{ keyring = "{entry}" }}')
    with pytest.raises(SecretError, match=message):
        world.resolve("x")


@pytest.mark.timing
def test_a_keyring_that_hangs_is_given_up(world: World, keyring: _Keyring) -> None:
    keyring.hangs = True
    _write(world, '{ keyring = "shop/ann" }')
    with pytest.raises(TimedOutError, match="waiting for the keyring's entry"):
        resolve(world.get("x"), world.environment, deadline=time.monotonic() + 0.05)


def test_a_missing_keyring_package_names_the_extra(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    _write(world, '{ keyring = "shop/ann" }')
    with pytest.raises(SecretError, match=r"pip install 'dbtool\[keyring\]'"):
        world.resolve("x")


def test_a_target_masks_its_password(world: World) -> None:
    _write(world, '"hush"', "on_connect = [\"SET x = 'hush'\"]")
    assert "hush" not in repr(world.resolve("x"))


def test_every_failure_is_a_profiles_failure() -> None:
    assert issubclass(SecretError, ProfileError)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("DB_PASSWORD=hush # no", "hush"),
        ("export DB_PASSWORD='h u${X}sh'", "h u${X}sh"),
        ('DB_PASSWORD="h\\"ush"', 'h"ush'),
        ("DB_PASSWORD=first\nDB_PASSWORD=last", "last"),
        ("DB_PASSWORD=postgres://u:p%40ss@h/d?sslmode=require", "p@ss"),
        ("DB_PASSWORD=mysql://u:${PART}x@h/d", "partx"),
    ],
)
def test_a_variable_in_a_dotenv_file_is_a_secret_and_of_a_url_the_password_is(
    world: World, line: str, expected: str
) -> None:
    world.write(world.root / ".env", f"OTHER=1\n{line}\n")
    world.variables["PART"] = "part"
    world.write_user(f'[profiles.x]\nengine = "mysql"\npassword = {{ file = "{world.root}/.env#DB_PASSWORD" }}\n')
    assert world.resolve("x").password == expected


def test_a_dotenv_file_without_the_variable_is_an_error_that_quotes_nothing_of_it(world: World) -> None:
    world.write(world.root / ".env", "PASSWORD=hush\nURL=postgres://u:hush@h:hush/d\n")
    for name, said in (("NONE", "assigns nothing to NONE"), ("URL", "URL: the URL's port is not a number")):
        world.write_user(f'[profiles.x]\nengine = "mysql"\npassword = {{ file = "{world.root}/.env#{name}" }}\n')
        with pytest.raises(SecretError, match=said) as caught:
            world.resolve("x")
        assert "hush" not in str(caught.value)
