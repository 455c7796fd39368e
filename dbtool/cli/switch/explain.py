"""What `dbtool current --explain` does."""

from __future__ import annotations

import time

from dbtool.cli.terminal.console import Console
from dbtool.cli.terminal.listing import print_listing, text_columns
from dbtool.environment import Environment
from dbtool.errors import ProfileError
from dbtool.profiles import Catalog, Rule, RuleReport, State, explain, load_catalog, read_state
from dbtool.profiles.active.rules import say_how_to_begin
from dbtool.profiles.paths import is_path, is_url
from dbtool.profiles.state import read_shell_switch
from dbtool.result import Row
from dbtool.text import spell_time


def explain_current(environment: Environment, *, flag: str | None, config: str | None, format_name: str | None) -> None:
    """Print what every rule says, the one that won marked; raises ProfileError when none did."""
    state = read_state(environment)
    catalog = load_catalog(environment, config=config, state=state)
    now = time.time()
    reports = explain(environment, catalog, state, flag=flag, clock=lambda: now)
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
    print_listing(environment, text_columns("won rule says source note"), rows, format_name=format_name)
    if state.warning:
        Console(environment).warn(state.warning)
    _require_winner(reports, catalog)


def _require_winner(reports: tuple[RuleReport, ...], catalog: Catalog) -> None:
    decided = next((report for report in reports if report.says or report.refusal), None)
    if decided is None:
        raise ProfileError(say_how_to_begin(catalog.sources))
    if decided.refusal:
        raise ProfileError(decided.refusal)
    if decided.names_profile and decided.says not in catalog.names():
        raise ProfileError(decided.blame(f"no profile is named {decided.says!r}"))


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
