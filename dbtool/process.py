"""The process as an `Environment`: the one place that reads its streams, variables and directories."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from dbtool.environment import Environment

APPLICATION = "dbtool"


def process_environment() -> Environment:
    """Return this process's surroundings."""
    from platformdirs import user_config_path, user_state_path  # noqa: PLC0415 - earned only when called

    return Environment(
        variables=dict(os.environ),
        working_directory=Path.cwd(),
        home=Path.home(),
        config_directory=user_config_path(APPLICATION, appauthor=False),
        state_directory=user_state_path(APPLICATION, appauthor=False),
        stdin=_binary(sys.stdin, 0, "rb"),
        stdout=_binary(sys.stdout, 1, "wb"),
        stderr=sys.stderr,
        stdin_is_terminal=_is_terminal(sys.stdin),
        stdout_is_terminal=_is_terminal(sys.stdout),
        stderr_is_terminal=_is_terminal(sys.stderr),
    )


def _binary(stream: TextIO | None, descriptor: int, mode: str) -> BinaryIO:
    """Return the raw bytes behind a text stream; a stream that was closed at the start reads and writes nothing."""
    if stream is None:
        return cast("BinaryIO", Path(os.devnull).open(mode, buffering=0))
    if mode == "wb":
        return cast("BinaryIO", os.fdopen(descriptor, mode, buffering=0, closefd=False))
    return stream.buffer


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def forget_libpq_variables() -> None:
    """Take every PG* variable out of this process, so that libpq reads none behind a profile's back.

    Some (PGHOSTADDR, PGSERVICE, PGTZ) have no setting that could be passed to overrule them. The
    `Environment` was made before and keeps them for what a profile may use.
    """
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]
