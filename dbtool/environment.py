"""What surrounds a command: its streams, variables and directories, as one value.

Floor 6 builds one and passes it down, so that nothing below reads the process and a command can be
run inside another process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TextIO


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The surroundings of one command.

    `stdin` and `stdout` carry bytes, `stderr` text for people. The `*_is_terminal` flags were asked
    of the real streams once. `config_directory` and `state_directory` are dbtool's own, on this platform.
    """

    variables: Mapping[str, str] = field(repr=False)
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
