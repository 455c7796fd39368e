"""A group of commands that are imported and built when they are named, and not before.

Typer builds every command of an app before it looks at the arguments, and evaluates the annotation
of every option to do so: 20 ms for commands that nobody has asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from copy import copy
from functools import partial
from importlib import import_module
from typing import TypeAlias, cast

import typer
from typer._click.core import Command
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_command_from_info, get_command_name, get_group

Builder: TypeAlias = Callable[[], TyperCommand | TyperGroup]


class LazyGroup(TyperGroup):
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


def build_group(app: typer.Typer) -> LazyGroup:
    """Return the group of an app whose class is LazyGroup, with its registered commands still to be built."""
    bare = copy(app)
    bare.registered_commands = []
    group = cast("LazyGroup", get_group(bare))
    for info in app.registered_commands:
        if info.callback is not None:
            name = info.name or get_command_name(info.callback.__name__)
            build = partial(
                get_command_from_info, info, pretty_exceptions_short=True, rich_markup_mode=app.rich_markup_mode
            )
            group.add_builders({name: cast("Builder", build)})
    return group


def build_from(module: str, attribute: str = "app") -> TyperCommand | TyperGroup:
    """Import a module and build the command, or the group, that its Typer app holds."""
    app: typer.Typer = getattr(import_module(module), attribute)
    is_group = app.info.cls is LazyGroup
    return build_group(app) if is_group else cast("TyperCommand", get_command(app))
