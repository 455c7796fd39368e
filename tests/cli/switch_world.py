"""A user with a few profiles and a state directory, who runs switch and current."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.cli.running import Completed, run_inside, surroundings

PROFILES = """
[profiles.base]
engine = "sqlite"
path = "a.db"

[profiles.prod]
extends = "base"
protected = true

[profiles.staging]
extends = "base"
color = "cyan"

[profiles.ci]
extends = "base"
"""


class SwitchWorld:
    """A home directory that outlives a command."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.project = home / "src" / "shop"
        self.project.mkdir(parents=True)
        self.state = home / "state" / "dbtool" / "state.json"
        self.write_user(PROFILES)

    def write_user(self, text: str) -> Path:
        """Write the user's own profiles."""
        path = self.home / "config" / "dbtool" / "profiles.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(self, *arguments: str, **variables: str) -> Completed:
        """Run a command in the project."""
        return run_inside(*arguments, environment=self.variables(variables), cwd=self.project)

    def variables(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return this user's variables; `more` win."""
        return surroundings(self.home, {"SHELL": "/bin/bash", **(more or {})})

    def current(self, **variables: str) -> str:
        """Return the active profile's name."""
        done = self.run("current", **variables)
        assert done.status == 0, done.err
        return done.text.strip()
