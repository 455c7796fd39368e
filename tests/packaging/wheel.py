"""Build the wheel, install it where nothing else is, and use it as a newcomer does: `python -m tests.packaging.wheel`.

The checkout is left out of every path, and so is everything that only development needs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
_DEVELOPMENT = ("pytest", "hypothesis", "mypy", "ruff", "importlinter", "sqlalchemy", "matplotlib")
_SHARED = (
    "share/bash-completion/completions/dbtool",
    "share/zsh/site-functions/_dbtool",
    "share/fish/vendor_completions.d/dbtool.fish",
)
_ABSENT = f"""
import importlib.util, sys
found = [name for name in {_DEVELOPMENT!r} if importlib.util.find_spec(name)]
sys.exit(f"the wheel brings what only development needs: {{found}}" if found else 0)
"""
_PACKAGE = """
import dbtool, pathlib, sys
home = pathlib.Path(dbtool.__file__).parent
assert home.is_relative_to(sys.prefix), home
assert (home / "py.typed").is_file(), "py.typed is missing"
with dbtool.open_pool("sqlite:///shop.db") as db:
    assert db.execute_sql("select count(*) from customers").fetchone()[0] > 0
"""


class WheelError(Exception):
    """What is wrong with the wheel."""


def main() -> int:
    """Check the wheel and say so; return the exit status."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            for done in _check(Path(scratch)):
                print(f"wheel: {done}", flush=True)  # noqa: T201 - a command for people
        except WheelError as error:
            print(f"wheel: {error}", file=sys.stderr)  # noqa: T201
            return 1
    return 0


def _check(scratch: Path) -> Iterator[str]:
    home, prefix = scratch / "home", scratch / "prefix"
    home.mkdir()
    wheel = _build(scratch)
    yield f"built {wheel.name}"
    venv.create(prefix, with_pip=True)
    programs = prefix / "bin"
    run = _Runner(home, programs)
    run([programs / "pip", "install", "--quiet", "--disable-pip-version-check", wheel])
    yield "installed, with nothing but its dependencies"
    for path in _SHARED:
        if not (prefix / path).is_file():
            raise WheelError(f"{path} is not installed")
    yield "completions are where the shells look for them"
    run([programs / "python", "-P", "-c", _ABSENT])
    for command in ([programs / "dbtool"], [programs / "python", "-m", "dbtool"]):
        run([*command, "--version"], expected="dbtool ")
        run([*command, "query", "--help"], expected="Examples:")
    run(["dbtool", "query", "-p", "sqlite:///shop.db?mode=rwc", "-f", CHECKOUT / "profiles" / "demo.sql"])
    run(
        ["dbtool", "query", "-p", "./shop.db", "-F", "csv", "select name, country from customers where id = 1"],
        expected="name,country\nAda Lovelace,GB\n",
    )
    run(["dbtool", "profile", "add", "shop", "--engine", "sqlite", "--path", home / "shop.db"])
    run(["dbtool", "switch", "shop"], expected="shop\n")
    run(["dbtool", "current"], expected="shop\n")
    run(["dbtool", "query", "-q", "select count(*) as n from orders", "--expect-rows", "1", "--result", "none"])
    run(["dbtool", "completions", "bash"], expected="dbtool")
    # On a busy machine so short a load may leave a thread without its turns: the verdict may be 5, the table is there.
    load = ["--duration", "200ms", "--warm-up", "50ms", "--threads", "2", "--hold", "1ms"]
    run(["dbtool", "pool-bench", "-q", *load], expected="dbtool", statuses=(0, 5))
    yield "queries, switches, completes and loads a pool"
    run([programs / "python", "-P", "-c", _PACKAGE])
    yield "is a library, with its types"


def _build(scratch: Path) -> Path:
    directory = scratch / "wheels"
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run([*command, "-w", directory, CHECKOUT], capture_output=True, text=True, check=False)
    if done.returncode:
        raise WheelError(f"cannot be built: {done.stderr.strip()}")
    (wheel,) = directory.glob("dbtool-*.whl")
    return wheel


class _Runner:
    """Runs commands with a home of their own and nothing of the tester's surroundings."""

    def __init__(self, home: Path, programs: Path) -> None:
        self._home = home
        # pip alone needs to know where packages come from.
        inherited = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "HTTP"))}
        path = f"{programs}:/usr/bin:/bin"
        self._variables: Mapping[str, str] = {**inherited, "PATH": path, "HOME": str(home), "LC_ALL": "C.UTF-8"}

    def __call__(self, command: Sequence[str | Path], *, expected: str = "", statuses: Sequence[int] = (0,)) -> None:
        """Run a command that has to end with one of some statuses, and whose output has to hold something."""
        done = subprocess.run(
            command,
            cwd=self._home,
            env=self._variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        words = " ".join(str(word) for word in command)[:200]
        if done.returncode not in statuses:
            raise WheelError(f"{words}: status {done.returncode}: {done.stderr.strip()}")
        if expected not in done.stdout:
            raise WheelError(f"{words}: printed {done.stdout!r}, without {expected!r}")


if __name__ == "__main__":
    sys.exit(main())
