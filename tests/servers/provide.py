"""Fetch the servers that are missing: `python -m tests.servers.provide`.

Where apt is, it downloads Debian's packages and unpacks them under `.cache/servers`. That needs no root,
installs nothing and starts no service. Elsewhere it says what to install. One line per product.

A product that only a newer suite of Debian has comes with that suite's libraries, libc among them. Whatever is
fetched, apt has checked the archive's signature with the machine's own keys.
"""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
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
_WANTED = re.compile(r"lib(?!perl|.*-perl$).*|zlib1g|postgresql(-client)?-\d+")
_NEW_PACKAGE = re.compile(r"^Inst (\S+) \(", re.MULTILINE)
_KEYS = Path("/usr/share/keyrings")
_SIGNED_ONLY = (
    *("-o", "Acquire::AllowInsecureRepositories=false", "-o", "Acquire::AllowWeakRepositories=false"),
    *("-o", "Acquire::AllowDowngradeToInsecureRepositories=false", "-o", "APT::Get::AllowUnauthenticated=false"),
)
"""Whatever the machine's configuration allows."""


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
    with _alone():
        # Another checkout with the same cache may just have fetched it.
        fetched = [] if find_on_machine(product) else _fetch(product)
    found = find_on_machine(product)
    if not found:
        raise ServerError(f"{' '.join(fetched)} did not bring {', '.join(product.programs)}; {describe_cure(product)}")
    return f"unpacked {len(fetched)} Debian packages into {found.directory}"


@contextmanager
def _alone() -> Iterator[None]:
    """Have the cache for oneself."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(product: Product) -> list[str]:
    """Download and unpack a product's packages with the libraries that the machine lacks; return their names."""
    # A checkout may share its cache with others, and be gone before them.
    home = CACHE.resolve() / product.title.lower()
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
    if product.suite:
        own = (*_own_lists(product.suite), *_own_suite(product.suite))
    else:
        try:
            return _download_listed(product, directory, ())
        except ServerError:
            # The machine's own package lists are empty or old: fetch some into the cache.
            own = _own_lists()
    run(["apt-get", *own, *_SIGNED_ONLY, "-qq", "update"], directory=directory)
    return _download_listed(product, directory, own)


def _own_lists(suite: str = "") -> tuple[str, ...]:
    state = CACHE / "apt" / suite
    for part in ("lists/partial", "archives/partial"):
        (state / part).mkdir(parents=True, exist_ok=True)
    return ("-o", f"Dir::State::lists={state}/lists", "-o", f"Dir::Cache={state}")


def _own_suite(suite: str) -> tuple[str, ...]:
    """Return the options by which apt knows one suite alone, and thinks that nothing is installed."""
    state = CACHE / "apt" / suite
    source, status = state / "debian.sources", state / "status"
    source.write_text(describe_source(suite, _find_archive(), _KEYS))
    status.touch()
    options = (f"Dir::Etc::sourcelist={source}", "Dir::Etc::sourceparts=-", f"Dir::State::status={status}")
    return tuple(word for option in options for word in ("-o", option))


def describe_source(suite: str, archive: str, keys: Path) -> str:
    """Return a suite as a source of apt's, signed by Debian's keys: those of the machine."""
    lines = ["Types: deb", f"URIs: {archive}", f"Suites: {suite}", "Components: main"]
    # Where a machine has no such file, its keys are among those that apt trusts for every source.
    keyrings = (keys / f"debian-archive-keyring.{suffix}" for suffix in ("pgp", "gpg"))
    lines += [f"Signed-By: {path}" for path in keyrings if path.exists()][:1]
    return "\n".join([*lines, ""])


def _find_archive() -> str:
    """Return where the machine has its own Debian from."""
    release = platform.freedesktop_os_release()
    codename = release.get("VERSION_CODENAME")
    if release.get("ID") == "debian" and codename:
        listing = ["apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"]
        for line in run(listing, directory=CACHE).splitlines():
            suite, component, address = line.split(maxsplit=2)
            if (suite, component) == (codename, "main"):
                return address
    raise ServerError("the machine is no Debian, or has no source of it")


def _download_listed(product: Product, directory: Path, options: Sequence[str]) -> list[str]:
    options = (*options, *_SIGNED_ONLY)
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
    library_path = shlex.quote(":".join(str(home / path.relative_to(root)) for path in libraries))
    # A libc of its own has a loader of its own, and no other.
    loaders = [home / path.relative_to(root) for folder in libraries for path in folder.glob("ld-linux*.so.*")]
    starters = root / CACHED_PROGRAMS
    starters.mkdir()
    # Some packages still hold /bin itself, which is a link to /usr/bin on every machine of today.
    for program in (*root.glob("*bin/*"), *root.glob("usr/*bin/*"), *root.glob("usr/lib/postgresql/*/bin/*")):
        place = shlex.quote(str(home / program.relative_to(root)))
        start = f"LD_LIBRARY_PATH={library_path} exec {place}"
        if loaders:
            start = f"exec {shlex.quote(str(loaders[0]))} --library-path {library_path} {place}"
        starter = starters / program.name
        starter.write_text(f'#!/bin/sh\n{start} "$@"\n')
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
