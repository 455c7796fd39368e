"""A home directory, a project in it and the variables of one command, all made up."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

from dbtool.environment import Environment, say_nothing
from dbtool.profiles import Catalog, Choice, State, choose, load_catalog, read_state, resolve
from dbtool.profiles.model import Profile, Target
from dbtool.profiles.trust.record import plan_trust, record_trust


@dataclass(kw_only=True)
class World:
    """What surrounds the code under test; the working directory is a project inside the home directory."""

    root: Path
    variables: dict[str, str] = field(default_factory=lambda: {"USER": "ann"})

    warn: Callable[[str], None] = say_nothing

    def __post_init__(self) -> None:
        self.home = self.root / "home"
        self.project = self.home / "src" / "shop"
        self.project.mkdir(parents=True)
        self.working_directory = self.project
        self.config = self.home / ".config" / "dbtool"
        self.state = self.home / ".local" / "state" / "dbtool"

    @property
    def environment(self) -> Environment:
        return Environment(
            variables=self.variables,
            working_directory=self.working_directory,
            home=self.home,
            config_directory=self.config,
            state_directory=self.state,
            stdin=io.BytesIO(),
            stdout=io.BytesIO(),
            stderr=io.StringIO(),
            warn=self.warn,
        )

    def write(self, path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    def write_user(self, text: str) -> Path:
        """Write the user's own profiles."""
        return self.write(self.config / "profiles.toml", text)

    def write_project(self, text: str) -> Path:
        """Write the project's profiles."""
        return self.write(self.project / "dbtool.toml", text)

    def pin(self, name: str, directory: Path | None = None) -> Path:
        return self.write((directory or self.project) / ".dbtool-profile", f"{name}\n")

    def load(self, config: str | None = None) -> Catalog:
        return load_catalog(self.environment, config=config)

    def get(self, name: str) -> Profile:
        return self.load().get(name)

    def resolve(self, name: str) -> Target:
        return resolve(self.get(name), self.environment)

    def trust(self) -> tuple[Path, ...]:
        plan = plan_trust(self.environment, self.load().sources)
        record_trust(self.environment, plan)
        return plan.paths

    def read_state(self) -> State:
        return read_state(self.environment)

    def choose(self, flag: str | None = None, *, config: str | None = None, now: float = 0.0) -> Choice:
        return choose(self.environment, self.load(config), self.read_state(), flag=flag, clock=lambda: now)

    def list_problems(self) -> list[str]:
        """Return every problem without its file, as `line: profile: key: message`."""
        return [f"{problem.line}: {str(problem).partition(': ')[2]}" for problem in self.load().problems]
