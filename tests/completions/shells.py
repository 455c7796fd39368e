"""The shells that complete in the tests; `python -m tests.completions.shells` fetches those that are missing."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.servers.installations import Product, locate_by_formula, require_on_machine
from tests.servers.provide import provide

_PRODUCTS = {
    name: Product(
        title=name,
        variable=f"DBTOOL_TEST_{name.upper()}",
        programs=(name,),
        packages=packages,
        formula=name,
        locate=locate_by_formula(name),
    )
    for name, packages in {"bash": ("bash",), "zsh": ("zsh", "zsh-common"), "fish": ("fish", "fish-common")}.items()
}


def find_shell(name: str) -> Path:
    """Return a shell's program; raises ServerError, with the cure, where there is none."""
    return require_on_machine(_PRODUCTS[name]).programs[name]


def name_places_of_zsh(program: Path) -> str:
    """Return what has zsh find its own modules and functions.

    Debian's looks for them where it was built to be installed, not where the tests unpacked it.
    """
    root = next((parent for parent in program.parents if (parent / "usr" / "programs").is_dir()), None)
    if root is None:
        return ""
    libraries = next((root / "usr" / "lib").glob("*/zsh/*"), root)
    return f"module_path=({libraries}); fpath=({root}/usr/share/zsh/functions/**/(/)); "


if __name__ == "__main__":
    sys.exit(provide(_PRODUCTS.values()))
