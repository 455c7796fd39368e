"""What `dbtool switch` does."""

from __future__ import annotations

import time
from collections.abc import Callable

from dbtool.cli.switch.shells import Assignment, Shell, find_shell, render_script
from dbtool.cli.terminal.console import Console
from dbtool.cli.terminal.lines import write_text
from dbtool.environment import Environment
from dbtool.errors import GuardError, ProfileError, UsageError, one_line
from dbtool.profiles import Catalog, Rule, State, explain, load_catalog, read_state, update_state
from dbtool.profiles.discover import PROFILE_NAME
from dbtool.profiles.model import Profile
from dbtool.profiles.state import (
    SHELL_FALLBACK,
    SHELL_FILE,
    SHELL_PREVIOUS,
    SHELL_PROFILE,
    SHELL_UNTIL,
    ShellSwitch,
    read_shell_switch,
    split_bound,
)
from dbtool.records import Record
from dbtool.text import spell_time

_BACK = "-"
_LONGEST = 365 * 86400.0
_NOTHING = "-"
"""What DBTOOL_PROFILE_PREVIOUS says where the shell had no profile of its own: no profile is called that."""


class SwitchRequest(Record):
    """What was asked for; `seconds` is how long the switch lasts, None for good."""

    name: str | None = None
    seconds: float | None = None
    shell: str | None = None
    unset: bool = False
    confirm: str | None = None
    config: str | None = None
    format_name: str | None = None

    def check(self) -> None:
        """Refuse what contradicts itself; raises UsageError."""
        if self.unset and (self.name is not None or self.seconds is not None):
            raise UsageError("--unset switches to no profile: it takes neither a name nor --for")
        if self.seconds is not None and self.seconds < 1:
            raise UsageError("--for has to be a second at least, as in --for 15m")
        if self.seconds is not None and self.seconds > _LONGEST:
            raise UsageError("--for is a year at most: leave it out for a switch that lasts")
        if self.name == "":
            raise UsageError("the profile's name is empty")
        if self.format_name is not None and not self.asks_for_nothing:
            raise UsageError("--format is for the list of profiles, which a switch does not print")

    @property
    def asks_for_nothing(self) -> bool:
        """Say whether there is neither a profile to switch to nor --unset."""
        return self.name is None and not self.unset


class Switcher:
    """One run of the command."""

    def __init__(
        self, environment: Environment, request: SwitchRequest, *, clock: Callable[[], float] = time.time
    ) -> None:
        request.check()
        self._environment = environment
        self._request = request
        self._console = Console(environment)
        self._now = clock()
        self._state = read_state(environment)

    def run(self) -> None:
        """Switch, or list and let a person pick; raises DbtoolError."""
        if self._state.warning:
            self._console.warn(self._state.warning)
        if self._request.asks_for_nothing and not self._pick():
            return
        if self._request.shell is not None:
            self._switch_shell(find_shell(self._environment, self._request.shell))
        else:
            self._switch_for_all()

    def _pick(self) -> bool:
        """Let a person pick a profile, or list them where nobody can; say whether one was picked."""
        from dbtool.cli.switch.choices import can_pick, list_choices, pick  # a name mostly is given

        request = self._request
        if can_pick(self._environment, captured=request.shell is not None) and request.format_name is None:
            self._request = request.replaced(name=pick(self._environment, self._catalog(), self._state))
            return True
        if request.shell is not None or request.seconds is not None:
            raise UsageError("name a profile to switch to")
        list_choices(self._environment, self._catalog(), self._state, format_name=request.format_name)
        return False

    def _catalog(self) -> Catalog:
        return load_catalog(self._environment, config=self._request.config, state=self._state)

    @property
    def _until(self) -> float | None:
        seconds = self._request.seconds
        return None if seconds is None else self._now + seconds

    def _switch_for_all(self) -> None:
        catalog = self._catalog()
        target = self._find_target(catalog, self._state.previous, self._state.previous_file)
        if target is not None and target.protected and self._until is None:
            self._confirm(target.name)
        name, file = (target.name, str(target.origin.file)) if target else (None, None)
        until = self._until
        after = update_state(
            self._environment, lambda state: state.switch_to(name, now=self._now, until=until, file=file)
        )
        if name is not None:
            write_text(self._environment, f"{name}\n")
        self._report(after, catalog)

    def _find_target(self, catalog: Catalog, previous: str | None, file: str | None) -> Profile | None:
        """Return the profile to switch to, None for none; `-` means the previous one, of the file that it was of."""
        if self._request.unset:
            return None
        name = self._request.name
        if name != _BACK:
            assert name is not None  # noqa: S101 - `run` has seen to it
            return catalog.get(name)
        if previous is None:
            raise ProfileError("there is no profile to go back to: nothing was switched before; name one")
        here = next((str(source.path) for source in catalog.sources.files if previous in source.profiles), None)
        if file is not None and here != file:
            elsewhere = f", and here it is another's, of {here}" if here else ", which does not count here"
            raise ProfileError(
                f"the profile to go back to is {previous!r} of {file}{elsewhere}: name the one that you mean"
            )
        return catalog.get(previous)

    def _confirm(self, name: str) -> None:
        """Ask before a protected profile becomes what every terminal uses; raises GuardError."""
        from dbtool.actions.access import confirm_name  # only for these profiles

        console = self._console
        if confirm_name(console, name, self._request.confirm, purpose="make it the default of every terminal"):
            return
        if console.can_ask():
            raise GuardError(f"switching to the protected profile {name!r} was not confirmed")
        raise GuardError(
            f"profile {name!r} is protected: to make it the lasting default add --confirm {name}, "
            "or switch for a time (--for 15m) or in one shell (--shell)"
        )

    def _report(self, state: State, catalog: Catalog) -> None:
        """Say for how long the switch lasts, and what hides it."""
        switch = state.switch
        if switch and switch.until is not None:
            then = switch.fallback or "none"
            self._console.note(f"until {spell_time(switch.until)}, then {then}")
        reports = explain(self._environment, catalog, state, flag=None, clock=lambda: self._now)
        decided = next((report for report in reports if report.says or report.refusal), None)
        if decided is None or (decided.rule is Rule.SWITCHED and not decided.refusal):
            return
        if decided.rule is Rule.SWITCHED:
            self._console.warn(f"nothing follows the switch yet: {decided.refusal}")
        elif switch is None:
            self._console.note(f"now active: {decided.shown or 'none'} (by {decided.rule.value}: {decided.source})")
        elif decided.refusal:
            self._console.warn(f"the switch is hidden: {decided.refusal}")
        elif decided.shown != switch.name:
            self._console.warn(
                f"the switch is hidden here: {decided.source} names {decided.shown}, and is stronger than a switch"
            )

    def _switch_shell(self, shell: Shell) -> None:
        target = self._find_shell_target(self._environment.variables.get(SHELL_PREVIOUS))
        name = target.name if target else None
        script = render_script(shell, self._plan(target))
        # A file's path may hold what a terminal would obey; a shell gets it as it is.
        shown = f"{one_line(script)}\n" if self._environment.stdout_is_terminal else script
        write_text(self._environment, shown)
        if self._environment.stdout_is_terminal:
            words = name if name is not None else "--unset"
            self._console.warn(f"nothing is switched until the shell reads this: {shell.evaluate.format(words)}")
        elif self._until is not None:
            self._console.note(f"{name}, in this shell until {spell_time(self._until)}")

    def _find_shell_target(self, said: str | None) -> Profile | None:
        previous, file = split_bound(said) if said is not None else (None, None)
        if self._request.name == _BACK and previous == _NOTHING:
            return None
        if self._request.name == _BACK and previous is not None and not PROFILE_NAME.fullmatch(previous):
            raise ProfileError(f"{SHELL_PREVIOUS} holds no profile's name: set {SHELL_PROFILE} yourself")
        return self._find_target(self._catalog(), previous, file)

    def _plan(self, target: Profile | None) -> list[Assignment]:
        """Return what a shell has to set, in an order in which nothing is overwritten before it is copied."""
        variables = self._environment.variables
        name = target.name if target else None
        try:
            before = read_shell_switch(variables)
        except ValueError:
            before = read_shell_switch({key: text for key, text in variables.items() if key != SHELL_UNTIL})
        active = before.variable_at(self._now)
        plan = []
        if before.read(active)[0] != name:
            copied = _find_holder(before, active)
            plan.append(Assignment(variable=SHELL_PREVIOUS, copied=copied, text=None if active else _NOTHING))
        timed = self._until is not None and name is not None
        if timed:
            plan += [Assignment(variable=SHELL_FALLBACK, copied=_find_holder(before, before.lasting))]
        plan += [Assignment(variable=SHELL_PROFILE, text=name)]
        plan += [Assignment(variable=SHELL_FILE, text=f"{name} {target.origin.file}" if target else None)]
        if timed and self._until is not None:
            plan += [Assignment(variable=SHELL_UNTIL, text=f"{round(self._until)} {name}")]
        else:
            plan += [Assignment(variable=SHELL_UNTIL), Assignment(variable=SHELL_FALLBACK)]
        return plan


def _find_holder(shell: ShellSwitch, variable: str | None) -> str | None:
    """Return the variable to copy what another names from: the one that says the file as well, if a switch set it."""
    return SHELL_FILE if variable == SHELL_PROFILE and shell.file is not None else variable
