"""Fetch the secret that a profile refers to, within a time limit; it never enters a message."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from dbtool.environment import Environment
from dbtool.errors import SecretError, TimedOutError, one_line
from dbtool.profiles.model import (
    CommandSecret,
    EnvironmentSecret,
    FileSecret,
    KeyringSecret,
    PlainSecret,
    Secret,
)
from dbtool.profiles.paths import anchor
from dbtool.records import Record
from dbtool.scrubbing import scrub

TYPE_CHECKING = False  # slow to import, and most profiles run no command
if TYPE_CHECKING:
    from subprocess import CompletedProcess

T = TypeVar("T")

SECRET_LIMIT = 60.0
"""Seconds that a secret may take to arrive: long enough to unlock a vault by hand."""
_QUOTED_LIMIT = 200


class Deadline(Record):
    """When a command has to be done; `at` is on the clock's scale, None for never."""

    at: float | None = None
    clock: Callable[[], float] = time.monotonic

    def limit(self, most: float) -> float:
        """Return the seconds left, at most `most`. Raises TimedOutError when there are none."""
        left = most if self.at is None else min(most, self.at - self.clock())
        if left <= 0:
            raise TimedOutError("the time was up before the profile's secrets were there")
        return left

    def fail(self, limit: float, what: str) -> Exception:
        """Return the error for something that took longer than `limit` seconds."""
        if self.at is not None and limit < SECRET_LIMIT:
            return TimedOutError(f"the time was up while waiting for {what}")
        return SecretError(f"{what} did not answer within {limit:.0f}s")


class Context(Record):
    """What a secret is fetched with; `told` is what a command learns about the connection."""

    _concealed = frozenset({"expand"})

    environment: Environment
    directory: Path
    """Where relative paths start and a command runs."""
    expand: Callable[[str], str]
    told: Mapping[str, str]
    deadline: Deadline


def fetch_secret(secret: Secret, context: Context) -> str:
    """Return a secret's text. Raises SecretError, or TimedOutError once the command's own time is up."""
    if isinstance(secret, PlainSecret):
        return context.expand(secret.text)
    text = _fetch(secret, context)
    if not text:
        raise SecretError(f"{_describe(secret)} is empty")
    if "\0" in text:
        raise SecretError(f"{_describe(secret)} holds a NUL character")
    return text


def _fetch(secret: EnvironmentSecret | FileSecret | CommandSecret | KeyringSecret, context: Context) -> str:
    if isinstance(secret, EnvironmentSecret):
        return _read_variable(secret, context)
    if isinstance(secret, FileSecret):
        return _read_file(secret, context)
    if isinstance(secret, CommandSecret):
        return _run_command(secret, context)
    return _ask_keyring(secret, context)


def _describe(secret: Secret) -> str:
    if isinstance(secret, EnvironmentSecret):
        return f"the variable {secret.variable}"
    if isinstance(secret, FileSecret):
        return f"the file {secret.path}"
    if isinstance(secret, CommandSecret):
        return f"the command {secret.arguments[0]!r}"
    return f"the keyring's entry {secret.entry!r}" if isinstance(secret, KeyringSecret) else "the secret"


def _read_variable(secret: EnvironmentSecret, context: Context) -> str:
    value = context.environment.variables.get(context.expand(secret.variable))
    if value is None:
        raise SecretError(f"{_describe(secret)} is not set")
    return value


def _read_file(secret: FileSecret, context: Context) -> str:
    written = context.expand(str(secret.path))
    path = anchor(written, directory=context.directory, home=context.environment.home)
    file, mark, variable = str(path).rpartition("#")
    is_variable = bool(mark) and not path.exists()
    try:
        content = _wait_for((Path(file) if is_variable else path).read_bytes, context.deadline, _describe(secret))
        text = content.decode()
    except OSError as error:
        raise SecretError(f"{_describe(secret)} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        # Not chained: the decoder's error carries the whole content.
        raise SecretError(f"{_describe(secret)} is not UTF-8 text") from None
    return _find_variable(text, variable, secret, context) if is_variable else _strip_break(text)


def _find_variable(text: str, name: str, secret: FileSecret, context: Context) -> str:
    """Return what a .env file assigns to a variable, the last time that it does; of a URL, its password."""
    from dbtool.profiles.foreign.dotenv import read_assignments  # few secrets stand there
    from dbtool.profiles.foreign.urls import parse_url

    found = [assignment for assignment in read_assignments(text) if assignment.name == name]
    if not found:
        raise SecretError(f"{_describe(secret)}: it assigns nothing to {name}")
    value, may_refer = found[-1].value, found[-1].may_refer
    if "://" in value:
        try:
            # A framework's own words stand behind the ?, and mean nothing here.
            before, _, query = value.partition("?")
            said = parse_url(before if "@" not in query else value, references=may_refer)
            said = said if "password" in said else parse_url(value, references=may_refer)
            value = str(said.get("password", ""))
        except ValueError as error:
            raise SecretError(f"{_describe(secret)}: {name}: {error}") from None
    return context.expand(value) if may_refer else value


def _run_command(secret: CommandSecret, context: Context) -> str:
    import subprocess  # slow to import, and most profiles run no command

    what = _describe(secret)
    limit = context.deadline.limit(SECRET_LIMIT)
    try:
        done = subprocess.run(
            [context.expand(argument) for argument in secret.arguments],
            # Standard input may be the SQL, which is not the command's to read.
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            cwd=context.directory,
            env={**context.environment.variables, **context.told},
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        # Not chained: the exception carries what the command has printed so far.
        raise context.deadline.fail(limit, what) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "an argument holds a NUL character"
        raise SecretError(f"{what} cannot be run: {reason}") from error
    if done.returncode:
        raise SecretError(f"{what} failed with status {done.returncode}{_quote_complaint(done)}")
    try:
        return _strip_break(done.stdout.decode())
    except UnicodeDecodeError:
        raise SecretError(f"{what} printed something that is not UTF-8 text") from None


def _quote_complaint(done: CompletedProcess[bytes]) -> str:
    """Return the last line that a failed command said about itself, without what it printed: that is the secret."""
    complaint = done.stderr.decode(errors="replace").strip()
    printed = done.stdout.decode(errors="replace")
    for secret in sorted({printed.strip(), *map(str.strip, printed.splitlines())}, key=len, reverse=True):
        complaint = complaint.replace(secret, "***") if secret else complaint
    lines = complaint.splitlines()
    return f": {one_line(scrub(lines[-1]))[:_QUOTED_LIMIT]}" if lines else ""


def _ask_keyring(secret: KeyringSecret, context: Context) -> str:
    service, _, user = context.expand(secret.entry).rpartition("/")

    def ask() -> str | None:
        # Imported here because some backends hang, or ask for a display, as soon as they are loaded.
        import keyring

        return keyring.get_password(service, user)  # type: ignore[no-any-return,unused-ignore]

    what = _describe(secret)
    try:
        value = _wait_for(ask, context.deadline, what)
    except ImportError as error:
        raise SecretError(f"{what} needs the keyring package: pip install 'dbtool[keyring]'") from error
    except (SecretError, TimedOutError):
        raise
    except Exception as error:
        raise SecretError(f"{what} cannot be had: {type(error).__name__}: {error}") from error
    if value is None:
        raise SecretError(f"{what} does not exist: keyring set {service} {user}")
    return value


_KEYRING_LIMIT = 5.0
"""Seconds that a keyring may take to say whether it is there."""


def can_keep() -> bool:
    """Say whether there is a keyring on this machine that takes passwords."""

    def look() -> bool:
        import keyring

        find: Callable[[], object] = getattr(keyring, "get_keyring", lambda: None)
        return float(getattr(find(), "priority", 1.0)) > 0

    try:
        return _wait_for(look, Deadline(at=time.monotonic() + _KEYRING_LIMIT), "the keyring")
    except Exception:  # whatever is wrong with it, it keeps nothing
        return False


def keep_in_keyring(entry: str, text: str, deadline: Deadline) -> None:
    """Put a secret into the platform's keyring, in place of what the entry holds. Raises SecretError."""
    service, _, user = entry.rpartition("/")

    def keep() -> bool:
        import keyring

        keyring.set_password(service, user, text)
        return True

    try:
        _wait_for(keep, deadline, "the keyring")
    except ImportError as error:
        raise SecretError("the keyring package is missing: pip install 'dbtool[keyring]'") from error
    except (SecretError, TimedOutError):
        raise
    except Exception as error:
        raise SecretError(f"the keyring does not take the password: {type(error).__name__}: {error}") from error


def _wait_for(work: Callable[[], T], deadline: Deadline, what: str) -> T:
    """Run something that may hang in a thread that is left behind if it does."""
    limit = deadline.limit(SECRET_LIMIT)
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="dbtool-secret", daemon=True)
    thread.start()
    thread.join(limit)
    if errors:
        raise errors[0]
    if not results:
        raise deadline.fail(limit, what)
    return results[0]


def _strip_break(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")
