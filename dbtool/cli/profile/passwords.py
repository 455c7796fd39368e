"""Where a new profile's password is kept: a reference, the keyring, or, only if asked for, the file itself."""

from __future__ import annotations

import shlex
from typing import Any

from dbtool.cli.terminal.console import Console, read_hidden
from dbtool.cli.terminal.questions import is_interactive
from dbtool.environment import Environment
from dbtool.errors import UsageError
from dbtool.profiles.changes.editing import is_clear, quote_literal
from dbtool.profiles.secrets import Deadline, keep_in_keyring
from dbtool.records import Record


class PasswordRequest(Record):
    """What the caller said about the password."""

    keyring: bool = False
    env: str | None = None
    file: str | None = None
    command: str | None = None
    plain: bool = False

    @property
    def is_silent(self) -> bool:
        """Say whether nothing was said."""
        return self == PasswordRequest()


class PasswordPlan(Record):
    """What the profile says about its password, and what has to go into the keyring first."""

    _concealed = frozenset({"written", "secret"})

    written: Any = None
    entry: str | None = None
    secret: str | None = None

    def carry_out(self) -> None:
        """Put the password where the profile will look for it. Raises SecretError."""
        if self.entry is not None and self.secret is not None:
            keep_in_keyring(self.entry, self.secret, Deadline())


def plan_password(
    environment: Environment, console: Console, name: str, request: PasswordRequest, *, given: str | None
) -> PasswordPlan:
    """Decide about a password; `given` stood in a URL. Raises UsageError."""
    reference = _find_reference(request)
    if given is not None and not is_clear(given):
        if reference is not None or request.keyring:
            raise UsageError("the URL says where the password is, and so does an option: say it in one of the two")
        return PasswordPlan(written=given)
    if reference is not None:
        if given is not None:
            console.note("the URL's password is left out: the profile looks for it where the option says")
        return PasswordPlan(written=reference)
    if request.keyring:
        return plan_keyring(name, given or _read_password(environment, name))
    if request.plain:
        return PasswordPlan(written=quote_literal(given or _read_password(environment, name)))
    if given is not None:
        raise UsageError(
            "the URL holds a password, which would stand in the file in the clear: pass --password-keyring, "
            "--password-env NAME, --password-file PATH or --password-command COMMAND, or --plain to have it there"
        )
    return PasswordPlan()


def plan_keyring(name: str, secret: str) -> PasswordPlan:
    """Return the plan to keep a profile's password in the keyring."""
    entry = f"dbtool/{name}"
    return PasswordPlan(written={"keyring": entry}, entry=entry, secret=secret)


def _find_reference(request: PasswordRequest) -> dict[str, Any] | None:
    """Return the reference that the options make, as a file spells it. Raises UsageError for two."""
    said: dict[str, Any] = {"env": request.env, "file": request.file, "command": request.command}
    given = {key: value for key, value in said.items() if value is not None}
    if len(given) + request.keyring + request.plain > 1:
        raise UsageError("the password can be kept in one place only: pass one of the --password options, or --plain")
    if "command" in given:
        try:
            given["command"] = shlex.split(given["command"])
        except ValueError as error:
            raise UsageError(f"--password-command: {error}") from None
    return given or None


def _read_password(environment: Environment, name: str) -> str:
    """Ask for the password, or read one line of standard input. Raises UsageError for an empty one."""
    if is_interactive(environment):
        text = read_hidden(f"password of {name}")
    else:
        text = environment.stdin.readline().decode("utf-8", "replace").rstrip("\r\n")
    if not text:
        raise UsageError("there is no password: type one, or give it on standard input")
    return text
