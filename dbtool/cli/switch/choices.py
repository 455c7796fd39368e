"""The profiles to switch to: as a listing, or as a list that a person filters by typing."""

from __future__ import annotations

from dbtool.cli.terminal.console import Console
from dbtool.cli.terminal.listing import print_listing, text_columns
from dbtool.environment import Environment
from dbtool.errors import ProfileError
from dbtool.profiles import Catalog, State, explain
from dbtool.profiles.active.rules import NO_PROFILE_YET
from dbtool.result import Row


def can_pick(environment: Environment, *, captured: bool) -> bool:
    """Say whether a person can pick; stdout may only be `captured` where its reader is a shell's eval."""
    on_terminal = environment.stdin_is_terminal and environment.stderr_is_terminal
    return on_terminal and (captured or environment.stdout_is_terminal)


def list_choices(environment: Environment, catalog: Catalog, state: State, *, format_name: str | None) -> None:
    """Print the profiles, the active one marked."""
    active = find_active(environment, catalog, state)
    rows: list[Row] = [
        (
            "*" if entry.name == active else "",
            entry.name,
            entry.engine,
            entry.where,
            "protected" if entry.protected else "",
        )
        for entry in catalog.entries()
    ]
    print_listing(environment, text_columns("active name engine where guard"), rows, format_name=format_name)
    if not rows:
        Console(environment).note(NO_PROFILE_YET)


def find_active(environment: Environment, catalog: Catalog, state: State) -> str | None:
    """Return the name of the active profile, None where no rule names one."""
    reports = explain(environment, catalog, state, flag=None)
    return next((report.shown for report in reports if report.won), None)


def pick(environment: Environment, catalog: Catalog, state: State) -> str:
    """Return the profile that a person picks; raises ProfileError without any, InterruptedByUserError without one."""
    from dbtool.cli.switch.picker import Option, Picker  # brings prompt_toolkit, for a terminal alone

    choices = [
        Option(
            name=entry.name,
            remark=f"{entry.engine or ''} {entry.where}".strip(),
            style=_style(entry.protected, entry.color),
        )
        for entry in catalog.entries()
        if entry.problem is None
    ]
    if not choices:
        broken = "no profile can be used: dbtool profile list says why"
        raise ProfileError(broken if catalog.names() else f"there is {NO_PROFILE_YET}")
    return Picker(environment, choices, active=find_active(environment, catalog, state)).run()


def _style(protected: bool, color: str | None) -> str:
    return "ansired bold" if protected else f"ansi{color}" if color else ""
