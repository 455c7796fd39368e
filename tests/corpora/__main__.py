"""Run scripts with dbtool and with a native client, and tell of what is different: `python -m tests.corpora -h`."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, TextIO

from tests.corpora import debian, mariadb, psql
from tests.corpora.known import TABLE, Known, find_reason, read_known
from tests.corpora.mariadb import MariaDb
from tests.corpora.outcomes import Outcome, TooLongError, compare
from tests.corpora.psql import Psql
from tests.corpora.sqlite import Sqlite
from tests.servers.installations import MARIADB, POSTGRESQL, require_on_machine
from tests.servers.mariadb import MariaDbServer
from tests.servers.postgres import PostgresServer
from tests.servers.processes import make_directory

CLIENTS = ("psql", "mariadb", "sqlite3")
_MOST_SHOWN = 5


class Pair(Protocol):
    """A native client and dbtool, and a fresh database for each script of either."""

    name: str

    def run_native(self, script: Path) -> Outcome:
        """Run a script with the native client."""

    def run_ours(self, script: Path) -> Outcome:
        """Run it with dbtool."""

    def is_own(self, statement: str) -> bool:
        """Say whether one of the two sends a statement on its own account."""


@contextlib.contextmanager
def open_pair(client: str, setup: Path | None = None) -> Iterator[Pair]:
    """Start what a client needs; `setup` is a script that the native client runs in every database before."""
    if client == "psql":
        with PostgresServer(require_on_machine(POSTGRESQL), settings=psql.LOGGING) as server:
            yield Psql(server, setup=setup)
    elif client == "sqlite3":
        directory = make_directory()
        try:
            yield Sqlite(directory / "files", setup=setup)
        finally:
            shutil.rmtree(directory)
    else:
        with MariaDbServer(require_on_machine(MARIADB), options=mariadb.LOGGING) as database_server:
            yield MariaDb(database_server, name=client, setup=setup)


def run_corpus(pair: Pair, scripts: Sequence[Path], known: Sequence[Known], out: TextIO) -> Counter[str]:
    """Run every script, write a line for each that is not the same, and return how many are what."""
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for script in scripts:
        try:
            native, ours = pair.run_native(script), pair.run_ours(script)
        except TooLongError as error:
            counts["left out"] += 1
            out.write(f"{script.name}: left out: {error}\n")
            continue
        differences = compare(native, ours, pair.is_own)
        explained = [find_reason(known, pair.name, script.name, each) for each in differences]
        new = [each for each, reason in zip(differences, explained, strict=True) if reason is None]
        counts["different" if new else "known" if differences else "same"] += 1
        reasons.update({reason for reason in explained if reason is not None})
        out.writelines(f"{script.name}: {each.kind}: {each.text}\n" for each in new[:_MOST_SHOWN])
        if len(new) > _MOST_SHOWN:
            out.write(f"{script.name}: {len(new) - _MOST_SHOWN} more differences\n")
        out.flush()
    told = ", ".join(f"{counts[word]} {word}" for word in ("same", "known", "different", "left out"))
    out.write(f"{pair.name}: {len(scripts)} files: {told}\n")
    out.writelines(f"  {files} with a known difference: {reason}\n" for reason, files in reasons.most_common())
    return counts


def list_scripts(paths: Sequence[Path]) -> list[Path]:
    """Return the scripts that are named, and those of the directories that are."""
    return [script for path in paths for script in (sorted(path.glob("*.sql")) if path.is_dir() else [path])]


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 1 if there is a difference that is not known."""
    options = _read_arguments(arguments)
    known = [*read_known(), *(read_known(options.known) if options.known else [])]
    setup: Path | None = options.setup
    paths: list[Path] = options.paths
    if options.debian:
        home = debian.fetch(options.client)
        paths = [home]
        setup = home / debian.SETUPS[options.client] if options.client in debian.SETUPS else None
    with contextlib.ExitStack() as stack:
        scripts = [script.absolute() for script in list_scripts(paths) if script != setup]
        if options.together:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            scripts = [_join(scripts, directory)]
        pair = stack.enter_context(open_pair(options.client, setup))
        counts = run_corpus(pair, scripts, known, sys.stdout)
    return int(counts["different"] > 0)


def _join(scripts: Sequence[Path], directory: Path) -> Path:
    """Write a script of all, beside what they may name."""
    for place in {script.parent for script in scripts}:
        shutil.copytree(place, directory, dirs_exist_ok=True)
    whole = directory / f"{scripts[0].parent.name}.sql"
    whole.write_bytes(b"\n".join(script.read_bytes() for script in scripts))
    return whole


def _read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.corpora", description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path, help="directories of .sql files, and .sql files")
    parser.add_argument("--client", choices=(*CLIENTS, "mysql"), required=True)
    parser.add_argument("--debian", action="store_true", help="run the database's own regression scripts")
    parser.add_argument("--together", action="store_true", help="run all scripts one after the other in one database")
    parser.add_argument("--setup", type=Path, help="a script that the native client runs in each database before")
    parser.add_argument("--known", type=Path, help=f"a further table of known differences, as {TABLE.name} is one")
    found = parser.parse_args(arguments)
    if bool(found.paths) == found.debian:
        parser.error("name the directories of the scripts, or --debian")
    return found


if __name__ == "__main__":
    sys.exit(main())
