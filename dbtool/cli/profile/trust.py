"""What `dbtool profile trust` does: show what is being approved, ask, and record exactly that."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from dbtool.cli.terminal.console import Console
from dbtool.cli.terminal.listing import print_listing, text_columns
from dbtool.cli.terminal.questions import Questions, is_interactive
from dbtool.environment import Environment
from dbtool.errors import GuardError
from dbtool.profiles import load_catalog
from dbtool.profiles.files import SourceFile
from dbtool.profiles.foreign.urls import parse_url
from dbtool.profiles.references import REFERENCE
from dbtool.profiles.trust.record import TrustPlan, plan_trust, record_trust

_MASK = "********"


def trust_files(environment: Environment, *, yes: bool) -> None:
    """Show the project's profiles and what they refer to, and trust them; raises GuardError where that is declined."""
    plan = plan_trust(environment, load_catalog(environment).sources)
    console = Console(environment)
    for line in describe_plan(plan):
        console.note(line)
    if not yes and is_interactive(environment) and not Questions(environment, console).confirm("Trust all of this?"):
        raise GuardError("the project was not trusted")
    record_trust(environment, plan)
    print_listing(environment, text_columns("trusted"), [(str(path),) for path in plan.paths], format_name="value")


def describe_plan(plan: TrustPlan) -> Iterator[str]:
    """Yield every profile's keys, what is covered and what is not, and what has changed; nothing acts on a terminal."""
    for source in plan.files:
        yield from _describe_file(source)
    if plan.pin is not None:
        yield f"{_quote(str(plan.pin.path))} names {_quote(plan.pin.name)}"
    for name in plan.covered:
        yield f"covered too: {_quote(name)}"
    for name, reason in plan.uncovered:
        yield f"not covered: {_quote(name)}: {_quote(reason)}"
    for what, name in plan.changes:
        yield f"{what} since it was trusted: {_quote(name)}"


def _describe_file(source: SourceFile) -> Iterator[str]:
    yield _quote(str(source.path))
    if source.error:
        yield f"  {_quote(source.error)}"
    for name, value in (source.table or {}).items():
        if name not in {"profiles", "queries"} or not isinstance(value, dict):
            yield f"  {_quote(name)} = {_quote(value)}"
    for name, table in source.profiles.items():
        yield f"  profile {_quote(name)}"
        for key, value in table.items() if isinstance(table, dict) else ():
            yield f"    {_quote(key)} = {_quote(_mask(key, value))}"
    for name, table in source.queries.items():
        yield f"  query {_quote(name)}"
        for key, value in table.items() if isinstance(table, dict) else (("", table),):
            # A statement's lines, one below the other, as they would be run.
            yield from (f"    {_quote(key)} = {_quote(line)}" for line in str(value).split("\n"))


def _mask(key: str, value: Any) -> Any:
    """Hide a password that is written out; a reference to one is what has to be seen."""
    if key == "password" and isinstance(value, str):
        return _name_variables(value)
    if key != "url" or not isinstance(value, str):
        return value
    try:
        said: Mapping[str, Any] = parse_url(value, references=True)
    except ValueError:
        return _name_variables(value)
    return {name: _mask(name, part) for name, part in said.items()}


def _name_variables(text: str) -> str:
    """Return the variables that a text reads, without their defaults and what stands between them."""
    names = [f"${{{match['name']}}}" for match in REFERENCE.finditer(text) if match["name"]]
    return " ".join([_MASK, *names])


def _quote(value: Any) -> str:
    """Spell a value in ASCII alone: nothing in it moves a cursor, turns a line around or cannot be seen."""
    return json.dumps(value, default=str).replace("\x7f", "\\u007f")
