"""The house keeps its shape: small folders, few splinters, no circle; and its guide names what is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from dbtool.dialects import DIALECTS

_ROOT = Path(__file__).parents[1]
_PACKAGE = _ROOT / "dbtool"
_MOST_IN_A_FOLDER = 16
_SHORT, _MOST_SHORT = 40, 25
_STEPS = 15
_DATACLASSES = ("bench/", "cli/pool_bench/", "pool/stats.py")
"""Where reports are made and told, and what a pool's `stats()` returns."""


@cache
def _list_modules() -> dict[str, Path]:
    """Return the file of each module, by the module's name."""
    modules = {}
    for path in _PACKAGE.rglob("*.py"):
        parts = path.relative_to(_ROOT).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _list_imports(module: str) -> set[str]:
    """Return what a module imports of the package, also within its functions, but not what type checkers alone read."""
    modules = _list_modules()
    found = set()
    for node in _walk(_parse(modules[module])):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in modules else node.module)
    return found & modules.keys() - {module}


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        for other in node.orelse:
            yield from _walk(other)
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _walk(child)


def test_no_folder_is_flat() -> None:
    sizes = {
        str(folder.relative_to(_ROOT)): len([path for path in folder.glob("*.py") if path.name != "__init__.py"])
        for folder in {path.parent for path in _list_modules().values()}
    }
    assert {folder: size for folder, size in sizes.items() if size > _MOST_IN_A_FOLDER} == {}


def test_few_modules_are_splinters() -> None:
    lengths = {
        str(path.relative_to(_ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in _list_modules().values()
        if path.name != "__init__.py"
    }
    short = sorted(path for path, length in lengths.items() if length < _SHORT)
    assert len(short) < _MOST_SHORT, short


def test_imports_go_in_no_circle_not_even_late_ones() -> None:
    finished: set[str] = set()

    def follow(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way[way.index(module) :], module))
        if module in finished:
            return
        for imported in sorted(_list_imports(module)):
            follow(imported, (*way, module))
        finished.add(module)

    for module in _list_modules():
        follow(module, ())


def test_the_guide_names_files_that_exist_and_few_on_the_way_of_a_query() -> None:
    guide = (_ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    way = guide.partition("### From a command line to rows")[2].partition("###")[0]
    named = list(dict.fromkeys(re.findall(r"`((?:[\w/]+/)?[\w]+\.py)`", way)))
    assert 10 <= len(named) <= _STEPS, named
    for name in [*named, *re.findall(r"`([\w/]+/[\w]+\.py)`", guide)]:
        families = {dialect.family for dialect in DIALECTS.values()}
        for path in {name.replace("NAME", family) for family in families} if "engines/NAME" in name else {name}:
            if "NAME" not in path:
                assert (_PACKAGE / path).is_file() or (_ROOT / path).is_file(), path


def test_values_are_records_but_for_those_that_are_made_to_be_taken_apart() -> None:
    others = {
        str(path.relative_to(_PACKAGE))
        for path in _list_modules().values()
        if any(isinstance(node, ast.ImportFrom) and node.module == "dataclasses" for node in ast.walk(_parse(path)))
    }
    assert {path for path in others if not path.startswith(_DATACLASSES)} == set()
