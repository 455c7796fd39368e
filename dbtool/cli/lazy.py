"""Commands that are imported and built when they are named, and not before; and how each reads its line.

Typer builds every command of an app before it looks at the arguments, and evaluates the annotation
of every option to do so: 20 ms for commands that nobody has asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from copy import copy
from functools import partial
from importlib import import_module
from typing import TypeAlias, cast

import typer
from typer._click.core import Command
from typer._click.exceptions import NoSuchOption
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command_from_info, get_command_name, get_group
from typer.models import CommandInfo

from dbtool.errors import UsageError

Builder: TypeAlias = Callable[[], TyperCommand | TyperGroup]

_DURATION = "DURATION"
_FORMS_OF_DURATION = (
    f"{_DURATION} is a number with its unit, as in 250ms, 30s, 5m or 1h30m; a number alone counts seconds."
)


class _ExactReader(Command):
    """Refuses an option that is given twice, and says what an option of other programs is called here."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Read the arguments; raises UsageError."""
        try:
            # Read once more below: that one keeps nothing of an option but its last value.
            _refuse_repeated(self.make_parser(ctx).parse_args(args=[*args])[2])
            return super().parse_args(ctx, args)
        except NoSuchOption as error:
            from dbtool.cli.habits import explain_option  # for this error alone

            names = [name for parameter in self.params for name in parameter.opts]
            meant = explain_option(ctx.command_path.split()[1:], error.option_name, names)
            if meant is None:
                raise
            raise UsageError(f"there is no option {error.option_name}: {meant}") from error


def _refuse_repeated(given: Iterable[object]) -> None:
    seen = set[str]()
    for option in given:
        if isinstance(option, TyperOption) and not option.multiple and not option.is_flag:
            name = max(option.opts, key=len)
            if name in seen:
                raise UsageError(f"{name} is given twice, and takes one value: say it once")
            seen.add(name)


class ExactCommand(_ExactReader, TyperCommand):
    """A command that does all that its line says, or nothing."""


class LazyGroup(_ExactReader, TyperGroup):  # type: ignore[misc] # a group takes fewer types of context
    """A group that holds a builder for each command; `commands` builds them all."""

    def __init__(self, **attributes: object) -> None:
        self._builders: dict[str, Builder] = {}
        self._built: dict[str, TyperCommand | TyperGroup] = {}
        super().__init__(**attributes)  # type: ignore[arg-type] # as Typer calls it

    def add_builders(self, builders: Mapping[str, Builder]) -> None:
        """Take the builders of the commands, in the order in which help lists them."""
        self._builders.update(builders)

    @property
    def commands(self) -> dict[str, Command]:
        """Every command, built."""
        return {name: self._build(name) for name in self._builders}

    @commands.setter
    def commands(self, _given: MutableMapping[str, Command]) -> None:
        """Take none: the group's commands are those that it has builders for."""

    def _build(self, name: str) -> TyperCommand | TyperGroup:
        if name not in self._built:
            command = self._builders[name]()
            command.name = name
            self._built[name] = command
        return self._built[name]

    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002 - Typer's signature
        """Return the names in order, building nothing."""
        return list(self._builders)

    def get_command(self, ctx: object, cmd_name: str) -> TyperCommand | TyperGroup | None:  # noqa: ARG002
        """Build the command called `cmd_name`."""
        return self._build(cmd_name) if cmd_name in self._builders else None

    def resolve_command(  # type: ignore[override]
        self, ctx: typer.Context, args: list[str]
    ) -> tuple[str | None, Command | None, list[str]]:
        """Find the command that is named; `help` shows its help, and what is no command is explained."""
        name, *rest = args
        if name in self._builders:
            return super().resolve_command(ctx, args)
        if name == "help" and not rest:
            typer.echo(ctx.get_help())
            ctx.exit()
        if name == "help":
            return super().resolve_command(ctx, [*rest, "--help"])
        from dbtool.cli.habits import explain_command  # for this error alone

        meant = explain_command(ctx.command_path.split()[1:], name, list(self._builders))
        if meant is not None:
            raise UsageError(meant)
        return super().resolve_command(ctx, args)


def build_group(app: typer.Typer) -> LazyGroup:
    """Return the group of an app whose class is LazyGroup, with its registered commands still to be built."""
    bare = copy(app)
    bare.registered_commands = []
    group = cast("LazyGroup", _finish(cast("LazyGroup", get_group(bare))))
    for info in app.registered_commands:
        if info.callback is not None:
            group.add_builders({info.name or get_command_name(info.callback.__name__): partial(_build, app, info)})
    return group


def _build(app: typer.Typer, info: CommandInfo) -> TyperCommand:
    if info.cls is TyperCommand:
        info = copy(info)
        info.cls = ExactCommand
    command = get_command_from_info(info, pretty_exceptions_short=True, rich_markup_mode=app.rich_markup_mode)
    return cast("TyperCommand", _finish(cast("TyperCommand", command)))


def _finish(command: TyperCommand | TyperGroup) -> TyperCommand | TyperGroup:
    """Have a command's help break its lines where the screen does, and say what a duration is if it takes one."""
    paragraphs = (command.help or "").split("\n\n")
    command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    if any(getattr(parameter, "metavar", None) == _DURATION for parameter in command.params):
        command.epilog = f"{_FORMS_OF_DURATION}\n\n{command.epilog or ''}"
    return command


def build_from(module: str, attribute: str = "app") -> TyperCommand | TyperGroup:
    """Import a module and build the command, or the group, that its Typer app holds."""
    app: typer.Typer = getattr(import_module(module), attribute)
    return build_group(app) if app.info.cls is LazyGroup else _build(app, app.registered_commands[0])
