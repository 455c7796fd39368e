"""A pipe whose reader may stall: every byte, in order, without waiting for it."""

from __future__ import annotations

import os
import threading
from typing import BinaryIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbtool.errors import OutputError, ReaderGoneError
from dbtool.run.spooling import DiskQueue, SpooledStream
from tests import scale
from tests.servers.processes import wait_until


class _Stallable:
    """A pipe that takes nothing until it is let."""

    def __init__(
        self, *, open_from_the_start: bool = False, failure: OSError | None = None, at_most: int = 1 << 20
    ) -> None:
        self.taken = bytearray()
        self.gate = threading.Event()
        self._failure = failure
        self._at_most = at_most
        if open_from_the_start:
            self.gate.set()

    def write(self, data: memoryview, /) -> int:
        assert self.gate.wait(20)
        if self._failure is not None:
            raise self._failure
        piece = bytes(data[: self._at_most])
        self.taken += piece
        return len(piece)


def _spool(pipe: _Stallable, *, patience: float = 0.0) -> SpooledStream:
    return SpooledStream(cast("BinaryIO", pipe), "standard output", patience=patience)


def _blocks(count: int, size: int = 1 << 17) -> list[bytes]:
    return [bytes([number % 251]) * size for number in range(count)]


def test_a_stalled_reader_holds_nobody_up_and_gets_everything_in_order() -> None:
    pipe = _Stallable()
    output = _spool(pipe)
    blocks = _blocks(40)
    _write(output, blocks)
    assert pipe.taken == b""
    pipe.gate.set()
    output.commit()
    assert bytes(pipe.taken) == b"".join(blocks)


def test_what_a_stalled_reader_leaves_is_on_disk_and_not_in_memory() -> None:
    pipe = _Stallable()
    output = _spool(pipe)
    _write(output, _blocks(40))
    assert output._spool is not None
    assert output._spool.end > 30 << 17
    assert output._queued <= output._HELD + (1 << 17)
    pipe.gate.set()
    output.commit()


def test_a_reader_that_catches_up_gives_the_disk_back() -> None:
    pipe = _Stallable()
    output = _spool(pipe)
    blocks = _blocks(40)
    _write(output, blocks)
    pipe.gate.set()
    assert wait_until(lambda: len(pipe.taken) == 40 << 17, seconds=20)
    output.write(blocks[0])
    assert wait_until(lambda: output._spool is None, seconds=20)
    output.commit()
    assert len(pipe.taken) == 41 << 17


def test_a_reader_that_is_merely_slow_is_waited_for() -> None:
    pipe = _Stallable()
    output = _spool(pipe, patience=20.0)
    threading.Timer(0.05, pipe.gate.set).start()
    _write(output, _blocks(40))
    assert output._spool is None
    output.commit()
    assert len(pipe.taken) == 40 << 17


def test_little_is_written_without_a_thread() -> None:
    pipe = _Stallable(open_from_the_start=True, at_most=3)
    output = _spool(pipe)
    output.write(b"a,b\n1,2\n")
    assert output._thread is None
    output.commit()
    assert bytes(pipe.taken) == b"a,b\n1,2\n"


def test_a_result_that_has_ended_is_handed_on_at_once() -> None:
    pipe = _Stallable(open_from_the_start=True)
    output = _spool(pipe)
    output.write(b"1\n")
    output.flush()
    assert wait_until(lambda: bytes(pipe.taken) == b"1\n", seconds=20)
    output.commit()


@pytest.fixture(params=[BrokenPipeError(32, "Broken pipe"), OSError(28, "No space left on device")])
def failing(request: pytest.FixtureRequest) -> tuple[_Stallable, type[OutputError]]:
    """A pipe that fails, and what that has to be called."""
    error: OSError = request.param
    kind = ReaderGoneError if isinstance(error, BrokenPipeError) else OutputError
    return _Stallable(open_from_the_start=True, failure=error), kind


def test_what_the_writing_meets_is_raised_by_the_next_call(failing: tuple[_Stallable, type[OutputError]]) -> None:
    pipe, kind = failing
    output = _spool(pipe)
    output.write(_blocks(1)[0])
    assert wait_until(lambda: output._failure is not None, seconds=20)
    with pytest.raises(kind, match="standard output"):
        output.write(_blocks(1)[0])
    with pytest.raises(kind):
        output.flush()
    with pytest.raises(kind):
        output.commit()
    output.discard()


def test_a_little_that_cannot_be_written_is_an_error_as_well(failing: tuple[_Stallable, type[OutputError]]) -> None:
    pipe, kind = failing
    output = _spool(pipe)
    output.write(b"1\n")
    with pytest.raises(kind):
        output.commit()


def test_a_writer_that_waits_is_woken_when_its_reader_goes() -> None:
    pipe = _Stallable(failure=BrokenPipeError(32, "Broken pipe"))
    output = _spool(pipe, patience=20.0)
    threading.Timer(0.05, pipe.gate.set).start()
    with pytest.raises(ReaderGoneError):
        _write(output, _blocks(40))


def _write(output: SpooledStream, blocks: list[bytes]) -> None:
    for block in blocks:
        output.write(block)


@settings(max_examples=scale.STALLS, deadline=None)
@given(pieces=st.lists(st.integers(min_value=0, max_value=300_000), max_size=25), stall=st.integers(0, 24))
def test_whatever_the_pieces_and_the_stall_every_byte_arrives_in_order(pieces: list[int], stall: int) -> None:
    pipe = _Stallable(at_most=70_000)
    output = _spool(pipe)
    sent = bytearray()
    for number, size in enumerate(pieces):
        if number == stall:
            pipe.gate.set()
        piece = os.urandom(1) * size
        sent += piece
        output.write(piece)
        if number % 7 == 3:
            output.flush()
    pipe.gate.set()
    output.commit()
    assert pipe.taken == sent


def test_a_queue_on_disk_gives_back_what_it_was_given() -> None:
    queue = DiskQueue()
    assert queue.is_empty
    queue.write(b"first ")
    queue.end += 6
    queue.write(b"second")
    queue.end += 6
    assert queue.read(0, 12) == b"first second"
    queue.close()
