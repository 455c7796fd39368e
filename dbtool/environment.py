"""What surrounds a command: its streams, variables and directories, as one value.

Floor 6 builds one and passes it down, so that nothing below reads the process and a command can be
run inside another process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from dbtool.records import Record

TYPE_CHECKING = False  # every command pays for what is imported here
if TYPE_CHECKING:
    from typing import BinaryIO, TextIO


NO_HOME = Path(os.devnull) / "(no home directory: set HOME)"
"""The home of a user whom the system does not know, as in many containers: nothing is there, nor can be made there.

An error that shows a path in it says what to do.
"""


def say_nothing(_text: str) -> None:
    """Keep a warning from a library's user, in a prompt and behind the Tab key."""


class Environment(Record):
    """The surroundings of one command.

    `stdin` and `stdout` carry bytes, `stderr` text for people. The `*_is_terminal` flags were asked
    of the real streams once. `config_directory` and `state_directory` are dbtool's own, on this platform.
    `warn` tells people of what was found on the way, once per command however often it is found.
    """

    _concealed = frozenset({"variables", "warn"})

    variables: Mapping[str, str]
    working_directory: Path
    home: Path
    config_directory: Path
    state_directory: Path
    stdin: BinaryIO
    stdout: BinaryIO
    stderr: TextIO
    stdin_is_terminal: bool = False
    stdout_is_terminal: bool = False
    stderr_is_terminal: bool = False
    warn: Callable[[str], None] = say_nothing
