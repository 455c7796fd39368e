"""What `dbtool current` does when it is asked for more than a name."""

from __future__ import annotations

import time
from dataclasses import dataclass

import typer

from dbtool.cli.console import Console
from dbtool.cli.exits import ExitStatus
from dbtool.cli.lines import write_text
from dbtool.cli.listing import print_listing, text_columns
from dbtool.cli.segment import PROMPT_SHELLS, render_segment
from dbtool.environment import Environment
from dbtool.errors import ProfileError, UsageError
from dbtool.profiles import Catalog, Rule, RuleReport, State, explain, load_catalog, read_state
from dbtool.profiles.active import Surroundings, find_current, is_path, is_url, say_how_to_begin
from dbtool.profiles.look import find_look
from dbtool.profiles.shell import read_shell_switch
from dbtool.result import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentRequest:
    """What the caller said about which profiles count, and how to print."""

    profile: str | None = None
    config: str | None = None
    format_name: str | None = None


def print_current(environment: Environment, request: CurrentRequest) -> None:
    """Print the active profile's name; raises ProfileError when there is none."""
    surroundings = Surroundings(environment=environment, config=request.config)
    name = find_current(surroundings, flag=request.profile)
    write_text(environment, f"{name}\n")
    warn_of_state(environment, surroundings.warning)


def print_segment(environment: Environment, request: CurrentRequest, shell: str) -> None:
    """Print a piece of a prompt, or nothing where no profile is active: a prompt is no place to say why."""
    if shell not in PROMPT_SHELLS:
        raise UsageError(f"--prompt {shell!r}: write bash, zsh or plain")
    surroundings = Surroundings(environment=environment, config=request.config)
    try:
        name = find_current(surroundings, flag=request.profile)
        look = find_look(surroundings.sources, name)
    except ProfileError as error:
        raise typer.Exit(ExitStatus.USAGE) from error
    write_text(environment, render_segment(name, look, shell))


def explain_current(environment: Environment, request: CurrentRequest) -> None:
    """Print what every rule says, the one that won marked; raises ProfileError when none did."""
    state = read_state(environment)
    catalog = load_catalog(environment, config=request.config, state=state)
    now = time.time()
    reports = explain(environment, catalog, state, flag=request.profile, clock=lambda: now)
    rows: list[Row] = [
        (
            "*" if report.won else "",
            report.rule.value,
            report.shown or "",
            report.source,
            _annotate(environment, report, catalog, state, now),
        )
        for report in reports
    ]
    print_listing(environment, text_columns("won rule says source note"), rows, format_name=request.format_name)
    warn_of_state(environment, state.warning)
    _require_winner(environment, reports, catalog)


def _require_winner(environment: Environment, reports: tuple[RuleReport, ...], catalog: Catalog) -> None:
    decided = next((report for report in reports if report.says or report.refusal), None)
    if decided is None:
        raise ProfileError(say_how_to_begin(environment, catalog.sources))
    if decided.refusal:
        raise ProfileError(decided.refusal)


def _annotate(environment: Environment, report: RuleReport, catalog: Catalog, state: State, now: float) -> str:
    """Say what there is to know about what a rule says: a refusal, a missing profile, a time limit."""
    if report.refusal:
        return report.refusal
    said = report.says
    given = report.rule in {Rule.FLAG, Rule.VARIABLE}
    if said and said not in catalog.names() and not (given and (is_url(said) or is_path(said))):
        return "there is no such profile"
    until = None
    if report.rule is Rule.SWITCHED and state.switch:
        until = state.switch.until
    elif report.rule is Rule.VARIABLE:
        until = read_shell_switch(environment.variables).until
    if until is None:
        return ""
    return f"until {spell_time(until)}" if now < until else f"ran out at {spell_time(until)}"


def spell_time(epoch: float) -> str:
    """Write a time of day as people here read it, with the date where it is another day."""
    local = time.localtime(epoch)
    form = "%H:%M:%S" if local[:3] == time.localtime()[:3] else "%Y-%m-%d %H:%M:%S"
    return time.strftime(form, local)


def warn_of_state(environment: Environment, warning: str | None) -> None:
    """Say that what is remembered could not be read."""
    if warning:
        Console(environment).warn(warning)
