"""Where SQL comes from: arguments, files, standard input; all of it as streams of bytes.

A source that can be read twice (an argument, a small regular file) is looked through before anything
of it runs. A stream is read as far as the next statement needs, and no further.
"""

from __future__ import annotations

import codecs
import errno
import os
import select
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from dbtool.encodings import UTF8
from dbtool.environment import Environment
from dbtool.errors import UsageError
from dbtool.records import Record
from dbtool.statements.copy_data import Stream

CHECKED_SIZE = 1 << 20
"""A regular file of up to this many bytes is looked through before it runs."""
_CHUNK = 1 << 18
STANDARD_INPUT = "-"
_STANDARD_INPUT_NAME = "standard input"

_BETWEEN_CHECKS = 100
"""Milliseconds between two looks at whether a read that waits is still wanted."""

Reader = Callable[[], bytes]
"""Returns the next bytes that have arrived, b"" at the end."""

Check = Callable[[], object]
"""Raises when there is no use in reading on."""


def _go_on() -> None:
    """Check nothing."""


class Recoding(Record):
    """From which encoding to which text goes on its way to a session."""

    written: str
    sent: str

    @classmethod
    def between(cls, written: str, sent: str) -> Recoding | None:
        """Return the way from one encoding to another, None where that is the same: bytes go as they are."""
        return None if written == sent else cls(written=written, sent=sent)

    def apply(self, read: Reader, label: str) -> Reader:
        """Return a reader of the same text as it is sent; it raises UsageError where the text is not as written."""
        decoder = codecs.getincrementaldecoder(self.written)()
        lines = 1

        def read_on() -> bytes:
            nonlocal lines
            text = ""
            try:
                while not text and (data := read()):
                    text = decoder.decode(data)
                text = text or decoder.decode(b"", final=True)
                sent = text.encode(self.sent)
            except UnicodeDecodeError as error:
                line = lines + error.object[: error.start].count(b"\n")
                raise UsageError(
                    f"{label}:{line}: the byte 0x{error.object[error.start]:02x} is no text in {self.written}: "
                    "say with --encoding (profile: encoding) what it is written in"
                ) from None
            except UnicodeEncodeError as error:
                line = lines + error.object[: error.start].count("\n")
                raise UsageError(
                    f"{label}:{line}: {error.object[error.start]!a} has no place in the session's encoding, {self.sent}"
                ) from None
            lines += text.count("\n")
            return sent

        return read_on


def _leave(read: Reader, _label: str) -> Reader:
    return read


class Source(Record):
    """One script: its name for messages, and one of three ways to read it."""

    name: str
    content: bytes | None = None
    """The whole text, where it is at hand."""
    path: Path | None = None
    stream: BinaryIO | None = None
    head: bytes = b""
    """What has been read of the stream already."""
    directory: Path | None = None
    """Where the names of files in it lead from; None for one that may name none."""
    identity: tuple[int, int] | None = None
    """The device and number of its file."""
    copy_input: BinaryIO | None = None
    """Where a COPY ... FROM STDIN that ends the script finds its data: an argument holds none."""
    encoding: str | None = None
    """What it is written in, where that is known: an argument is UTF-8."""
    recoding: Recoding | None = None
    copy_recoding: Recoding | None = None

    def sent_as(self, written: str, session: str) -> Source:
        """Return the source for a session of another encoding; files and streams are in the one that is `written`."""
        return self.replaced(
            recoding=Recoding.between(self.encoding or written, session),
            copy_recoding=Recoding.between(written, session),
        )

    @contextmanager
    def open(self, check: Check = _go_on) -> Iterator[Reader]:
        """Give a reader over the source; a file is closed at the end, a stream is left open.

        `check` is called before each read and every now and then while one waits: what it raises ends the read.
        """
        recode = self.recoding.apply if self.recoding else _leave
        if self.content is not None:
            yield recode(_read_once(self.content), self.label)
        elif self.stream is not None:
            yield recode(read_arriving(self.stream, self.name, check, self.head), self.label)
        elif self.path is not None:
            with _open_file(self.path, self.label) as file:
                yield recode(read_arriving(file, self.label, check), self.label)

    @property
    def is_argument(self) -> bool:
        """Say whether it was typed into the command line."""
        return self.path is None and self.stream is None and self.encoding is not None

    @property
    def label(self) -> str:
        """What an error about the source itself calls it."""
        return self.name if self.path is None else _label_file(self.name)

    def open_copy_input(self, check: Check) -> Stream | None:
        """Return the data for a COPY that ends the script, if it has them elsewhere; `check` as in `open`."""
        if self.copy_input is None:
            return None
        recode = self.copy_recoding.apply if self.copy_recoding else _leave
        read = recode(read_arriving(self.copy_input, _STANDARD_INPUT_NAME, check), _STANDARD_INPUT_NAME)
        return Stream(read, _STANDARD_INPUT_NAME)


def _read_once(content: bytes) -> Reader:
    remaining = [content]
    return lambda: remaining.pop() if remaining else b""


def join_line_ends(read: Reader) -> Reader:
    """Return a reader of the same lines, each of which ends with a line feed alone."""
    held = b""

    def read_on() -> bytes:
        nonlocal held
        while data := read():
            data = (held + data).replace(b"\r\n", b"\n")
            held = b"\r" if data.endswith(b"\r") else b""
            if data := data.removesuffix(held):
                return data
        last, held = held, b""
        return last

    return read_on


def read_arriving(stream: BinaryIO, label: str, check: Check, head: bytes = b"") -> Reader:
    """Return what reads a stream as it arrives; `check` as in `Source.open`."""
    waiting = [head] if head else []
    return lambda: waiting.pop() if waiting else _read_some(stream, label, check)


def _read_some(stream: BinaryIO, label: str, check: Check) -> bytes:
    """Return what has arrived, b"" at the end; waits for something, also where the pipe would not."""
    # read1 returns what is there instead of waiting until a whole chunk has come.
    read: Callable[[int], bytes | None] = getattr(stream, "read1", stream.read)
    check()
    with blaming(label):
        _wait_for_arrival(stream, check)
        while (data := read(_CHUNK)) is None:
            _wait_for_arrival(stream, check)
    return data


@contextmanager
def blaming(label: str) -> Iterator[None]:
    """Turn what opening or reading a source raises into an error that names it."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{label}: cannot be read: {error.strerror}") from error


def _wait_for_arrival(stream: BinaryIO, check: Check) -> None:
    """Wait until a read would find something, where the platform can tell; read1 leaves nothing in a buffer."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # a stream that is no file
        return
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while not poll.poll(_BETWEEN_CHECKS):
            check()


def from_arguments(
    texts: Sequence[str], copy_input: BinaryIO | None = None, directory: Path | None = None
) -> list[Source]:
    """Return the sources for SQL given as arguments; raises UsageError where one is not UTF-8."""
    sources = []
    for number, text in enumerate(texts, 1):
        name = "argument" if len(texts) == 1 else f"argument {number}"
        content = os.fsencode(text)
        try:
            content.decode()
        except UnicodeDecodeError as error:
            raise UsageError(
                f"{name}: the SQL is not valid UTF-8 (byte 0x{content[error.start]:02x} at offset {error.start})"
            ) from error
        sources.append(Source(name=name, content=content, directory=directory, copy_input=copy_input, encoding=UTF8))
    return sources


def from_file(path: Path, name: str) -> Source:
    """Return the source for a file that `-f` calls `name`; a small regular one is read at once.

    A pipe is not opened yet: it gives what is in it once, and has to wait for who writes it. Raises
    UsageError when the file cannot be read.
    """
    with blaming(_label_file(name)):
        status = path.stat()
        mode, identity = status.st_mode, (status.st_dev, status.st_ino)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if stat.S_ISREG(mode):
            with path.open("rb") as file:
                if _is_small_file(file):
                    return Source(name=name, content=file.read(), directory=path.parent, identity=identity)
        elif not os.access(path, os.R_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return Source(name=name, path=path, directory=path.parent, identity=identity)


def _label_file(name: str) -> str:
    return f"-f {name}"


def from_stream(stream: BinaryIO) -> Source:
    """Return the source for standard input; nothing is read yet."""
    return Source(name=_STANDARD_INPUT_NAME, stream=stream)


def look_into(source: Source, check: Check = _go_on) -> Source:
    """Return a stream's source once something has come of it, or its end: an empty one then holds nothing.

    A small regular file behind it is read at once. May wait as long as the stream's writer does, or
    until `check` raises.
    """
    if source.stream is None:
        return source
    if _is_small_file(source.stream):
        with blaming(source.label):
            return Source(name=source.name, content=source.stream.read())
    head = _read_some(source.stream, source.label, check)
    return source.replaced(head=head) if head else Source(name=source.name, content=b"")


def _is_small_file(stream: BinaryIO) -> bool:
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # a stream that is no file
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size <= CHECKED_SIZE


def _open_file(path: Path, label: str) -> BinaryIO:
    with blaming(label):
        return path.open("rb")


_FILE_SUFFIX = ".sql"
_LONGEST_NAME = 4096


def _refuse_file(argument: str, directory: Path) -> None:
    """Refuse a file's name where SQL stands: no statement is a single word with a dot or a slash in it."""
    if len(argument.split()) != 1 or len(argument) > _LONGEST_NAME or not {".", "/"} & {*argument}:
        return
    try:
        is_there = (directory / argument).is_file()
    except (OSError, ValueError):
        is_there = False
    if is_there or argument.lower().endswith(_FILE_SUFFIX):
        raise UsageError(f"{argument} is a file, and no SQL: run it with -f {argument}")


def choose_sources(environment: Environment, arguments: Sequence[str], files: Sequence[str]) -> list[Source]:
    """Return the sources that a command line names; none where statements are to be read at a prompt.

    Standard input is read for `-`, and when nothing else is given and it is no terminal.
    """
    if arguments and files:
        raise UsageError("give SQL as arguments or as files with -f, not both")
    if arguments == [STANDARD_INPUT] or (not arguments and not files and not environment.stdin_is_terminal):
        return [from_stream(environment.stdin)]
    if STANDARD_INPUT in arguments:
        raise UsageError("- (standard input) stands alone: it cannot be mixed with SQL in arguments")
    if files.count(STANDARD_INPUT) > 1:
        raise UsageError("-f -: standard input can be read once")
    for argument in arguments:
        _refuse_file(argument, environment.working_directory)
    if files:
        directory = environment.working_directory
        return [
            from_stream(environment.stdin) if name == STANDARD_INPUT else from_file(directory / name, name)
            for name in files
        ]
    return from_arguments(arguments, environment.stdin, environment.working_directory)
