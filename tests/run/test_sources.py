from __future__ import annotations

import io
import os
import threading
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from dbtool.environment import Environment
from dbtool.errors import UsageError
from dbtool.run.sources import CHECKED_SIZE, Source, choose_sources, from_arguments, from_file, from_stream, look_into


class Trickle(io.RawIOBase):
    """A stream of which one piece has arrived at a time."""

    def __init__(self, *pieces: bytes) -> None:
        self.waiting = list(pieces)
        self.asked = 0

    def read(self, size: int = -1) -> bytes:
        self.asked += 1
        return self.waiting.pop(0) if self.waiting else b""


def read_all(source: Source) -> list[bytes]:
    with source.open() as read:
        return list(iter(read, b""))


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(
        variables={}, working_directory=tmp_path, home=tmp_path, config_directory=tmp_path, state_directory=tmp_path,
        stdin=io.BytesIO(b"select 1"), stdout=io.BytesIO(), stderr=io.StringIO(),
    )  # fmt: skip


def test_arguments_can_be_read_again_and_again() -> None:
    [source] = from_arguments(["select 'a'"])
    assert read_all(source) == read_all(source) == [b"select 'a'"]
    assert [each.name for each in from_arguments(["a", "b"])] == ["argument 1", "argument 2"]


def test_an_argument_that_is_no_utf8_is_refused_with_its_byte() -> None:
    with pytest.raises(UsageError, match="0xff at offset 8"):
        from_arguments([os.fsdecode(b"select '\xff'")])


def test_a_small_file_is_at_hand_and_a_large_one_is_streamed(tmp_path: Path) -> None:
    small, large = tmp_path / "small.sql", tmp_path / "large.sql"
    small.write_bytes(b"x" * CHECKED_SIZE)
    large.write_bytes(b"y" * (CHECKED_SIZE + 1))
    assert from_file(small, "small.sql").content == b"x" * CHECKED_SIZE
    streamed = from_file(large, "large.sql")
    assert streamed.content is None
    pieces = read_all(streamed)
    assert len(pieces) > 1
    assert b"".join(pieces) == large.read_bytes()
    with large.open("rb") as file:
        assert look_into(from_stream(file)).content is None
    with small.open("rb") as file:
        assert look_into(from_stream(file)).content == small.read_bytes()


def test_a_pipe_is_read_no_further_than_it_has_to() -> None:
    pipe = Trickle(b"select 1;", b"select 2;")
    source = from_stream(cast("BinaryIO", pipe))
    assert pipe.asked == 0
    source = look_into(source)
    assert pipe.asked == 1
    with source.open() as read:
        assert read() == b"select 1;"
        assert pipe.asked == 1
        assert read() == b"select 2;"
        assert read() == b""


def test_a_file_that_is_no_regular_one_is_opened_once_it_is_its_turn(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    source = from_file(pipe, "pipe")
    writer = threading.Thread(target=pipe.write_bytes, args=(b"select 1",))
    writer.start()
    assert read_all(source) == [b"select 1"]
    writer.join()


def test_a_pipe_that_may_not_be_read_is_refused_before_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    # As another user's would be; the tests may run as root, whom nothing is denied.
    monkeypatch.setattr(os, "access", lambda *_arguments, **_options: False)
    with pytest.raises(UsageError, match="-f pipe: cannot be read: Permission denied"):
        from_file(tmp_path / "pipe", "pipe")


def test_an_error_of_the_run_is_not_taken_for_one_of_the_file(tmp_path: Path) -> None:
    large = tmp_path / "large.sql"
    large.write_bytes(b"y" * (CHECKED_SIZE + 1))
    with pytest.raises(OSError, match="of the run"), from_file(large, "large.sql").open():
        raise OSError("of the run")


def test_a_file_that_has_gone_meanwhile_is_named(tmp_path: Path) -> None:
    large = tmp_path / "large.sql"
    large.write_bytes(b"y" * (CHECKED_SIZE + 1))
    source = from_file(large, "large.sql")
    large.unlink()
    with pytest.raises(UsageError, match=r"-f large\.sql: cannot be read: No such file"):
        read_all(source)
    large.mkdir()
    with pytest.raises(UsageError, match=r"-f large\.sql: cannot be read: Is a directory"):
        read_all(source)


def test_an_empty_pipe_holds_nothing() -> None:
    assert look_into(from_stream(cast("BinaryIO", Trickle()))).content == b""
    [argument] = from_arguments(["select 1"])
    assert look_into(argument) is argument


def test_what_is_given_decides_what_is_read(environment: Environment, tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("select 2")

    def names(arguments: list[str], files: list[str], **more: Any) -> list[str]:
        return [source.name for source in choose_sources(environment.replaced(**more), arguments, files)]

    assert names(["select 1"], []) == ["argument"]
    assert names([], ["a.sql", "-"]) == ["a.sql", "standard input"]
    assert names(["-"], []) == ["standard input"]
    assert names([], []) == ["standard input"]
    assert names([], [], stdin_is_terminal=True) == []
    for arguments, files in ((["x"], ["a.sql"]), (["-", "x"], []), ([], ["-", "-"]), ([], ["b.sql"]), ([], ["."])):
        with pytest.raises(UsageError):
            names(arguments, files)
