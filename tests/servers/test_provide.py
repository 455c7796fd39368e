from __future__ import annotations

import stat
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.servers import installations, provide
from tests.servers.installations import (
    CACHED_PROGRAMS,
    MARIADB,
    PGBOUNCER,
    PRODUCTS,
    Location,
    Product,
    find_on_machine,
    require_on_machine,
)
from tests.servers.processes import ServerError


def nowhere() -> Iterable[Location]:
    return ()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and none of the variables that name programs."""
    for product in PRODUCTS:
        monkeypatch.delenv(product.variable, raising=False)
    monkeypatch.setattr(installations, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def product() -> Product:
    """A product of two programs that is nowhere on the machine."""
    return replace(MARIADB, title="Imaginary", programs=("imaginaryd", "imaginary"), locate=nowhere)


def write_programs(directory: Path, *names: str) -> Path:
    directory.mkdir(parents=True)
    for name in names:
        program = directory / name
        program.write_text("#!/bin/sh\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return directory


def test_a_variable_names_the_directories_of_the_programs(
    product: Product, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [write_programs(tmp_path / name, program) for name, program in (("s", "imaginaryd"), ("b", "imaginary"))]
    monkeypatch.setenv(product.variable, ":".join(map(str, places)))
    assert require_on_machine(product).programs["imaginary"] == places[1] / "imaginary"


def test_a_variable_that_names_the_wrong_place_is_an_error(
    product: Product, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(product.variable, str(write_programs(tmp_path / "half", "imaginaryd")))
    with pytest.raises(ServerError, match=r"DBTOOL_TEST_MARIADB=\S+ does not hold all of imaginaryd, imaginary"):
        find_on_machine(product)


def test_the_machine_comes_before_the_cache(product: Product, tmp_path: Path, cache: Path) -> None:
    cached = write_programs(cache / "imaginary" / CACHED_PROGRAMS, *product.programs)
    assert require_on_machine(product).directory == cached
    own = write_programs(tmp_path / "own", *product.programs)
    assert require_on_machine(replace(product, locate=lambda: [(own,)])).directory == own


def test_half_an_installation_is_none(product: Product, tmp_path: Path) -> None:
    half = write_programs(tmp_path / "half", "imaginaryd")
    assert find_on_machine(replace(product, locate=lambda: [(half,)])) is None


def test_a_missing_product_is_an_error_that_names_the_cure(product: Product) -> None:
    with pytest.raises(ServerError, match=r"run `make servers`, or install it .*DBTOOL_TEST_MARIADB"):
        require_on_machine(product)


def test_providing_says_one_line_per_product(
    product: Product, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = write_programs(tmp_path / "own", *product.programs)
    monkeypatch.setattr(provide, "PRODUCTS", [replace(product, locate=lambda: [(own,)])])
    assert provide.main() == 0
    assert capsys.readouterr().out == f"Imaginary: found in {own}\n"


def test_providing_fails_where_nothing_can_be_fetched(
    product: Product, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(provide, "PRODUCTS", [product])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provide.main() == 1
    assert capsys.readouterr().out.startswith("Imaginary: missing: install it (Debian: mariadb-server-core")


@pytest.mark.parametrize("directory", ["bin", "usr/sbin", "usr/lib/postgresql/15/bin"])
def test_what_is_fetched_runs_with_its_own_libraries(tmp_path: Path, directory: str) -> None:
    root, home = tmp_path / "root", tmp_path / "home"
    write_programs(root / directory, "imaginaryd")
    (root / directory / "imaginaryd").write_text('#!/bin/sh\necho "$LD_LIBRARY_PATH" "$@"\n')
    library = root / "usr" / "lib" / "x86_64-linux-gnu" / "libimaginary.so.1"
    library.parent.mkdir(parents=True)
    library.touch()
    provide.write_starters(root, home)
    root.rename(home)
    answer = provide.run([str(home / CACHED_PROGRAMS / "imaginaryd"), "an argument"], directory=tmp_path)
    assert answer == f"{home}/usr/lib/x86_64-linux-gnu an argument\n"


def test_the_plan_is_cut_down_to_programs_and_libraries() -> None:
    plan = (
        "Inst libevent-2.1-7 (2.1.12 Debian:12 [amd64])\nInst libc6 [2.36-9] (2.36-10 Debian:12 [amd64])\n"
        "Inst libdbi-perl (1.643)\nInst postgresql-common (248)\nInst pgbouncer (1.18)\nConf pgbouncer (1.18)\n"
        "Inst postgresql-15 (15.18)\nInst postgresql-client-15 (15.18)\n"
    )
    assert provide.choose_packages(plan, PGBOUNCER) == [
        "pgbouncer",
        "libevent-2.1-7",
        "postgresql-15",
        "postgresql-client-15",
    ]


def test_what_comes_from_another_suite_runs_with_its_own_libc(tmp_path: Path) -> None:
    root, home = tmp_path / "root", tmp_path / "home"
    write_programs(root / "usr" / "sbin", "imaginaryd")
    loader = root / "usr" / "lib" / "x86_64-linux-gnu" / "ld-linux-x86-64.so.2"
    loader.parent.mkdir(parents=True)
    loader.write_text('#!/bin/sh\necho "$@"\n')
    loader.chmod(0o755)
    (loader.parent / "libimaginary.so.1").touch()
    provide.write_starters(root, home)
    root.rename(home)
    answer = provide.run([str(home / CACHED_PROGRAMS / "imaginaryd"), "an argument"], directory=tmp_path)
    assert answer == f"--library-path {home}/usr/lib/x86_64-linux-gnu {home}/usr/sbin/imaginaryd an argument\n"


def test_another_suite_is_signed_by_the_machines_own_keys_of_debian(tmp_path: Path) -> None:
    source = provide.describe_source("sid", "http://mirror.example/debian/", tmp_path)
    assert source == "Types: deb\nURIs: http://mirror.example/debian/\nSuites: sid\nComponents: main\n"
    (tmp_path / "debian-archive-keyring.gpg").touch()
    signed = provide.describe_source("sid", "http://mirror.example/debian/", tmp_path)
    assert signed == f"{source}Signed-By: {tmp_path}/debian-archive-keyring.gpg\n"


def test_nothing_is_fetched_from_lists_that_nobody_signed(
    product: Product, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def refuse(command: Sequence[str], *, directory: Path) -> str:
        asked.append(" ".join(command))
        raise ServerError("not signed")

    monkeypatch.setattr(provide, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(provide, "_find_archive", lambda: "http://mirror.example/debian/")
    monkeypatch.setattr(provide, "run", refuse)
    monkeypatch.setattr("shutil.which", lambda name, **_: None if name.startswith("imag") else f"/bin/{name}")
    for suite in ("", "sid"):
        assert provide.provide([replace(product, suite=suite)]) == 1
    assert len(asked) == 3
    for command in asked:
        assert "Acquire::AllowInsecureRepositories=false" in command
        assert "APT::Get::AllowUnauthenticated=false" in command


def test_mariadb_s_links_are_no_mysql(product: Product, tmp_path: Path) -> None:
    home = write_programs(tmp_path / "real", "mariadbd", *product.programs[1:])
    (home / "imaginaryd").symlink_to("mariadbd")
    product = replace(product, locate=lambda: [(home,)], impostor="mariadb")
    assert find_on_machine(product) is None
    (home / "imaginaryd").unlink()
    (home / "mariadbd").rename(home / "imaginaryd")
    assert require_on_machine(product).directory == home
