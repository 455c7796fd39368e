"""Turn a profile as written into what an engine opens: references, secrets and foreign files resolved."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dbtool.dialects import DIALECTS
from dbtool.environment import Environment
from dbtool.errors import ProfileError, SecretError
from dbtool.profiles.active.unchecked import split_host
from dbtool.profiles.checks.schema import PROFILE_KEYS, KeyKind
from dbtool.profiles.checks.values import check_host, convert
from dbtool.profiles.files import object_to_owner
from dbtool.profiles.foreign.urls import parse_url
from dbtool.profiles.model import Common, Profile, Target
from dbtool.profiles.paths import MEMORY, NOWHERE, Scope, anchor
from dbtool.profiles.references import expand
from dbtool.profiles.secrets import Context, Deadline, fetch_secret

_LOOPBACK = "127.0.0.1"
_TEXT_KEYS = tuple(
    key.name for key in PROFILE_KEYS.values() if key.references and key.kind in {KeyKind.TEXT, KeyKind.HOST}
)
_TABLE_KEYS = frozenset(key.name for key in PROFILE_KEYS.values() if key.kind is KeyKind.SETTINGS)
_PATH_KEYS = tuple(key.name for key in PROFILE_KEYS.values() if key.kind is KeyKind.PATH)
_DEFAULTS = {name: Profile.default_of(name) for name in Profile.field_names()}


def resolve(
    profile: Profile,
    environment: Environment,
    *,
    deadline: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Target:
    """Return what an engine opens; `deadline` is on the clock's scale and bounds every secret.

    Raises ProfileError, SecretError, or TimedOutError once the deadline has passed.
    """
    return _Resolution(profile, environment, Deadline(at=deadline, clock=clock)).run()


class _Resolution:
    """One profile on its way to a target: `values` gathers what it says, then what fills its gaps."""

    def __init__(self, profile: Profile, environment: Environment, deadline: Deadline) -> None:
        self.profile = profile
        self.environment = environment
        self.deadline = deadline
        self.dialect = DIALECTS[profile.engine]
        argument = profile.origin.scope is Scope.ARGUMENT
        self.directory = environment.working_directory if argument else profile.origin.file.parent
        self.secret = profile.password
        self.values: dict[str, Any] = {}

    def run(self) -> Target:
        """Take the steps in order: the profile's own keys, its URL, foreign files, defaults, the password."""
        self._take_own()
        if self.profile.contained:
            self._refuse_foreign_file()
        if self.profile.url is not None:
            self._take_url(self.profile.url)
        if "service" in self.values:
            from dbtool.profiles.foreign.service import read_service  # few profiles name one

            self._fill(read_service(self.values["service"], self.environment))
        if "option_file" in self.values:
            self._take_option_file(Path(self.values["option_file"]))
        if "database" in self.dialect.keys:
            self._fill_defaults()
        if "service" in self.dialect.keys:
            self._fill_libpq()
        self._check_places()
        self._take_password()
        return self._build()

    def _take_own(self) -> None:
        for key in (*_TEXT_KEYS, *_PATH_KEYS):
            written = getattr(self.profile, key)
            if written is not None and key != "url":
                self.values[key] = self._finish(key, self._expand(key, written), self.directory)
        for key in ("tls", "connect_timeout", "port", "target_session_attrs", "encoding"):
            value = getattr(self.profile, key)
            if key in self.profile.stated or value != _DEFAULTS[key]:
                self.values[key] = value
        for key in ("on_connect", "restart"):
            self.values[key] = tuple(self._expand(key, text) for text in getattr(self.profile, key))
        for key in _TABLE_KEYS:
            said = {name: self._expand(key, text) for name, text in getattr(self.profile, key)}
            self.values[key] = self._anchor_paths(said, self.directory)

    def _refuse_foreign_file(self) -> None:
        """Refuse an untrusted project's SQLite file that another user may have written. Raises ProfileError."""
        path = Path(self.values["path"])
        objection = object_to_owner(path, self.environment, below=self.directory)
        if objection:
            raise ProfileError(
                f"profile {self.profile.name!r} {self.profile.why_never_written}; until then {path} is not read: "
                f"{objection}"
            )

    def _take_url(self, written: str) -> None:
        """Lay what a URL says, once its variables are known, over what the profile inherits."""
        whole = written.startswith("${")
        try:
            if whole:
                said = parse_url(self._expand("url", written), references=False)
            else:
                said = {key: self._expand_part(part) for key, part in parse_url(written, references=True).items()}
            if said.pop("engine") != self.profile.engine:
                raise ValueError(f"is not a URL of {self.profile.engine}")
            for key, value in said.items():
                if key in _TABLE_KEYS:
                    self.values[key] = {**self.values[key], **self._read(key, value, self.directory)}
                else:
                    self.values[key] = self._read(key, value, self.directory)
            if "password" in said:
                self.secret = None
        except ValueError as error:
            raise self._blame("url", str(error)) from None

    def _expand_part(self, part: Any) -> Any:
        if isinstance(part, dict):
            return {name: self._expand("url", text) for name, text in part.items()}
        return self._expand("url", part) if isinstance(part, str) else part

    def _fill(self, said: Mapping[str, Any]) -> None:
        """Take from another tool's file what the profile leaves open."""
        placed = "host" in self.values or "socket" in self.values
        for key in _TABLE_KEYS & said.keys():
            self.values[key] = {**self._read(key, said[key], self.environment.working_directory), **self.values[key]}
        for key, value in said.items():
            if key in self.values or (placed and key in {"host", "socket"}) or value == "":
                continue
            try:
                self.values[key] = self._read(key, value, self.environment.working_directory)
            except ValueError as error:
                raise self._blame(key, str(error)) from None

    def _take_option_file(self, path: Path) -> None:
        """Take what an option file says; what it has run on connecting comes before the profile's own."""
        from dbtool.profiles.foreign.optionfile import read_option_file  # nor one of these

        said = read_option_file(path, self.profile.engine, self.values.get("option_suffix", ""))
        self._fill({key: value for key, value in said.values.items() if key != "on_connect"})
        self.values["on_connect"] = (*said.values.get("on_connect", ()), *self.values["on_connect"])
        self.values["passed_over"] = said.passed_over

    def _read(self, key: str, value: Any, directory: Path) -> Any:
        """Give text from outside the profile the type of its key. Raises ValueError."""
        if key not in PROFILE_KEYS or PROFILE_KEYS[key].kind in {
            KeyKind.TEXT,
            KeyKind.HOST,
            KeyKind.PATH,
            KeyKind.SECRET,
        }:
            return self._finish(key, value, directory)
        if PROFILE_KEYS[key].kind is KeyKind.INTEGER and isinstance(value, str):
            if not (value.isascii() and value.isdigit()):
                raise ValueError(f"the {key} is not a number")
            value = int(value)
        converted = convert(PROFILE_KEYS[key], value)
        return self._anchor_paths(dict(converted), directory) if key in _TABLE_KEYS else converted

    def _anchor_paths(self, said: Mapping[str, str], directory: Path) -> dict[str, str]:
        """Return parameters of the client library in which each path is absolute."""
        home = self.environment.home
        return {
            name: str(anchor(text, directory=directory, home=home)) if name in self.dialect.passed_paths else text
            for name, text in said.items()
        }

    def _finish(self, key: str, text: str, directory: Path) -> str:
        if key not in _PATH_KEYS or text == MEMORY:
            return text
        return str(anchor(text, directory=directory, home=self.environment.home))

    def _fill_defaults(self) -> None:
        """Say what a client library would otherwise choose by itself, so that every engine means the same."""
        if "socket" not in self.values:
            self.values.setdefault("host", _LOOPBACK)
        self.values.setdefault("port", self.dialect.default_port)
        if "user" not in self.values:
            self.values["user"] = _name_login(self.environment)

    def _fill_libpq(self) -> None:
        """Fill in the two variables that may speak; an untrusted project's server gets nothing of the user's."""
        variables = self.environment.variables
        self.values.setdefault("database", self.values["user"])
        own = variables.get("PGPASSFILE")
        passfile = self.environment.working_directory / own if own else self.environment.home / ".pgpass"
        if not self.profile.trusted:
            self.values["passfile"] = NOWHERE
            kept = {"PGPASSWORD": bool(variables.get("PGPASSWORD")), str(passfile): passfile.exists()}
            if self.secret is None:
                self.values["withheld"] = tuple(name for name, is_there in kept.items() if is_there)
            return
        if variables.get("PGPASSWORD"):
            self.values.setdefault("password", variables["PGPASSWORD"])
        self.values.setdefault("passfile", str(passfile))

    def _check_places(self) -> None:
        """Refuse a socket among hosts and a host among sockets: variables and other tools' files have spoken by now."""
        try:
            if "host" in self.values:
                self._split_ports(check_host(self.values["host"]))
        except ValueError as error:
            raise self._blame("host", str(error)) from None
        # libpq cuts this at commas as well, and the directory of a profile's file may hold one.
        if "service" in self.dialect.keys and "," in self.values.get("socket", ""):
            raise self._blame("socket", "has a comma in its path, where the client library begins another host")

    def _split_ports(self, hosts: str) -> None:
        """Take hosts and ports apart; one without a port of its own has the profile's."""
        places = [split_host(host) for host in hosts.split(",")]
        ports = tuple(int(port) if port else self.values["port"] for _, port in places)
        if all(not port for _, port in places):
            return
        self.values |= {"host": ",".join(host for host, _ in places), "port": ports[0]}
        if len(set(ports)) > 1:
            self.values["ports"] = ports

    def _take_password(self) -> None:
        if self.secret is None:
            return
        context = Context(
            environment=self.environment,
            directory=self.directory,
            expand=lambda text: self._expand("password", text),
            told=self._tell_command(),
            deadline=self.deadline,
        )
        try:
            self.values["password"] = fetch_secret(self.secret, context)
        except SecretError as error:
            raise SecretError(f"{self._place('password')}: {error}") from error

    def _tell_command(self) -> dict[str, str]:
        keys = {"DBTOOL_HOST": "host", "DBTOOL_USER": "user", "DBTOOL_PORT": "port", "DBTOOL_DATABASE": "database"}
        said = {name: self.values.get(key) for name, key in keys.items()}
        said["DBTOOL_HOST"] = said["DBTOOL_HOST"] or self.values.get("socket")
        return {name: str(value) for name, value in said.items() if value is not None}

    def _expand(self, key: str, text: str) -> str:
        try:
            return expand(text, self.environment.variables)
        except LookupError as error:
            raise self._blame(key, f"the variable {error.args[0]} is not set") from None

    def _blame(self, key: str, reason: str) -> ProfileError:
        return ProfileError(f"{self._place(key)}: {reason}")

    def _place(self, key: str) -> str:
        return f"{self.profile.origin}: profile {self.profile.name!r}: {key}"

    def _build(self) -> Target:
        common = {name: getattr(self.profile, name) for name in Common.field_names()}
        known = set(Target.field_names())
        tables = {key: tuple(self.values[key].items()) for key in _TABLE_KEYS}
        return Target(**common | {key: value for key, value in self.values.items() if key in known} | tables)


def _name_login(environment: Environment) -> str | None:
    """Return the name of the operating system's user, who logs in where no user is named."""
    for variable in ("LOGNAME", "USER", "USERNAME"):
        if environment.variables.get(variable):
            return environment.variables[variable]
    if os.name == "nt":
        return None
    import pwd  # exists on Unix only

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return None
