"""`${VAR}` and `${VAR:-default}` in the strings of a profile; `$${` stands for a literal `${`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from dbtool.expressions import expression

REFERENCE = expression(r"\$(?P<literal>\$\{)|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\})?")
"""Matches every `${`; one that is not closed or names nothing matches without a group."""


def has_reference(text: str) -> bool:
    """Say whether text holds anything that `expand` would change."""
    return "${" in text


def find_fault(text: str) -> str | None:
    """Return what is wrong with the references in text."""
    for match in REFERENCE.finditer(text):
        if not match["literal"] and not match["name"]:
            return "has a ${ that is no ${VAR} or ${VAR:-default}; write $${ for a literal ${"
    return None


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace each reference; as in a shell, the default also stands in for an empty variable.

    Raises LookupError with the name of a variable that is not set.
    """

    def replace(match: re.Match[str]) -> str:
        if match["literal"]:
            return match["literal"]
        value, default = variables.get(match["name"]), match["default"]
        if default is not None:
            return value or default
        if value is None:
            raise LookupError(match["name"])
        return value

    return REFERENCE.sub(replace, text)
