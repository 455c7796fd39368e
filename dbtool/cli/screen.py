"""How wide the terminal is that a person reads notes on."""

from __future__ import annotations

import os

from dbtool.environment import Environment

_OTHERWISE = 100


def stderr_columns(environment: Environment) -> int:
    """Return the columns of the terminal behind stderr; 100 where there is none."""
    if not environment.stderr_is_terminal:
        return _OTHERWISE
    try:
        return os.get_terminal_size(environment.stderr.fileno()).columns or _OTHERWISE
    except (OSError, ValueError):  # the caller gave a stream that is no file
        return _OTHERWISE
