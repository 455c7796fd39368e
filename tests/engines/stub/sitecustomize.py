"""Adds an engine to a process that has this directory on its path: by its places, and its line in the table."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import dbtool.dialects
import dbtool.engines

_HERE = Path(__file__).parent

dbtool.dialects.__path__.append(str(_HERE / "dialects"))
dbtool.engines.__path__.append(str(_HERE / "engines"))
STUB: dbtool.dialects.Dialect = import_module("dbtool.dialects.stub").STUB
dbtool.dialects.DIALECTS[STUB.name] = STUB
