"""What a project's commands reach in it: the files that their words name, and those that these name in turn.

Nothing is run or parsed to find out: a word that may mean a file counts as one that does, because a change
to a file too many is a question, and one to a file too few is somebody else's code.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path

from dbtool.expressions import expression
from dbtool.profiles.files import read_head
from dbtool.profiles.paths import anchor, is_inside

_MOST_FILES = 500
_MOST_IN_TREE = 200
_MOST_ENTRIES = 10_000
_MOST_PLACES = 8
"""Directories that a script names, in which its other words are looked up as well."""
_MOST_WORDS = 2000
"""Words of commands."""
_MOST_LOOKUPS = 3000
"""How often a word of a file is looked up in a directory: a prompt waits for it."""
_LOOKED_THROUGH = 1 << 18
"""Bytes of files, together, in which other files' names are looked for."""
_WORD_ENDS = expression(r"[\s=:;,|&<>()'\"`]+")
_WORD = expression(r"[\w.@+~/-]+")
_COMMENT = expression(r"^[ \t]*#+(?:[ \t].*)?$", re.MULTILINE)
_PYTHON = expression(rb"#!.*python")
_IMPORT = expression(r"^[ \t]*(?:from[ \t]+(\w+)[\w.]*[ \t]+import|import[ \t]+(\w+))", re.MULTILINE)
_SUFFIXES = frozenset(
    {
        ".py",
        ".pyc",
        ".so",
        ".pyd",
        ".sh",
        ".bash",
        ".zsh",
        ".fish",
        ".js",
        ".mjs",
        ".cjs",
        ".ts",
        ".json",
        ".rb",
        ".pl",
        ".pm",
        ".php",
        ".lua",
        ".ps1",
        ".mk",
    }
)
"""What an import, or the like, leaves out behind a file's name."""
_FIRST = ("__init__.py", "__main__.py", "index.js", "index.mjs", "index.cjs", "package.json")
"""The files that are read where a directory stands for a module."""
_UNASKED = {
    "make": ("Makefile", "makefile", "GNUmakefile"),
    "gmake": ("Makefile", "makefile", "GNUmakefile"),
    "just": ("justfile", "Justfile", ".justfile"),
    "npm": ("package.json", ".npmrc"),
    "npx": ("package.json", ".npmrc"),
    "node": ("package.json",),
    "docker": ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml", ".env"),
    "docker-compose": ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml", ".env"),
    "bundle": ("Gemfile", "Gemfile.lock"),
    "rake": ("Rakefile", "rakefile"),
    "cargo": ("Cargo.toml", "Cargo.lock"),
    "uv": ("pyproject.toml", "uv.lock", "uv.toml"),
    "poetry": ("pyproject.toml", "poetry.lock"),
    "pipenv": ("Pipfile", "Pipfile.lock"),
    "task": ("Taskfile.yml", "Taskfile.yaml"),
    "mise": ("mise.toml", ".mise.toml", ".tool-versions"),
    "direnv": (".envrc",),
    "sops": (".sops.yaml",),
}
"""What well-known programs read without being told."""
_LEFT_OUT = frozenset({".git", ".hg", ".svn", "__pycache__"})
_SHADOWING = sys.stdlib_module_names | {"sitecustomize", "usercustomize"}
"""Modules that Python takes from beside a script before it looks among its own."""


def split_words(command: Iterable[str]) -> Iterator[str]:
    """Yield a command's arguments, and the words in each, as in `--file=path`, `-Cdir`, `@path` and `sh -c 'a b'`."""
    for argument in command:
        words = [argument, *_WORD_ENDS.split(argument)]
        words += [word[2:] for word in words if word.startswith("-") and not word.startswith("--")]
        words += [word[1:] for word in words if word.startswith("@")]
        words += [word.partition("/")[2] for word in words if word.startswith("$")]
        yield from dict.fromkeys(word for word in words if word and "\0" not in word)


class Reach:
    """The search from a project's commands; `paths` grows while whoever reads the files hands them to `look_through`.

    A command runs in one of `bases`; `spared` are files that change by themselves, as a database does.
    """

    def __init__(self, project: Path, bases: Iterable[Path], home: Path, spared: Iterable[Path]) -> None:
        self.paths: list[Path] = []
        self.gaps: dict[str, str] = {}
        """What may change unseen, relative to the project, and why."""
        self.imports: dict[str, Path] = {}
        """Modules that are imported and not found in the project, each with a script that does."""
        self.caches: dict[str, None] = {}
        """Where Python keeps compiled modules of the scripts; it writes them itself, so that no record holds them."""
        self._project = project
        self._bases = tuple(dict.fromkeys((*bases, project)))
        self._home = home
        self._spared = tuple(map(str, spared))
        self._known: set[Path] = set()
        self._listings: dict[Path, dict[str, list[str]]] = {}
        self._words = _MOST_WORDS
        self._bytes = _LOOKED_THROUGH
        self._lookups = _MOST_LOOKUPS

    def add(self, path: Path) -> None:
        """Count a file in."""
        path = Path(os.path.normpath(path))
        if path in self._known or any(str(path).removeprefix(file) in {"", *_BESIDE} for file in self._spared):
            return
        if len(self.paths) >= _MOST_FILES:
            self.gaps["..."] = f"the profiles refer to more than {_MOST_FILES} files"
            return
        self._known.add(path)
        self.paths.append(path)

    def add_place(self, path: Path) -> None:
        """Count in a file that a key names, or all that is in a directory of the project."""
        if is_inside(path, self._project) and _is_directory(path):
            self._add_whole(path)
        else:
            self.add(path)

    def follow_command(self, command: list[str]) -> None:
        """Count in what a command's words name: files, directories with all that is in them, modules."""
        for word in split_words(command):
            self._words -= 1
            if self._words < 0:
                self.gaps["what commands name"] = f"they have more than {_MOST_WORDS} words"
                return
            for base in self._bases:
                path = anchor(word, directory=base, home=self._home)
                if is_inside(path, self._project) and os.path.lexists(path):
                    self._add_whole(path)
                for found in self._find(word, base):
                    self._add_whole(found)
            program = word.rpartition("/")[2]
            for base in self._bases:
                for name in _UNASKED.get(program, ()):
                    self._add_named(base, name)
                if program.startswith("python"):
                    self._add_shadowing(base)

    def look_through(self, path: Path, content: bytes) -> None:
        """Count in what a file's words name; only files, because a word says less there than in a command."""
        if b"\0" in content:
            return
        self._bytes -= len(content)
        if self._bytes >= 0:
            text = _COMMENT.sub("", content.decode(errors="replace"))
            self._look_up(path, sorted(set(_WORD.findall(text))))
            if path.suffix == ".py" or _PYTHON.match(content):
                self._look_at_imports(path, text)
        if min(self._bytes, self._lookups) < 0:
            self.gaps[f"what {self._name(path)} names"] = "the files hold more words than are looked through"

    def _look_up(self, path: Path, words: list[str]) -> None:
        # A script may look beside what a link to it leads to, and in a directory that it names: `cd lib`.
        places = dict.fromkeys((path.parent, Path(os.path.realpath(path)).parent, *self._bases))
        named = [
            found
            for base in places
            for word in self._choose_words(words, base)
            for found in self._find_directory(word, base)
        ]
        for base in dict.fromkeys((*places, *named[:_MOST_PLACES])):
            for word in self._choose_words(words, base):
                for found in self._find(word, base):
                    self._add_first(found)

    def _choose_words(self, words: list[str], base: Path) -> Iterator[str]:
        """Yield the words that are worth a look in a directory, as long as there may be another look."""
        known = self._list(base).keys()
        for word in words:
            if _may_be_in(word, known):
                self._lookups -= 1
                if self._lookups < 0:
                    return
                yield word

    def _look_at_imports(self, path: Path, text: str) -> None:
        self._add_shadowing(path.parent)
        for match in _IMPORT.finditer(text):
            module = match[1] or match[2]
            places = (path.parent, *self._bases)
            if module not in sys.stdlib_module_names and not any(module in self._list(place) for place in places):
                self.imports.setdefault(module, path)
        self._add_compiled(path)

    def _add_compiled(self, path: Path) -> None:
        """Count in compiled modules that Python takes whatever time the source bears; it makes none by itself."""
        cache = path.parent / "__pycache__"
        if self._list(cache):
            self.caches[self._name(cache)] = None
        for name in self._list(cache).get(path.stem, ()):
            if name.endswith(".pyc") and _is_hash_based(cache / name):
                self.add(cache / name)

    def _add_shadowing(self, directory: Path) -> None:
        entries = self._list(directory)
        for name in sorted(_SHADOWING & entries.keys()):
            for entry in entries[name]:
                self._add_first(directory / entry)

    def _add_named(self, directory: Path, name: str) -> None:
        if name in self._list(directory).get(name, ()):
            self.add(directory / name)

    def _add_first(self, path: Path) -> None:
        """Count in a file, of a directory those that a module begins with."""
        if not is_inside(path, self._project):
            return
        if not _is_directory(path):
            self.add(path)
            return
        for name in _FIRST:
            self._add_named(path, name)

    def _add_whole(self, path: Path) -> None:
        """Count in a file, of a directory all that is in it."""
        path = Path(os.path.normpath(path))
        if not _is_directory(path):
            self.add(path)
        elif path not in self._known:
            self._known.add(path)
            self._add_tree(path)

    def _add_tree(self, directory: Path) -> None:
        if self._project.is_relative_to(os.path.realpath(directory)):
            if directory in self._bases:  # where every command runs, and no more than that is said by `.`
                return
            self.gaps[f"{self._name(directory)}/"] = "it holds the whole project"
            return
        found: list[Path] = []
        links: list[Path] = []
        for number, (place, directories, files) in enumerate(os.walk(directory)):
            directories[:] = sorted(name for name in directories if name not in _LEFT_OUT)
            links += [Path(place, name) for name in directories if Path(place, name).is_symlink()]
            found += [Path(place, name) for name in sorted(files)]
            if max(len(found), number) > _MOST_IN_TREE:
                self.gaps[f"{self._name(directory)}/"] = f"it holds more than {_MOST_IN_TREE} files or directories"
                return
        for path in found:
            self.add(path)
        for link in links:
            real = Path(os.path.realpath(link))
            self.gaps[self._name(link)] = f"a link to a directory: {real}"
            if is_inside(real, self._project):
                self._add_whole(real)

    def _find_directory(self, word: str, base: Path) -> list[Path]:
        """Return the directory that a word names, unless the project's own lies in it or is it."""
        path = Path(os.path.normpath(base / word.strip("/")))
        is_below = path != self._project and path.is_relative_to(self._project) and is_inside(path, self._project)
        return [path] if is_below and _is_directory(path) else []

    def _find(self, word: str, base: Path) -> list[Path]:
        """Return what a word names from a directory: a file, with or without its suffix, or a module."""
        if word.startswith("/"):  # whole, or the end of one that a shell puts together
            word = word.removeprefix(f"{self._project}").lstrip("/")
        steps = [step for step in word.split(".") if step]
        words = [word.rstrip(".")]
        if "/" not in word:
            words += ["/".join(steps[: number + 1]) for number in range(len(steps))]
        found = []
        for each in dict.fromkeys(words):
            place, _, name = each.rpartition("/")
            if not name or (place and not _is_directory(base / place)):
                continue
            directory = Path(os.path.normpath(base / place))
            if directory == base or is_inside(directory, self._project):
                found += [directory / entry for entry in self._list(directory).get(name, ())]
        return found

    def _list(self, directory: Path) -> dict[str, list[str]]:
        """Return the names in a directory of the project by themselves and without a suffix that may be left out."""
        if directory not in self._listings:
            names: list[str] = []
            try:
                with os.scandir(directory) as entries:
                    names = sorted(entry.name for entry in islice(entries, _MOST_ENTRIES + 1))
            except OSError:
                pass
            if len(names) > _MOST_ENTRIES:
                self.gaps[f"{self._name(directory)}/"] = f"it holds more than {_MOST_ENTRIES} names"
            listing: dict[str, list[str]] = {}
            for name in names:
                stem, dot, _ = name.partition(".")
                has_suffix = f".{name.rpartition('.')[2]}" in _SUFFIXES
                for key in {name, stem} if dot and has_suffix else {name}:
                    listing.setdefault(key, []).append(name)
            self._listings[directory] = listing
        return self._listings[directory]

    def _name(self, path: Path) -> str:
        return os.path.relpath(path, self._project)


_BESIDE = ("-journal", "-wal", "-shm")
"""What SQLite appends to a database's name for the files beside it."""


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name that is too long for one
        return False


def _may_be_in(word: str, known: Collection[str]) -> bool:
    """Say, at little cost, whether a word can name something where these names are: of a script few words do."""
    if word in known or ".." in word or word.startswith("/"):
        return True
    first = word.lstrip("./").partition("/")[0]
    return first in known or first.partition(".")[0] in known


def _is_hash_based(path: Path) -> bool:
    """Say whether a compiled module bears its source's hash: unlike a time, whoever brings both knows it."""
    try:
        return any(read_head(path, 8)[4:8])
    except OSError:
        return True
