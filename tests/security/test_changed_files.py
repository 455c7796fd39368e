"""A file that a trusted project refers to is changed behind its user's back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from dbtool.errors import ProfileError
from dbtool.profiles import State, update_state
from dbtool.profiles.checks.schema import PROFILE_KEYS, KeyKind
from tests.profiles.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(root=tmp_path)


def _change(path: Path) -> None:
    path.write_text("other")


def _remove(path: Path) -> None:
    path.unlink()


def _link(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


def _link_outside(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def _make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


REFERENCES = [
    'password = { command = ["./f"] }',
    'password = { command = ["f"] }',
    'password = { command = ["sh", "f"] }',
    'password = { command = ["sh", "-c", "exec ./f --now"] }',
    'password = { command = ["python3", "--script=f"] }',
    'password = { file = "f" }',
    'tls_ca = "f"',
    'tls_cert = "f"',
    'tls_key = "f"',
    'restart = ["sh", "f"]',
    'url = "postgresql://h/d?sslrootcert=f"',
    'service = "s"',
    'password = { command = ["sh", "-c", "CONF=f ./other x"] }',
    'password = { command = ["env", "CONF=./f", "pw"] }',
    'password = { command = ["pw", "-c@f"] }',
    'password = { command = ["pw", "--", "./f"] }',
    'password = { command = ["sh", "-c", "cat <f|sed s/a//"] }',
]


@pytest.mark.parametrize("change", [_change, _remove, _link, _link_outside, _make_pipe, _make_directory])
@pytest.mark.parametrize("line", REFERENCES)
def test_what_a_profile_refers_to_is_replaced(world: World, line: str, change: Callable[[Path], None]) -> None:
    path = world.write(world.project / "f", "[s]\n")
    world.variables["PGSERVICEFILE"] = str(path)
    engine = "" if line.startswith("url") else 'engine = "postgresql"\n'
    world.write_project(f"[profiles.x]\n{engine}{line}\n")
    world.trust()
    assert world.load().sources.project_trusted
    change(path)
    assert not world.load().sources.project_trusted
    assert world.load().sources.project_changed


@pytest.mark.parametrize("key", [key.name for key in PROFILE_KEYS.values() if key.kind is KeyKind.PATH])
def test_a_key_names_a_file_that_no_digest_stands_for(world: World, key: str) -> None:
    world.write(world.project / "f", "text")
    world.write_project(f'[profiles.x]\nengine = "mysql"\n{key} = "f"\n')
    world.trust()
    _link_outside(world.project / "f")
    assert not world.load().sources.project_trusted


_REACHED = [
    (["python3", "tools/pw.py"], ["tools/pw.py"], ""),
    (["python3", "tools/pw.py"], ["tools/lib.py"], "import lib"),
    (["python3", "tools/pw.py"], ["tools/lib.py", "tools/deep.py"], "from lib import x  # and that: import deep"),
    (["python3", "tools/pw.py"], ["tools/kit/__init__.py", "tools/kit/part.py"], "from kit.part import x"),
    (["python3", "tools/pw.py"], ["tools/json.py"], ""),
    (["python3", "tools/pw.py"], ["tools/hashlib/__init__.py"], "import random"),
    (["python3", "tools/pw.py"], ["conf/pw.toml"], "open('conf/pw.toml')"),
    (["sh", "-c", "python3 tools/pw.py | cut -c2-"], ["tools/lib.py"], "import lib"),
    (["./tools/pw.py"], ["tools/lib.py"], "#!/usr/bin/env python3\nimport lib"),
    (["tools/pw.py"], ["tools/lib.sh"], ". tools/lib.sh"),
    (["sh", "tools/pw.py"], ["tools/lib.sh"], ". ./lib.sh"),
    (["sh", "tools/pw.py"], ["tools/lib.sh"], 'exec "$(dirname "$0")/lib.sh"'),
    (["node", "tools/pw.py"], ["tools/lib.js"], "require('./lib')"),
    (["node", "tools/pw.py"], ["tools/lib/index.js"], "import x from './lib'"),
    (["node", "tools/pw.py"], ["package.json"], ""),
    (["node", "tools/pw.py"], ["tools/lib.js"], "class A {\n  #lib = require('./lib')\n}"),
    (["python3", "tools/pw.py"], ["vendor/thing.py"], "sys.path.insert(0, 'vendor'); import thing"),
    (["sh", "tools/pw.py"], ["vendor/kit/run"], "cd vendor/kit && ./run"),
    (["sh", "-c", "cd tools; exec ./pw.py"], ["tools/lib.sh"], ". ./lib.sh"),
    (["env", "-C", "tools", "./pw.py"], ["tools/lib.sh"], ". ./lib.sh"),
    (["bash", "-c", "source <(cat conf/env)"], ["conf/env"], ""),
    (["python3", "-c", "exec(open('conf/x.py').read())"], ["conf/x.py"], ""),
    (["node", "-r", "./vendor/hook", "-e", "0"], ["vendor/hook.js"], ""),
    (["php", "-dauto_prepend_file=vendor/a.php", "tools/pw.py"], ["vendor/a.php"], ""),
    (["python3", "-m", "pkg"], ["pkg/__main__.py"], ""),
    (["python3", "-m", "pkg"], ["pkg/data/x.txt"], ""),
    (["python3", "-m", "pkg.sub"], ["pkg/__init__.py", "pkg/sub.py"], ""),
    (["python3", "-mpkg"], ["pkg/__main__.py"], ""),
    (["python3", "-m", "mod"], ["mod.py"], ""),
    (["python3", "-m", "mod"], ["json.py"], ""),
    (["python3", "-c", "import mod; print(mod.pw)"], ["mod.py"], ""),
    (["make", "-C", "dir", "-s", "pw"], ["dir/Makefile", "dir/rules.mk"], ""),
    (["make", "-Cdir", "pw"], ["dir/Makefile"], ""),
    (["make", "pw"], ["Makefile"], ""),
    (["make", "pw"], ["Makefile", "rules.mk"], ""),
    (["sh", "-c", "cd dir && make pw"], ["dir/Makefile"], ""),
    (["run-parts", "dir"], ["dir/a", "dir/b/c"], ""),
    (["run-parts", "./dir/"], ["dir/a", "dir/b/c"], ""),
    (["npm", "run", "--silent", "pw"], ["package.json"], ""),
]


@pytest.mark.parametrize("change", ["changed", "removed", "added"])
@pytest.mark.parametrize(("command", "reached", "content"), _REACHED)
def test_what_a_command_reaches_is_changed(
    world: World, command: list[str], reached: list[str], content: str, change: str
) -> None:
    for name in [*reached, "dir/Makefile", "pkg/__init__.py", "tools/pw.py"]:
        world.write(world.project / name, "")
    (world.project / "tools" / "pw.py").write_text(content)
    for one, other in pairwise(reached):  # each leads to the next
        (world.project / one).write_text(f"import {Path(other).stem}\ninclude {other}\n")
    world.write_project(f'[profiles.x]\nengine = "mysql"\npassword = {{ command = {json.dumps(command)} }}\n')
    path = world.project / reached[-1]
    if change == "added":
        path.unlink()
    world.trust()
    assert world.load().sources.project_trusted
    if change == "removed":
        path.unlink()
    else:
        world.write(path, "other")
    assert world.load().sources.project_changed


def test_what_lies_beside_and_is_not_reached_changes_as_it_likes(world: World) -> None:
    for name in ("tools/pw.py", "tools/other.py", "src/app.py", "dir/a", ".git/HEAD", "dir/__pycache__/a.pyc"):
        world.write(world.project / name, "import app\n")
    world.write(world.project / "dir" / "x.db", "")
    world.write_project(
        '[profiles.x]\nengine = "mysql"\npassword = { command = ["python3", "tools/pw.py", "dir", "."] }\n'
        '[profiles.y]\nengine = "sqlite"\npath = "dir/x.db"\n'
    )
    world.trust()
    for name in ("tools/other.py", "src/app.py", ".git/HEAD", "dir/__pycache__/a.pyc", "dir/x.db", "dir/x.db-wal", "n"):
        world.write(world.project / name, "other")
    assert world.load().sources.project_trusted


@pytest.mark.parametrize(("flags", "trusted"), [(b"\0\0\0\0", True), (b"\1\0\0\0", False), (b"\3\0\0\0", False)])
def test_a_compiled_module_that_no_time_checks_is_added_beside_a_script(
    world: World, flags: bytes, trusted: bool
) -> None:
    world.write(world.project / "tools" / "pw.py", "import lib\n")
    world.write(world.project / "tools" / "lib.py", "")
    world.write_project('[profiles.x]\nengine = "mysql"\npassword = { command = ["python3", "tools/pw.py"] }\n')
    world.trust()
    compiled = world.project / "tools" / "__pycache__" / "lib.cpython-312.pyc"
    compiled.parent.mkdir()
    compiled.write_bytes(b"\xcb\r\r\n" + flags + b"12345678")
    assert world.load().sources.project_trusted is trusted


def test_what_lies_beside_the_goal_of_a_link_is_changed(world: World) -> None:
    world.write(world.project / "real" / "pw", '. "$(dirname "$(readlink -f "$0")")/lib.sh"\n')
    world.write(world.project / "real" / "lib.sh", "")
    (world.project / "pw").symlink_to("real/pw")
    world.write_project('[profiles.x]\nengine = "mysql"\npassword = { command = ["./pw"] }\n')
    world.trust()
    world.write(world.project / "real" / "lib.sh", "other")
    assert world.load().sources.project_changed


def test_a_revocation_list_is_taken_out_of_a_directory_of_them(world: World) -> None:
    path = world.write(world.project / "crls" / "abc.r0", "text")
    world.write_project('[profiles.x]\nengine = "postgresql"\nlibpq = { sslcrldir = "crls" }\n')
    world.trust()
    assert world.load().sources.project_trusted
    path.unlink()
    assert world.load().sources.project_changed


@pytest.mark.parametrize(
    "word", ["a" * 300, f"{'a' * 300}/b", f"./{'a' * 300}", "a/" * 3000, f"x={'a' * 5000}/b", f"/{'a' * 300}"]
)
def test_a_word_is_too_long_for_a_files_name(world: World, word: str) -> None:
    world.write(world.project / "pw", f"{word}\n")
    world.write_project(f'[profiles.x]\nengine = "mysql"\npassword = {{ command = ["sh", "pw", "{word}"] }}\n')
    world.trust()
    assert world.load().sources.project_trusted


def test_a_directory_is_swapped_for_a_link(world: World, tmp_path: Path) -> None:
    world.write(world.project / "dir" / "a" / "f", "")
    world.write_project('[profiles.x]\nengine = "mysql"\npassword = { command = ["run-parts", "dir"] }\n')
    world.trust()
    (world.project / "dir" / "a").rename(tmp_path / "a")
    (world.project / "dir" / "a").symlink_to(tmp_path / "a")
    assert world.load().sources.project_changed


def test_a_certificate_that_a_trusted_option_file_names_is_changed(world: World) -> None:
    path = world.write(world.project / "ca.pem", "text")
    world.write(world.project / "my.cnf", "[client]\nssl-ca=ca.pem\n")
    world.write_project('[profiles.x]\nengine = "mysql"\noption_file = "my.cnf"\n')
    world.trust()
    path.write_text("other")
    assert world.load().sources.project_changed


@pytest.mark.parametrize("line", [line for line in REFERENCES if "url" not in line and "service" not in line])
def test_what_a_profile_refers_to_appears_later(world: World, line: str) -> None:
    world.write_project(f'[profiles.x]\nengine = "postgresql"\n{line}\n')
    world.trust()
    assert world.load().sources.project_trusted
    world.write(world.project / "f", "text")
    assert world.load().sources.project_changed


def test_an_option_file_is_replaced(world: World) -> None:
    path = world.write(world.project / "my.cnf", "[client]\n")
    world.write_project('[profiles.x]\nengine = "mysql"\noption_file = "my.cnf"\n')
    world.trust()
    path.write_text("[client]\nhost=evil.example\n")
    with pytest.raises(ProfileError, match="have changed since you trusted them"):
        world.get("x")


def test_a_record_of_the_files_alone_asks_again_where_they_refer_to_others(world: World) -> None:
    world.write(world.project / "f", "text")
    world.write_project('[profiles.x]\nengine = "postgresql"\npassword = { command = ["./f"] }\n')
    world.trust()

    def forget(state: State) -> State:
        files = {name: digest for name, digest in state.projects[str(world.project)].items() if name != "f"}
        return state.replaced(projects={str(world.project): files})

    update_state(world.environment, forget)
    assert not world.load().sources.project_trusted


def test_the_data_in_a_database_changes_as_it_likes(world: World) -> None:
    path = world.write(world.project / "x.db", "")
    world.write_project('[profiles.x]\nengine = "sqlite"\npath = "x.db"\n')
    world.trust()
    path.write_text("data")
    assert world.load().sources.project_trusted
