"""Fetch the servers that are missing: `python -m tests.servers.provide`.

Where apt is, it downloads Debian's packages and unpacks them under `.cache/servers`. That needs no root,
installs nothing and starts no service. Elsewhere it says what to install. One line per product.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.servers.installations import (
    CACHE,
    CACHED_PROGRAMS,
    PRODUCTS,
    Product,
    describe_cure,
    find_on_machine,
)
from tests.servers.processes import ServerError

# Of what a package depends on, its programs load the libraries; the rest sets up services.
_WANTED = re.compile(r"lib(?!.*-perl$).*|postgresql(-client)?-\d+")
_NEW_PACKAGE = re.compile(r"^Inst (\S+) \(", re.MULTILINE)


def main() -> int:
    """Provide every server; return 1 if one is missing still."""
    return provide(PRODUCTS)


def provide(products: Iterable[Product]) -> int:
    """Provide some products; return 1 if one is missing still."""
    missing = False
    for product in products:
        try:
            line = _provide(product)
        except ServerError as error:
            line, missing = f"missing: {error}", True
        sys.stdout.write(f"{product.title}: {line}\n")
    return int(missing)


def _provide(product: Product) -> str:
    found = find_on_machine(product)
    if found:
        return f"found in {found.directory}"
    if not shutil.which("apt-get"):
        raise ServerError(describe_cure(product))
    fetched = _fetch(product)
    found = find_on_machine(product)
    if not found:
        raise ServerError(f"{' '.join(fetched)} did not bring {', '.join(product.programs)}; {describe_cure(product)}")
    return f"unpacked {len(fetched)} Debian packages into {found.directory}"


def _fetch(product: Product) -> list[str]:
    """Download and unpack a product's packages with the libraries that the machine lacks; return their names."""
    home = CACHE / product.title.lower()
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        root, archives = Path(scratch, "root"), Path(scratch, "archives")
        root.mkdir()
        archives.mkdir()
        packages = _download(product, archives)
        for archive in sorted(archives.glob("*.deb")):
            run(["dpkg", "-x", str(archive), str(root)], directory=archives)
        shutil.rmtree(home, ignore_errors=True)
        write_starters(root, home)
        root.rename(home)
    return packages


def _download(product: Product, directory: Path) -> list[str]:
    try:
        return _download_listed(product, directory, ())
    except ServerError:
        # The machine's own package lists are empty or old: fetch some into the cache.
        own = _own_lists()
        run(["apt-get", *own, "-qq", "update"], directory=directory)
        return _download_listed(product, directory, own)


def _own_lists() -> tuple[str, ...]:
    state = CACHE / "apt"
    for part in ("lists/partial", "archives/partial"):
        (state / part).mkdir(parents=True, exist_ok=True)
    return ("-o", f"Dir::State::lists={state}/lists", "-o", f"Dir::Cache={state}")


def _download_listed(product: Product, directory: Path, options: Sequence[str]) -> list[str]:
    plan = ["apt-get", *options, "install", "-s", "--no-install-recommends", *product.packages]
    packages = choose_packages(run(plan, directory=directory), product)
    run(["apt-get", *options, "-o", "APT::Sandbox::User=", "-qq", "download", *packages], directory=directory)
    return packages


def choose_packages(plan: str, product: Product) -> list[str]:
    """Return the product's packages, and what else has to be unpacked of all that apt-get would install."""
    # What it would only upgrade is on the machine already.
    libraries = (name for name in _NEW_PACKAGE.findall(plan) if _WANTED.fullmatch(name))
    return list(dict.fromkeys((*product.packages, *libraries)))


def write_starters(root: Path, home: Path) -> None:
    """Write a starter for each program, which names the libraries beside it; `root` will be renamed to `home`."""
    libraries = sorted({path.parent for path in root.rglob("lib*.so.*") if path.parent.parent.name == "lib"})
    library_path = ":".join(str(home / path.relative_to(root)) for path in libraries)
    starters = root / CACHED_PROGRAMS
    starters.mkdir()
    # Some packages still hold /bin itself, which is a link to /usr/bin on every machine of today.
    for program in (*root.glob("*bin/*"), *root.glob("usr/*bin/*"), *root.glob("usr/lib/postgresql/*/bin/*")):
        place = shlex.quote(str(home / program.relative_to(root)))
        starter = starters / program.name
        starter.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={shlex.quote(library_path)} exec {place} "$@"\n')
        starter.chmod(0o755)


def run(command: Sequence[str], *, directory: Path) -> str:
    """Run a command and return what it wrote; raise ServerError if it fails."""
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServerError(f"`{shlex.join(command)}` failed: {' '.join(done.stderr.split())[-500:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
