"""What a stranger's project may say: literal values that stay inside it.

Until the exact content of a project's files is recorded, nobody gets a password, a file or a command
run because somebody typed `dbtool query` in a clone.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from dbtool.profiles.checks.schema import Key, KeyKind, Trust
from dbtool.profiles.checks.values import walk_strings
from dbtool.profiles.discover import Sources
from dbtool.profiles.files import SourceFile
from dbtool.profiles.paths import MEMORY, Scope, anchor, is_inside
from dbtool.profiles.references import has_reference
from dbtool.records import Record


class TrustCheck(Record):
    """Finds what needs trust in one file of a project that has none."""

    source: SourceFile
    sources: Sources
    home: Path

    @property
    def project(self) -> Path:
        """The project's directory."""
        return self.sources.project or self.source.path.parent

    def object_to_profile(self, name: str) -> str | None:
        """Return why a profile as a whole may not be used."""
        if name in self._own_names:
            return self.ask("it would replace your own profile of that name")
        if not self._is_inside:
            return self.ask("its file is a link to outside the project")
        return None

    @cached_property
    def _own_names(self) -> frozenset[str]:
        return self.sources.names_in(Scope.USER)

    @cached_property
    def _is_inside(self) -> bool:
        return is_inside(self.source.path, self.project)

    def object_to_value(self, key: Key, value: Any) -> str | None:
        """Return why a value may not be used."""
        if any(has_reference(text) for text in walk_strings(value)):
            return self.ask("it reads a variable of yours")
        if key.kind is KeyKind.SECRET and not isinstance(value, str):
            return self.ask("it refers to a secret")
        if key.trust is Trust.NEVER:
            return self.ask(f"it uses {key.name}")
        if key.trust is Trust.INSIDE and isinstance(value, str) and self._leaves(value):
            return self.ask("its path leads outside the project")
        return None

    def ask(self, reason: str) -> str:
        """Return an objection together with its cure."""
        seen = (
            "the project's files have changed since you trusted them"
            if self.sources.project_changed
            else "look at them"
        )
        return f"needs trust: {reason}: {seen}; run `dbtool profile trust` in {self.project} if they are right"

    def _leaves(self, written: str) -> bool:
        if written == MEMORY or "\0" in written:
            return False
        return not is_inside(anchor(written, directory=self.source.path.parent, home=self.home), self.project)
