from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbtool.engines.mysql.packets import BlockReader, Ok, rewrite_rows, skip_rows

Cells = Sequence[str | None]

END = b"\x05\x00\x00\x09\xfe\x00\x00\x02\x00"
ERROR = b"\x09\x00\x00\x09\xff\x15\x04#28000"

_ESCAPES = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r", "\b": r"\b", "\f": r"\f", "\v": r"\v"}


def packet_of(row: Cells) -> bytes:
    """Write a row as the text protocol does, value by value."""
    body = b"".join(_spell(None if cell is None else cell.encode()) for cell in row)
    return len(body).to_bytes(3, "little") + b"\x07" + body


def _spell(value: bytes | None) -> bytes:
    if value is None:
        return b"\xfb"
    length = len(value)
    if length < 251:
        return bytes([length]) + value
    if length < 1 << 16:
        return b"\xfc" + length.to_bytes(2, "little") + value
    return b"\xfd" + length.to_bytes(3, "little") + value


def copy_text(rows: Sequence[Cells]) -> str:
    return "".join("\t".join(_escape(cell) for cell in row) + "\n" for row in rows)


def _escape(cell: str | None) -> str:
    return "\\N" if cell is None else "".join(_ESCAPES.get(character, character) for character in cell)


def rewrite_in_pieces(stream: bytes, cuts: Sequence[int], fields: int) -> tuple[bytes, int, bytes]:
    """Rewrite a stream that arrives in pieces; return the text, the rows, and what was left."""
    text, rows, rest = b"", 0, bytearray()
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for start, end in pairwise(edges):
        rewritten = rewrite_rows(rest + stream[start:end], fields)
        assert rewritten.is_sound
        text, rows, rest = text + rewritten.text, rows + rewritten.rows, rewritten.rest
    return text, rows, bytes(rest)


# 250 and 251 lie on both sides of the first change of how a length is written, 65 536 on the far side of the next.
CELLS = st.none() | st.text(max_size=12) | st.text("a\\\t\n\u00e9\U0001f600\x00", min_size=62, max_size=252)
TABLES = st.integers(1, 5).flatmap(lambda fields: st.lists(st.tuples(*[CELLS] * fields), min_size=1, max_size=8))


@given(TABLES, st.lists(st.integers(0, 1 << 16), max_size=6))
def test_rows_become_copy_text_wherever_the_stream_is_cut(rows: list[Cells], cuts: list[int]) -> None:
    stream = b"".join(map(packet_of, rows)) + END
    text, count, rest = rewrite_in_pieces(stream, cuts, len(rows[0]))
    assert text.decode() == copy_text(rows)
    assert (count, rest) == (len(rows), END)


@pytest.mark.parametrize("length", [0, 1, 250, 251, 252, 65_535, 65_536, 65_537, 200_000])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_every_way_of_writing_a_length_is_read(length: int, place: int) -> None:
    row: list[str | None] = ["a", None, "\t"]
    row[place] = "x" * length
    stream = packet_of(row) * 3
    text, count, rest = rewrite_in_pieces(stream + END, [5, len(stream) // 2], 3)
    assert (text.decode(), count, rest) == (copy_text([row] * 3), 3, END)


@pytest.mark.parametrize(
    "tail", [END, ERROR, b"\xff\xff\xff\x01\xfe" + b"x" * 20], ids=["the end", "an error", "a row of 16 MB"]
)
def test_what_is_no_ordinary_row_is_left_where_it_is(tail: bytes) -> None:
    rewritten = rewrite_rows(bytearray(packet_of(["a", "b"]) + tail), 2)
    assert (rewritten.text, rewritten.rows, bytes(rewritten.rest), rewritten.ended) == (b"a\tb\n", 1, tail, True)


def test_a_row_that_has_arrived_whole_does_not_wait_for_more() -> None:
    rewritten = rewrite_rows(bytearray(packet_of(["a"]) + packet_of([None])), 1)
    assert (rewritten.text, rewritten.rows, bytes(rewritten.rest)) == (b"a\n\\N\n", 2, b"")
    assert not rewritten.ended


def test_a_row_that_has_not_arrived_whole_is_not_an_end() -> None:
    packet = packet_of(["abc", None])
    for size in range(len(packet)):
        rewritten = rewrite_rows(bytearray(packet[:size]), 2)
        assert (rewritten.text, rewritten.rows, bytes(rewritten.rest)) == (b"", 0, packet[:size])
        assert not rewritten.ended


def test_bytes_that_stand_for_separators_are_found_in_values() -> None:
    for byte in range(0x80, 0x100):
        for row in ([b"M\xfcller".replace(b"\xfc", bytes([byte])), None], [None, b"x" * 300 + bytes([byte])]):
            body = b"".join(_spell(cell) for cell in row)
            packet = len(body).to_bytes(3, "little") + b"\x07" + body
            rewritten = rewrite_rows(bytearray(packet_of(["a", "b"]) + packet), 2)
            assert rewritten.is_sound == (byte < 0xFB)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, BlockReader]]:
    left, right = socket.socketpair()
    with left, right:
        yield left, BlockReader(right)


def test_a_reader_gives_packets_and_blocks_in_turn(pair: tuple[socket.socket, BlockReader]) -> None:
    sender, reader = pair
    sender.sendall(b"abcdefgh")
    assert reader.read(2) == b"ab"
    assert bytes(reader.take_buffered()) == b"cdefgh"
    reader.give_back(b"gh")
    sender.sendall(b"ij")
    assert reader.require(4)
    assert reader.read(3) == b"ghi"
    sender.close()
    assert reader.read(5) == b"j"
    assert not reader.require(1)
    assert reader.read(1) == b""
    reader.close()


def ok_packet(affected: bytes, insert_id: bytes = b"\x00", status: int = 2, warnings: int = 0) -> bytes:
    body = b"\x00" + affected + insert_id + status.to_bytes(2, "little") + warnings.to_bytes(2, "little")
    return len(body).to_bytes(3, "little") + b"\x01" + body


@pytest.mark.parametrize(
    ("affected", "spelled"),
    [
        (0, b"\x00"),
        (250, b"\xfa"),
        (251, b"\xfc\xfb\x00"),
        (65536, b"\xfd\x00\x00\x01"),
        (1 << 32, b"\xfe" + (1 << 32).to_bytes(8, "little")),
    ],
)
def test_a_good_short_answer_is_read_whole(
    pair: tuple[socket.socket, BlockReader], affected: int, spelled: bytes
) -> None:
    sender, reader = pair
    sender.sendall(ok_packet(spelled, insert_id=spelled, status=3, warnings=300))
    assert reader.take_ok() == Ok(affected, status=3, warnings=300)
    sender.close()
    assert reader.read(1) == b""


@pytest.mark.parametrize(
    "answer",
    [
        b"\x09\x00\x00\x01\xff\x15\x04#28000",
        b"\x01\x00\x00\x01\x02",
        ok_packet(b"\x01", status=2 | 8),
        ok_packet(b"\x01")[:-1],
        ok_packet(b"\x01") + b"\x01",
        ok_packet(b"\x01")[:3] + b"\x02" + ok_packet(b"\x01")[4:],
        b"\x07",
        b"",
    ],
    ids=["error", "rows", "more results", "cut off", "more bytes", "out of order", "one byte", "end"],
)
def test_any_other_answer_is_left_to_the_driver(pair: tuple[socket.socket, BlockReader], answer: bytes) -> None:
    sender, reader = pair
    sender.sendall(answer)
    sender.close()
    assert reader.take_ok() is None
    assert reader.read(len(answer) + 1) == answer


def test_an_answer_behind_bytes_that_wait_is_left_to_the_driver(pair: tuple[socket.socket, BlockReader]) -> None:
    sender, reader = pair
    reader.give_back(b"abc")
    sender.sendall(ok_packet(b"\x01"))
    assert reader.take_ok() is None
    assert reader.read(3) == b"abc"


@given(TABLES, st.sampled_from([b"", END, ERROR, END[:3]]), st.integers(0))
def test_rows_are_passed_over_as_far_as_they_would_be_rewritten(rows: list[Cells], end: bytes, cut: int) -> None:
    stream = b"".join(packet_of(row) for row in rows) + end
    block = stream[: cut % (len(stream) + 1)]
    rewritten = rewrite_rows(bytearray(block), len(rows[0]))
    assert skip_rows(bytearray(block)) == (rewritten.rest, rewritten.ended)
