"""The questions of `dbtool profile add` on a terminal: where the database is, and who connects."""

from __future__ import annotations

from typing import Any

from dbtool.cli.profile.passwords import PasswordRequest
from dbtool.cli.profile.settings import read_setting
from dbtool.cli.terminal.questions import Questions
from dbtool.dialects import DIALECTS, Dialect
from dbtool.environment import Environment
from dbtool.profiles.checks.schema import PROFILE_KEYS
from dbtool.profiles.foreign.urls import parse_url
from dbtool.profiles.model import TlsLevel
from dbtool.profiles.paths import MEMORY, anchor, is_url
from dbtool.scrubbing import scrub

_PLACES = ("none", "keyring", "env", "file", "command", "plain")


def ask_settings(environment: Environment, questions: Questions) -> dict[str, Any]:
    """Return a profile's keys, asked one by one; a URL answers most of them at once."""
    kind = questions.ask(f"engine ({', '.join(DIALECTS)}) or a URL", choices=tuple(DIALECTS), check=_check_engine)
    while not kind:
        kind = questions.ask("engine", choices=tuple(DIALECTS), check=_check_engine)
    if is_url(kind):
        return {"url": kind}
    dialect = DIALECTS[kind]
    settings = {"engine": kind}
    if "path" in dialect.keys:
        return settings | _ask_file(environment, questions)
    return settings | _ask_server(questions, dialect) | _ask_guard(questions)


def ask_password(questions: Questions) -> PasswordRequest:
    """Return where the password is to be kept."""
    place = questions.ask(f"password from ({', '.join(_PLACES)})", default="none", choices=_PLACES, check=_check_place)
    match place:
        case "keyring":
            return PasswordRequest(keyring=True)
        case "env":
            return PasswordRequest(env=_insist(questions, "environment variable"))
        case "file":
            return PasswordRequest(file=_insist(questions, "password file"))
        case "command":
            return PasswordRequest(command=_insist(questions, "command that prints it"))
        case "plain":
            return PasswordRequest(plain=True)
    return PasswordRequest()


def _ask_file(environment: Environment, questions: Questions) -> dict[str, Any]:
    path = _insist(questions, "SQLite file")
    if path == MEMORY:
        return {"path": path}
    place = anchor(path, directory=environment.working_directory, home=environment.home)
    settings: dict[str, Any] = {"path": path if path.startswith("~") else str(place)}
    if not place.exists() and questions.confirm(f"{place} does not exist: create it at the first use?"):
        settings["create"] = True
    return settings


def _ask_server(questions: Questions, dialect: Dialect) -> dict[str, Any]:
    asked = {
        "host": questions.ask("host", default="127.0.0.1", check=lambda text: read_setting("host", text)),
        "port": questions.ask("port", default=str(dialect.default_port), check=lambda text: read_setting("port", text)),
        "database": questions.ask("database", check=lambda text: read_setting("database", text)),
        "user": questions.ask("user", check=lambda text: read_setting("user", text)),
    }
    if asked["port"] == str(dialect.default_port):
        asked["port"] = ""
    levels = tuple(level.value for level in TlsLevel)
    tls = questions.ask("tls", default="prefer", choices=levels, check=lambda text: read_setting("tls", text))
    asked["tls"] = "" if tls == "prefer" else tls
    return {key: read_setting(key, text) for key, text in asked.items() if text}


def _ask_guard(questions: Questions) -> dict[str, Any]:
    return {"protected": True} if questions.confirm(PROFILE_KEYS["protected"].description[:-1] + "?") else {}


def _insist(questions: Questions, label: str) -> str:
    while not (answer := questions.ask(label)):
        pass
    return answer


def _check_engine(text: str) -> None:
    if is_url(text):
        parse_url(text, references=True)
    elif text not in DIALECTS:
        raise ValueError(f"{scrub(text)!r} is neither a URL nor one of {', '.join(DIALECTS)}")


def _check_place(text: str) -> None:
    if text not in _PLACES:
        raise ValueError(f"{scrub(text)!r} is not one of {', '.join(_PLACES)}")
