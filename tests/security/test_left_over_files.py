"""What dbtool leaves in the file system gives nobody a password or a privilege."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from dbtool.cli.profile.drafts import DraftFile, sweep_drafts
from dbtool.profiles.changes.writing import replace_file
from dbtool.run.outputs import open_file_output
from tests.cli.profile_shell import Shell
from tests.cli.running import COMMAND, run_inside


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of temporary files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def forget(draft: DraftFile) -> None:
    """Do what the end of a process does: its lock goes, and its files stay."""
    os.close(draft.descriptors[0])


@pytest.mark.parametrize("special", [stat.S_ISUID, stat.S_ISGID, stat.S_ISVTX, stat.S_ISUID | stat.S_ISGID])
def test_rows_take_over_the_set_user_id_bit_of_the_program_that_they_replace(tmp_path: Path, special: int) -> None:
    path = tmp_path / "program"
    path.touch()
    path.chmod(0o755 | special)
    output = open_file_output(path)
    output.write(b"#!/bin/sh\nid\n")
    output.commit()
    assert stat.S_IMODE(path.stat().st_mode) == 0o755


def test_a_profile_file_takes_over_the_set_user_id_bit(tmp_path: Path) -> None:
    path = tmp_path / "profiles.toml"
    path.write_bytes(b"a")
    path.chmod(0o6644)
    replace_file(path, before=b"a", after=b"b")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_killed_edit_leaves_its_copy_with_the_password_for_good(tmp_path: Path) -> None:
    shell = Shell(home=tmp_path)
    shell.write('[profiles.a]\nengine = "mysql"\npassword = "hush"\n')
    shell.set_editor('echo "$PPID" > ready.new; mv ready.new ready; exec sleep 60')
    process = subprocess.Popen(
        [*COMMAND, "profile", "edit"], cwd=shell.work, env=shell.environment, start_new_session=True
    )
    try:
        while not (shell.work / "ready").exists():
            assert process.poll() is None
            time.sleep(0.02)
        (left,) = shell.scratch.iterdir()
        assert sorted(path.name for path in left.iterdir()) == [".in-use", "profiles.toml"]
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    shell.variables["EDITOR"] = "true"
    done = shell.run("profile", "edit")
    assert done.status == 0
    assert f"removed {left}" in done.err
    assert list(shell.scratch.iterdir()) == []


def test_the_copy_of_an_edit_that_goes_on_is_not_swept_away(scratch: Path) -> None:
    draft = DraftFile("profiles.toml", b"text")
    assert list(sweep_drafts()) == []
    assert draft.path.read_bytes() == b"text"
    draft.discard()
    assert list(scratch.iterdir()) == []


def test_the_copy_of_an_editor_that_outlives_its_command_is_not_swept_away(scratch: Path) -> None:
    draft = DraftFile("profiles.toml", b"text")
    with subprocess.Popen(["sleep", "60"], pass_fds=draft.descriptors) as editor:
        try:
            forget(draft)
            assert list(sweep_drafts()) == []
        finally:
            editor.kill()
    assert list(sweep_drafts()) == [draft.path.parent]
    assert list(scratch.iterdir()) == []


def test_a_text_whose_place_its_user_was_told_is_not_swept_away(scratch: Path) -> None:
    draft = DraftFile("profiles.toml", b"text")
    draft.keep()
    assert list(sweep_drafts()) == []
    assert draft.path.read_bytes() == b"text"


def _replace_by_link(directory: Path, elsewhere: Path) -> None:
    shutil.copytree(directory, elsewhere)
    shutil.rmtree(directory)
    directory.symlink_to(elsewhere)


def _open_to_all(directory: Path, _elsewhere: Path) -> None:
    directory.chmod(0o777)


def _give_away(directory: Path, _elsewhere: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a directory to another user")
    os.chown(directory, 1, 1)


@pytest.mark.parametrize("tamper", [_replace_by_link, _open_to_all, _give_away])
def test_the_sweep_is_led_to_remove_what_is_not_its_own(scratch: Path, tmp_path: Path, tamper: object) -> None:
    draft = DraftFile("profiles.toml", b"text")
    forget(draft)
    assert callable(tamper)
    tamper(draft.path.parent, tmp_path / "elsewhere")
    assert list(sweep_drafts()) == []
    assert draft.path.read_bytes() == b"text"


def test_with_no_umask_at_all_nobody_else_may_write_to_what_remembers_or_lead_elsewhere_to_it(tmp_path: Path) -> None:
    base = {"XDG_STATE_HOME": str(tmp_path / "a" / "state"), "XDG_CONFIG_HOME": str(tmp_path / "b" / "config")}
    before = os.umask(0)
    try:
        for arguments in (
            ("profile", "add", "x", "--engine", "sqlite", "--path", ":memory:"),
            ("profile", "import", "postgresql://u:hush@h/d", "--name", "y", "--plain"),
            ("profile", "copy", "x", "z"),
            ("switch", "x"),
        ):
            done = run_inside(*arguments, environment=base, cwd=tmp_path)
            assert done.status == 0, done.err
    finally:
        os.umask(before)
    made = [path for path in tmp_path.rglob("*") if not path.is_symlink()]
    assert {path.name for path in made} >= {"a", "b", "state.json", "state.lock", "profiles.toml"}
    assert {path.name: oct(path.stat().st_mode & 0o077) for path in made if path.stat().st_mode & 0o077} == {}
