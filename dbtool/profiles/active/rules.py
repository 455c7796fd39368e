"""Which profile is active: six rules in order, each asked only if none before it answered.

Kept light, because `dbtool current` stands in prompts: nothing here validates a profile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from functools import cached_property

from dbtool.environment import Environment
from dbtool.errors import ProfileError, UsageError
from dbtool.profiles.discover import PROFILE_NAME, Pin, Sources, find_pin, read_sources
from dbtool.profiles.paths import Scope, is_connection_string, is_mistyped_url, is_path, is_url
from dbtool.profiles.state import SHELL_PROFILE, SHELL_UNTIL, State, read_shell_switch, read_state
from dbtool.records import Record
from dbtool.scrubbing import scrub
from dbtool.text import make_visible


class Rule(Enum):
    """What may say which profile is active, the strongest first."""

    FLAG = "--profile"
    VARIABLE = "DBTOOL_PROFILE"
    PIN = ".dbtool-profile"
    SWITCHED = "dbtool switch"
    DEFAULT = "default"
    ONLY = "the only profile"


class RuleReport(Record):
    """What one rule says here: a profile, nothing, or why it may not say what it says."""

    _concealed = frozenset({"says"})

    rule: Rule
    source: str
    """The option, variable, command or file and line that speaks."""
    says: str | None = None
    """A profile's name, or a URL or path; a URL's password is masked in `shown`."""
    file: str | None = None
    """The file whose profile was switched to; None where a name means whatever has it."""
    refusal: str | None = None
    won: bool = False

    @property
    def shown(self) -> str | None:
        """Return what the rule says, fit to be printed."""
        return name_argument(self.says) if self.says else None

    @property
    def names_profile(self) -> bool:
        """Say whether it says a profile's name, and not a URL or a path."""
        return self.says is not None and PROFILE_NAME.fullmatch(self.says) is not None

    def blame(self, fault: str) -> str:
        """Return what is wrong with the profile that it names, with who names it and, for a switch, the way out."""
        cure = ""
        if self.file is not None:
            fault += f"; it was switched to as the one of {self.file}"
        if self.rule is Rule.SWITCHED:
            cure = "; switch to one that exists with `dbtool switch NAME`, or to none with `dbtool switch --unset`"
        elif self.file is not None:
            cure = "; switch this shell to one that exists with `dbtool switch NAME --shell`, or unset DBTOOL_PROFILE"
        return fault if self.rule is Rule.FLAG else f"{self.source}: {fault}{cure}"


def require_one(named: Sequence[str] | None) -> str | None:
    """Return the profile that `--profile` names, if it does. Raises UsageError where it was given more than once."""
    if named is None or len(named) < 2:
        return named[0] if named else None
    names = ", ".join(make_visible(name_argument(name)) for name in named)
    raise UsageError(f"--profile is given {len(named)} times ({names}), and one profile is used: run it for each")


def name_argument(argument: str) -> str:
    """Return what a profile given as an argument is called: a URL loses its password and parameters."""
    if is_mistyped_url(argument):
        return "a mistyped URL"
    if not is_url(argument):
        return argument
    if is_connection_string(argument):
        return _name_connection_string(argument)
    shown = scrub(argument, mask="")
    scheme, separator, rest = shown.partition("://")
    if not separator:  # no scheme that dbtool knows: what stands before the host may all be a password
        return shown
    before, at, place = rest.rpartition("@")
    return f"{scheme}://{before.partition(':')[0]}{at}{place.partition('?')[0]}"


def _name_connection_string(argument: str) -> str:
    """Return what of a connection string says where it leads, and as whom."""
    from dbtool.profiles.foreign.urls import read_connection_string  # few profiles are one

    try:
        said = dict(read_connection_string(argument))
    except ValueError:
        return "a connection string"
    words = [
        f"{name}={said[name]}" for name in ("service", "host", "hostaddr", "port", "user", "dbname") if name in said
    ]
    return " ".join(words) or "a connection string"


def current_name(
    environment: Environment,
    *,
    flag: str | None = None,
    config: str | None = None,
    clock: Callable[[], float] = time.time,
) -> str:
    """Return the name of the active profile, reading no file that the answer does not need.

    It need not be a valid profile. Raises ProfileError when no rule names one, or one that does not exist here.
    """
    return find_current(Surroundings(environment=environment, config=config, clock=clock), flag=flag)


def find_current(surroundings: Surroundings, *, flag: str | None = None) -> str:
    """Return the name of the active profile as `current_name` does, for a caller with surroundings of its own."""
    for report in weigh(surroundings, flag=flag):
        if report.refusal:
            raise ProfileError(report.refusal)
        if report.shown:
            _require_known(surroundings, report)
            return make_visible(report.shown)
    raise ProfileError(say_how_to_begin(surroundings.sources))


def _require_known(surroundings: Surroundings, report: RuleReport) -> None:
    """Refuse a name that whatever uses the profile would refuse because no profile has it. Raises ProfileError."""
    if not report.names_profile:
        return
    try:
        files = surroundings.sources.files
    except ProfileError:  # too much for a prompt to read
        return
    known = {name for source in files for name in source.profiles}
    if report.says not in known and not any(source.error for source in files):
        from dbtool.profiles.problems import suggest  # a name is mostly right

        raise ProfileError(report.blame(f"no profile is named {report.says!r}{suggest(report.says or '', known)}"))


class Surroundings:
    """What the rules look at, each read at its first use."""

    def __init__(
        self,
        *,
        environment: Environment,
        config: str | None = None,
        sources: Sources | None = None,
        state: State | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.environment = environment
        self.now = clock()
        self._config = config
        self._sources = sources
        self._state = state

    @cached_property
    def sources(self) -> Sources:
        """Every file that counts."""
        return self._sources or read_sources(self.environment, config=self._config, state=self.state, brief=True)

    @cached_property
    def state(self) -> State:
        """What is remembered between commands."""
        return self._state or read_state(self.environment)

    @property
    def warning(self) -> str | None:
        """What is wrong with the state, if a rule had to look at it."""
        state: State | None = self.__dict__.get("state")
        return state.warning if state else None

    @property
    def pin(self) -> Pin | None:
        """The nearest pin, found without reading a profile."""
        return self._sources.pin if self._sources else find_pin(self.environment, config=self._config)


def weigh(surroundings: Surroundings, *, flag: str | None) -> Iterator[RuleReport]:
    """Yield what each rule says, in order; the first that says or refuses something decides."""
    for report in map(_refuse_odd_name, _ask_each(surroundings, flag)):
        yield _refuse_stranger(surroundings, report)


def _ask_each(surroundings: Surroundings, flag: str | None) -> Iterator[RuleReport]:
    yield _ask_flag(flag)
    yield _ask_variables(surroundings)
    yield _ask_pin(surroundings)
    name, file = surroundings.state.switched(surroundings.now)
    yield RuleReport(rule=Rule.SWITCHED, source="dbtool switch", says=name, file=file)
    yield _ask_default(surroundings.sources)
    yield _ask_only(surroundings.sources)


def _refuse_odd_name(report: RuleReport) -> RuleReport:
    """Let no rule say what can be no profile's name: it would be printed, and may hold a terminal's commands."""
    said = report.says
    if said is None or PROFILE_NAME.fullmatch(said):
        return report
    if report.rule in {Rule.FLAG, Rule.VARIABLE} and (is_url(said) or is_path(said) or is_mistyped_url(said)):
        return report
    return report.replaced(
        says=None,
        refusal=f"{report.source}: {scrub(said)!a} is no profile's name: it has letters, digits, - and _, at most 64",
    )


def _refuse_stranger(surroundings: Surroundings, report: RuleReport) -> RuleReport:
    """Let no name lead to a server that a stranger's project names; `--profile` is an act of one's own."""
    name = report.says
    if name is None or report.rule is Rule.FLAG or not report.names_profile:
        return report
    try:
        sources = surroundings.sources
    except ProfileError:  # too much for a prompt to read: whatever uses the profile reads it all, and judges then
        return report
    source = next((source for source in sources.files if name in source.profiles), None)
    if source is None:
        return report
    is_bound_to_another = report.file is not None and str(source.path) != report.file
    if sources.is_trusted(source) and not is_bound_to_another:
        return report
    from dbtool.profiles.active.unchecked import find_elsewhere  # most projects are trusted

    host = find_elsewhere(sources, name)
    refusal = None
    if is_bound_to_another:
        leads = f"which connects to {host}" if host else "of this machine"
        shell = " --shell" if report.rule is Rule.VARIABLE else ""
        refusal = (
            f"{report.source}: {name!r} was switched to as the one of {report.file}, and here it is another's, of "
            f"{source.path}, {leads}: run `dbtool switch {name}{shell}` here if you mean that one, or pass --profile "
            f"{name}"
        )
    elif host is not None:
        refusal = (
            f"{report.source}: needs trust: {name!r} of {source.path} connects to {host}, which is not this "
            f"machine: look at the file, then run `dbtool profile trust` there, or pass --profile {name}"
        )
    return report if refusal is None else report.replaced(says=None, refusal=refusal)


NO_PROFILE_YET = (
    "no profile yet: make one with `dbtool profile add`, take over those of other programs with `dbtool profile import`"
)


def say_how_to_begin(sources: Sources) -> str:
    """Return the error for when no rule names a profile."""
    names = {name for source in sources.files for name in source.profiles}
    given = "--profile postgresql://user@host/database or --profile ./file.db"
    if not names:
        return f"there is {NO_PROFILE_YET}, or pass {given}"
    return (
        f"none of the {len(names)} profiles is active: pass --profile NAME, set DBTOOL_PROFILE, run "
        '`dbtool switch NAME`, name one in a .dbtool-profile file, write default = "NAME" at the top of a profiles '
        f"file, or pass {given}"
    )


def _ask_flag(flag: str | None) -> RuleReport:
    # An empty --profile is a script's unset variable: falling through would reach another database.
    refusal = "--profile is empty: name a profile, a URL or an SQLite file" if flag == "" else None
    return RuleReport(rule=Rule.FLAG, source="--profile", says=flag or None, refusal=refusal)


def _ask_variables(surroundings: Surroundings) -> RuleReport:
    """Ask DBTOOL_PROFILE, and those beside it in a shell that was switched for a time."""
    try:
        shell = read_shell_switch(surroundings.environment.variables)
    except ValueError as error:
        return RuleReport(rule=Rule.VARIABLE, source=SHELL_UNTIL, refusal=f"{SHELL_UNTIL}: {error}")
    variable = shell.variable_at(surroundings.now)
    said, file = shell.read(variable)
    return RuleReport(rule=Rule.VARIABLE, source=variable or SHELL_PROFILE, says=said, file=file)


def _ask_pin(surroundings: Surroundings) -> RuleReport:
    pin = surroundings.pin
    if pin is None:
        return RuleReport(rule=Rule.PIN, source=".dbtool-profile")
    source = f"{pin.path}:{pin.line}"
    if pin.name is None:
        fault = f"{source}: holds no profile's name: write one name, of letters, digits, - and _, on a line"
        return RuleReport(rule=Rule.PIN, source=source, refusal=fault)
    if not _may_pin(pin, surroundings):
        return RuleReport(rule=Rule.PIN, source=source, refusal=_refuse(source, pin.name))
    return RuleReport(rule=Rule.PIN, source=source, says=pin.name)


def _may_pin(pin: Pin, surroundings: Surroundings) -> bool:
    if surroundings.state.pins.get(str(pin.path)) == pin.digest:
        return True
    sources = surroundings.sources
    return sources.pin_trusted or pin.name in sources.names_in(Scope.PROJECT)


def _ask_default(sources: Sources) -> RuleReport:
    speakers = [source for source in sources.files if "default" in (source.table or {})]
    if not speakers:
        return RuleReport(rule=Rule.DEFAULT, source='default = "NAME"')
    from dbtool.profiles.locate import locate  # a stronger rule mostly answers first

    # A stranger's file says what counts only where the user's own says nothing.
    speakers = [source for source in speakers if sources.is_trusted(source)] or speakers
    speaker = speakers[0]
    place = f"{speaker.path}:{locate(speaker.text).get(('default',), 1)}"
    name = (speaker.table or {})["default"]
    rival = next((other for other in speakers[1:] if other.scope is speaker.scope), None)
    refusal = None
    if not isinstance(name, str) or not name:
        refusal = f"{place}: default: must be a profile's name"
    elif rival:
        refusal = f"{place}: default: {rival.path} sets one too: keep one of the two"
    elif not sources.is_trusted(speaker) and name not in sources.names_in(Scope.PROJECT):
        refusal = _refuse(f"{place}: default", name)
    return RuleReport(rule=Rule.DEFAULT, source=place, says=None if refusal else name, refusal=refusal)


def _ask_only(sources: Sources) -> RuleReport:
    names = {name: source for source in reversed(sources.files) for name in source.profiles}
    if len(names) != 1:
        return RuleReport(rule=Rule.ONLY, source=f"{len(names)} profiles")
    ((name, source),) = names.items()
    return RuleReport(rule=Rule.ONLY, source=str(source.path), says=name)


def _refuse(source: str, name: str) -> str:
    return (
        f"{source}: needs trust: it names {scrub(name)!r}, which is not a profile of this project: look at the file, "
        "then run `dbtool profile trust` here, or pass --profile"
    )
