"""Where bytes go: a stream takes them as they come, a file is whole or not there."""

from __future__ import annotations

import io
import os
import select
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from dbtool.errors import OutputError, ReaderGoneError
from dbtool.run.outputs import (
    FileOutput,
    StreamOutput,
    open_file_output,
    translate_output_error,
    watch_reader,
    write_all,
)


@pytest.fixture
def usual_mask() -> Iterator[None]:
    """The mask that most users have."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_a_file_appears_at_the_end_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    output = open_file_output(path)
    output.write(b"a\n" * 200_000)
    output.flush()
    assert not path.exists()
    (beside,) = tmp_path.iterdir()
    assert beside.name.startswith(".rows.csv.")
    output.commit()
    assert path.read_bytes() == b"a\n" * 200_000
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_given_up_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("old")
    output = open_file_output(path)
    output.write(b"new")
    output.discard()
    output.discard()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("usual_mask")
def test_a_files_mode_is_the_usual_one_or_that_of_the_one_before(tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    old.touch()
    old.chmod(0o640)
    for path in (new, old):
        output = open_file_output(path)
        output.write(b"x")
        output.commit()
    assert stat.S_IMODE(new.stat().st_mode) == 0o644
    assert stat.S_IMODE(old.stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "inner" / "rows.csv")
    output = open_file_output(link)
    output.write(b"x")
    output.commit()
    assert link.is_symlink()
    assert (tmp_path / "inner" / "rows.csv").read_bytes() == b"x"


@pytest.mark.parametrize("name", ["missing/rows.csv", ".", "file/rows.csv"])
def test_a_place_that_cannot_be_written_is_said_at_once(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"^-o .*: cannot be written: "):
        open_file_output(tmp_path / name)
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_file_that_cannot_be_put_in_its_place_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    output = open_file_output(path)
    output.write(b"x")
    path.mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        output.commit()
    assert list(tmp_path.iterdir()) == [path]


def test_a_device_and_a_pipe_are_written_directly(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    output = open_file_output(pipe)
    assert not isinstance(output, FileOutput)
    output.write(b"rows\n")
    output.commit()
    assert os.read(reader, 10) == b"rows\n"
    os.close(reader)
    device = open_file_output(Path(os.devnull))
    device.write(b"x")
    device.commit()
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_stream_takes_everything_and_keeps_what_it_was_given() -> None:
    target = io.BytesIO()
    output = StreamOutput(target, "standard output")
    output.write(b"first\n")
    assert target.getvalue() == b""
    output.flush()
    assert target.getvalue() == b"first\n"
    output.write(b"second\n")
    output.discard()
    assert target.getvalue() == b"first\nsecond\n"


class _ShortWriter:
    """A raw file that takes a little at a time, as one on a disk that fills up does."""

    def __init__(self) -> None:
        self.taken = bytearray()

    def write(self, data: memoryview, /) -> int:
        piece = bytes(data[:1000])
        self.taken += piece
        return len(piece)

    def flush(self) -> None:
        """Have nothing to flush."""


def test_a_stream_that_takes_a_little_at_a_time_gets_everything() -> None:
    target = _ShortWriter()
    output = StreamOutput(cast("BinaryIO", target), "standard output")
    output.write(b"x" * 300_000)
    output.commit()
    assert len(target.taken) == 300_000


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BrokenPipeError(32, "Broken pipe"), ReaderGoneError),
        (ConnectionResetError(104, "Connection reset by peer"), ReaderGoneError),
        (OSError(28, "No space left on device"), OutputError),
    ],
)
def test_an_error_of_writing_says_whose_fault_it_is(error: OSError, kind: type[OutputError]) -> None:
    translated = translate_output_error(error, "standard output")
    assert type(translated) is kind
    assert str(translated).startswith("standard output: ")


def test_a_watched_pipe_says_when_its_reader_has_gone() -> None:
    read_end, write_end = os.pipe()
    is_gone = watch_reader(write_end)
    assert not is_gone()
    os.write(write_end, b"unread")
    assert not is_gone()
    os.close(read_end)
    assert is_gone()
    os.close(write_end)


@pytest.mark.timing
def test_a_pipe_that_does_not_block_is_waited_for_without_spinning() -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    waited: list[float] = []
    taken = bytearray()

    def read() -> None:
        # What fits into the pipe is written at once; for the rest somebody has to read.
        began = time.process_time()
        while select.select([], [write_end], [], 0)[1]:
            time.sleep(0.01)
        time.sleep(0.3)
        waited.append(time.process_time() - began)
        while data := os.read(read_end, 65536):
            taken.extend(data)

    reader = threading.Thread(target=read)
    reader.start()
    with os.fdopen(write_end, "wb", buffering=0) as stream:
        write_all(cast("BinaryIO", stream), b"x" * 1_000_000)
    reader.join()
    os.close(read_end)
    assert taken == b"x" * 1_000_000
    assert waited[0] < 0.15


def test_a_pipe_that_does_not_block_and_whose_reader_goes_is_an_error() -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    leaving = threading.Timer(0.1, os.close, [read_end])
    leaving.start()
    with os.fdopen(write_end, "wb", buffering=0) as stream:
        output = StreamOutput(cast("BinaryIO", stream), "standard output")
        with pytest.raises(ReaderGoneError):
            output.write(b"x" * 1_000_000)
    leaving.join()
