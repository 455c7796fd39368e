"""The questions of `dbtool profile add` on a terminal: what it is called, where it is, who connects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from dbtool.cli.profile.passwords import PasswordRequest
from dbtool.cli.profile.settings import read_setting
from dbtool.cli.terminal.questions import GoBackError, Questions
from dbtool.dialects import DIALECTS, Dialect
from dbtool.environment import Environment
from dbtool.profiles.active.unchecked import split_host
from dbtool.profiles.changes.editing import is_clear
from dbtool.profiles.checks.schema import PROFILE_KEYS
from dbtool.profiles.foreign.urls import parse_url
from dbtool.profiles.model import TlsLevel
from dbtool.profiles.paths import MEMORY, anchor, is_path, is_url
from dbtool.profiles.secrets import can_keep
from dbtool.records import Record
from dbtool.scrubbing import scrub

_PLACES = ("none", "keyring", "env", "file", "command", "plain")
_LABELS = {"env": "environment variable", "file": "password file", "command": "command that prints it"}


class _Step(Record):
    """One question, and whether what was answered so far leads to it."""

    ask: Callable[[], None]
    applies: Callable[[], bool]


class Interview:
    """Asks for a profile, each answer being the default of its question when that is asked again."""

    def __init__(
        self, environment: Environment, questions: Questions, *, name: str | None, check_name: Callable[[str], object]
    ) -> None:
        self._environment = environment
        self._questions = questions
        self._check_name = check_name
        self._given_name = name
        self._answers: dict[str, str] = {}
        self._port_is_known = False

    @property
    def name(self) -> str:
        """The profile's name."""
        return self._given_name or self._answers["name"]

    @property
    def settings(self) -> dict[str, Any]:
        """The profile's keys, as a file spells them."""
        kind = self._answers["engine"]
        if is_url(kind):
            return {"url": kind}
        dialect, said = self._dialect, self._answers
        if "path" in dialect.keys:
            create = {"create": True} if self._may_create() and said.get("create") == "y" else {}
            return {"engine": dialect.name, "path": self._spell_path(), **create}
        default = {"port": str(dialect.default_port), "tls": TlsLevel.PREFER.value}
        keys = ("host", "port", "database", "user", "tls")
        written = {key: said[key] for key in keys if said.get(key) and said[key] != default.get(key)}
        guard = {"protected": True} if said.get("protected") == "y" else {}
        return {"engine": dialect.name, **{key: read_setting(key, text) for key, text in written.items()}, **guard}

    @property
    def password(self) -> PasswordRequest:
        """Where the password is to be kept."""
        place = self._answers.get("password", "none") if self._takes_password() else "none"
        return make_request(place, self._answers.get(place, ""))

    def run(self) -> None:
        """Ask all that has to be known; `<` goes back to the question before."""
        self._questions.explain("Enter takes what stands in [ ], and < goes back to the question before.")
        steps, number = list(self._list_steps()), 0
        while number < len(steps):
            if not steps[number].applies():
                number += 1
                continue
            try:
                steps[number].ask()
                number += 1
            except GoBackError:
                number = max((before for before in range(number) if steps[before].applies()), default=number)

    def keep_name(self) -> None:
        """Take the name as settled: the profile has been written once."""
        self._given_name = self.name

    def _list_steps(self) -> Iterator[_Step]:
        yield _Step(ask=self._ask_name, applies=lambda: self._given_name is None)
        yield _Step(ask=self._ask_engine, applies=lambda: True)
        yield _Step(ask=self._ask_path, applies=lambda: self._is_file() and not is_path(self._answers["engine"]))
        yield _Step(ask=self._ask_to_create, applies=self._may_create)
        yield _Step(ask=self._ask_host, applies=self._is_server)
        yield _Step(ask=self._ask_port, applies=lambda: self._is_server() and not self._port_is_known)
        yield _Step(ask=lambda: self._ask_key("database"), applies=self._is_server)
        yield _Step(ask=lambda: self._ask_key("user"), applies=self._is_server)
        yield _Step(ask=self._ask_tls, applies=self._is_server)
        yield _Step(ask=self._ask_guard, applies=self._is_server)
        yield _Step(ask=self._ask_password, applies=self._takes_password)
        for place in _LABELS:
            yield _Step(ask=partial(self._ask_place, place), applies=partial(self._is_in, place))

    def _ask(self, key: str, label: str, default: str = "", **more: Any) -> str:
        self._answers[key] = self._questions.ask(label, default=self._answers.get(key, default), **more)
        return self._answers[key]

    def _insist(self, key: str, label: str, **more: Any) -> None:
        while not self._ask(key, label, **more):
            pass

    def _ask_yes_or_no(self, key: str, label: str) -> None:
        self._answers[key] = "y" if self._questions.confirm(label, default=self._answers.get(key) == "y") else "n"

    def _ask_name(self) -> None:
        self._insist("name", "name", check=self._check_name)

    def _ask_engine(self) -> None:
        names = tuple(DIALECTS)
        if is_url(self._answers.get("engine", "")):  # not shown as a default: it may hold a password
            del self._answers["engine"]
        self._insist("engine", f"engine ({', '.join(names)}) or a URL", choices=names, check=_check_engine)

    @property
    def _dialect(self) -> Dialect:
        kind = self._answers["engine"]
        return DIALECTS["sqlite" if is_path(kind) else kind]

    def _is_file(self) -> bool:
        return not is_url(self._answers["engine"]) and "path" in self._dialect.keys

    def _is_server(self) -> bool:
        return not is_url(self._answers["engine"]) and "path" not in self._dialect.keys

    def _ask_path(self) -> None:
        self._insist("path", "SQLite file")

    def _find_path(self) -> str:
        kind = self._answers["engine"]
        return kind if is_path(kind) else self._answers["path"]

    def _spell_path(self) -> str:
        path = self._find_path()
        if path == MEMORY or path.startswith("~"):
            return path
        return str(anchor(path, directory=self._environment.working_directory, home=self._environment.home))

    def _may_create(self) -> bool:
        if not self._is_file() or self._find_path() == MEMORY:
            return False
        directory, home = self._environment.working_directory, self._environment.home
        return not anchor(self._find_path(), directory=directory, home=home).exists()

    def _ask_to_create(self) -> None:
        self._ask_yes_or_no("create", f"{self._spell_path()} does not exist: create it at the first use?")

    def _ask_host(self) -> None:
        answer = self._ask("host", "host", "127.0.0.1", check=lambda text: read_setting("host", text))
        host, port = split_host(answer)
        self._port_is_known = bool(port) and "," not in answer
        if self._port_is_known:
            self._answers |= {"host": host, "port": port}

    def _ask_port(self) -> None:
        self._ask_key("port", str(self._dialect.default_port))

    def _ask_key(self, key: str, default: str = "") -> None:
        self._ask(key, key, default, check=lambda text: read_setting(key, text))

    def _ask_tls(self) -> None:
        levels = tuple(level.value for level in TlsLevel)
        self._ask("tls", "tls", TlsLevel.PREFER.value, choices=levels, check=lambda text: read_setting("tls", text))

    def _ask_guard(self) -> None:
        self._ask_yes_or_no("protected", PROFILE_KEYS["protected"].description[:-1] + "?")

    def _takes_password(self) -> bool:
        kind = self._answers["engine"]
        if not is_url(kind):
            return "password" in self._dialect.keys
        said = parse_url(kind, references=True) if not kind.startswith("${") else {}
        password = said.get("password")
        # A reference in it says where the password is.
        return "password" in DIALECTS[said.get("engine", "postgresql")].keys and (
            password is None or is_clear(password)
        )

    def _ask_password(self) -> None:
        self._answers["password"] = ask_place(
            self._questions, in_url=is_url(self._answers["engine"]) and _has_password(self._answers["engine"])
        )

    def _is_in(self, place: str) -> bool:
        return self._takes_password() and self._answers.get("password") == place

    def _ask_place(self, place: str) -> None:
        self._insist(place, _LABELS[place])


def make_request(place: str, where: str) -> PasswordRequest:
    """Return what an answer says about the password."""
    match place:
        case "keyring":
            return PasswordRequest(keyring=True)
        case "env":
            return PasswordRequest(env=where)
        case "file":
            return PasswordRequest(file=where)
        case "command":
            return PasswordRequest(command=where)
        case "plain":
            return PasswordRequest(plain=True)
    return PasswordRequest()


def ask_place(questions: Questions, *, in_url: bool) -> str:
    """Ask where the password is to be kept; one that was typed in a URL is kept unless told otherwise."""
    default = "none" if not in_url else "keyring" if can_keep() else "plain"
    label = "keep the URL's password in" if in_url else "password from"
    return questions.ask(f"{label} ({', '.join(_PLACES)})", default=default, choices=_PLACES, check=_check_place)


def ask_for_request(questions: Questions) -> PasswordRequest:
    """Return where the password of a URL is to be kept, which an option gave."""
    place = ask_place(questions, in_url=True)
    where = ""
    while place in _LABELS and not where:
        where = questions.ask(_LABELS[place])
    return make_request(place, where)


def _has_password(url: str) -> bool:
    return not url.startswith("${") and "password" in parse_url(url, references=True)


def _check_engine(text: str) -> None:
    if is_url(text):
        parse_url(text, references=True)
    elif text not in DIALECTS and not is_path(text):
        raise ValueError(f"{scrub(text)!r} is neither a URL nor one of {', '.join(DIALECTS)}")


def _check_place(text: str) -> None:
    if text not in _PLACES:
        raise ValueError(f"{scrub(text)!r} is not one of {', '.join(_PLACES)}")
