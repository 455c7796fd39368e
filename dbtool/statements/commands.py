"""Commands of the native clients in a script: done, followed, passed over with a word, or refused with the cure."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeAlias

from dbtool.dialects import Dialect, Lexical
from dbtool.errors import Place, UsageError
from dbtool.expressions import expression
from dbtool.records import Record
from dbtool.statements.patterns import Buffer

_NAME = expression(rb"\\[A-Za-z_]+|\\.|\.?[A-Za-z_]+|.", re.DOTALL)
_OTHER_CURE = "leave it out, or run it in that client"


class NewTerminator(Record, kw_only=False):
    """Statements end otherwise from here on."""

    terminator: bytes


class Sql(Record, kw_only=False):
    """The line is a statement, without a terminator."""

    text: bytes


class Inclusion(Record, kw_only=False):
    """Another file is to be run."""

    name: str


class NewDatabase(Record, kw_only=False):
    """What follows is for another database of the server."""

    name: str


class Remark(Record, kw_only=False):
    """Something is to be said; of one that is said `once`, the next ones like it are left out."""

    text: str
    once: str = ""


Action: TypeAlias = NewTerminator | Sql | Inclusion | NewDatabase | Remark | None
"""What a command asks for; None where nothing has to be done."""


class Script(Record, kw_only=False):
    """A file that a script runs."""

    read: Callable[[], bytes]
    source: str
    client: Client


class Client:
    """Does what a script asks of the native client; this one follows it to no file and no other database."""

    def lexical(self, dialect: Dialect) -> Lexical:
        """Return the rules by which the session reads the next statement; these are a new session's."""
        return dialect.lexical

    def open(self, name: str, place: Place) -> AbstractContextManager[Script]:
        """Open a file that a script runs. Raises UsageError where it is not to be run, or cannot be read."""
        raise UsageError(
            f"{place}: {name} is not run from here: a script runs other files where it came from an argument or from "
            "-f; name the file with -f"
        )

    def connect(self, database: str, place: Place) -> None:
        """Go to another database of the same server, for what follows. Raises DbtoolError."""
        raise UsageError(f"{place}: the connection is not changed to {database} from here: choose it with --profile")

    def note(self, remark: Remark) -> None:
        """Say something to whoever runs the script."""


# Nothing here is possessive: before Python 3.11.4, one repetition of that kind inside another matches too little.
_USE = rb"""(use[ \t]+(?:`(?:[^`\r\n]|``)+`|[^\s;`'"\#/-](?:[^\s;`'"\#/-]|-(?!-))*))"""
_LINE_STATEMENT = expression(
    rb"""%b [ \t]* (?:(?:--|\#)[^\r\n]* | /\*(?![!M+])(?:(?!\*/)[^\r\n])*\*/[ \t]*)? \r?(?:\n|\Z)""" % _USE,
    re.IGNORECASE | re.VERBOSE,
)
_MAY_BE_LINE = expression(
    rb"""(?:us? | use[ \t]* (?:`[^\r\n]*)? | %b [ \t]* (?:-|(?:--|\#|/)[^\r\n]*)? \r?)\Z""" % _USE,
    re.IGNORECASE | re.VERBOSE,
)


class WordCommands:
    """Recognise the commands that look like SQL: one word where a statement would start."""

    def __init__(self, lexical: Lexical) -> None:
        commands = {*lexical.refused_commands, *lexical.including_commands}
        alone = [command.encode() for command in lexical.ignored_commands if command.isalpha()]
        self._words = [command.encode() for command in commands if command.isalpha()]
        if lexical.delimiter_command:
            self._words.append(b"delimiter")
        self._beginnings = [*self._words, *alone]
        self._has_lines = lexical.line_statements
        # With anything behind them on their line they are no commands, but SQL that the server may refuse.
        self._alone = re.compile(rb"(?:%b)[ \t]*+\r?(\n|\Z)" % b"|".join(alone), re.IGNORECASE).match if alone else None
        self._longest = max(map(len, self._words), default=0)
        self._match = re.compile(rb"(?:%b)[\s;]" % b"|".join(self._words), re.IGNORECASE).match

    def __bool__(self) -> bool:
        return bool(self._words)

    def stand_at(self, buffer: Buffer, position: int, terminator: bytes, *, ended: bool) -> bool | None:
        """Say whether a command starts at a position; None if more bytes have to tell."""
        if self._match(buffer, position):
            return True
        if self._alone is not None and (found := self._alone(buffer, position)):
            return True if found[1] or ended else None
        if self._has_lines and buffer[position] in b"uU":
            return self._is_line(buffer, position, terminator, ended=ended)
        return self._may_be_word(buffer, position, ended=ended)

    def _is_line(self, buffer: Buffer, position: int, terminator: bytes, *, ended: bool) -> bool | None:
        line = _LINE_STATEMENT.match(buffer, position)
        if line and (ended or line.end() < len(buffer) or buffer.endswith(b"\n")):
            return terminator not in line[1]
        part = None if ended else _MAY_BE_LINE.match(buffer, position)
        return None if part and terminator not in (part[1] or b"") else False

    def _may_be_word(self, buffer: Buffer, position: int, *, ended: bool) -> bool | None:
        if len(buffer) - position > self._longest:
            return False
        rest = bytes(buffer[position:]).lower()
        if ended:
            return rest in self._words
        return None if any(word.startswith(rest) for word in self._beginnings) else False


def read_command(line: bytes, lexical: Lexical, place: Place, terminator: bytes = b";") -> Action:  # noqa: PLR0911
    """Return what a command line asks for; raises UsageError for one that dbtool has no use for."""
    name = _read_name(line)
    word, rest = name if name.startswith("\\") else name.lower(), line[len(name.encode()) :]
    if lexical.connecting_commands and _LATER_COMMAND.match(rest):
        raise UsageError(f"{place}: {name}: {_object(_BACKSLASH)}")
    if word in lexical.ignored_commands:
        return None
    if lexical.delimiter_command and word in {"delimiter", r"\d"}:
        return NewTerminator(_read_delimiter(rest, place))
    if lexical.line_statements and word == "use":
        statement = _LINE_STATEMENT.match(line)
        return Sql(statement[1] if statement else line)
    if word in lexical.including_commands:
        if lexical.line_statements:
            return Inclusion(_read_file_name(rest, terminator, name, place))
        return Inclusion(_Arguments(rest, name, place, may_end=True).take_only("the name of a file"))
    if word in lexical.connecting_commands:
        return NewDatabase(_read_database(_Arguments(rest, name, place, may_end=True)))
    if word in lexical.saying_commands:
        return Remark(_read_saying(rest, place))
    if word == lexical.variable_command:
        return _read_variable(_Arguments(rest, name, place), line, lexical, place)
    if word == r"\encoding" and lexical.connecting_commands:
        return _read_encoding(_Arguments(rest, name, place))
    if word in lexical.passed_commands:
        return Remark(f"{place}: {name} is passed over: {lexical.passed_commands[word]}", once=word)
    raise refuse_command(line, lexical, place)


def refuse_command(line: bytes, lexical: Lexical, place: Place) -> UsageError:
    """Return the error for a command line, with the cure."""
    name = _read_name(line)
    cures = lexical.refused_commands
    # psql has a family of `\\d` commands; words are known in any case.
    family = name[:2] if name.startswith(r"\d") else name.lower()
    cure = cures.get(name) or cures.get(family) or _cure_inside(name, lexical)
    return UsageError(f"{place}: {name} is a command of {lexical.client}, not SQL: {cure}")


def _cure_inside(name: str, lexical: Lexical) -> str:
    known = (
        lexical.including_commands
        | lexical.connecting_commands
        | lexical.saying_commands
        | lexical.ignored_commands
        | lexical.passed_commands.keys()
        | {r"\encoding", r"\d"}
    )
    return "end the statement before it" if name in known else _OTHER_CURE


def _read_name(line: bytes) -> str:
    match = _NAME.match(line)
    return match.group().decode("utf-8", "replace") if match else ""


_DELIMITER = expression(
    rb"""[ \t]*(?:'(?P<single>(?:[^'\\]|'')+)'|"(?P<double>(?:[^"\\]|"")+)"|`(?P<back>(?:[^`\\]|``)+)`|(?P<bare>\S+))
    (?P<rest>.*)""",
    re.DOTALL | re.VERBOSE,
)
_COMMENTS = (b"--", b"#", b"/*")


def _read_delimiter(text: bytes, place: Place) -> bytes:
    match = _DELIMITER.match(text)
    if match is None:
        raise UsageError(f"{place}: DELIMITER needs the new terminator after it, as in DELIMITER //")
    quoted = match["single"] or match["double"] or match["back"]
    quote = (match["single"] and b"'") or (match["double"] and b'"') or b"`"
    terminator = quoted.replace(quote * 2, quote) if quoted else match["bare"]
    if b"\\" in terminator:
        raise UsageError(f"{place}: a terminator cannot hold a backslash; choose another, as in DELIMITER //")
    if not quoted and len(terminator) > 1 and terminator[:1] in {b"'", b'"', b"`"}:
        raise UsageError(f"{place}: DELIMITER: the quote that starts here does not end on this line")
    rest = match["rest"].strip()
    if rest and not rest.startswith(_COMMENTS):
        raise UsageError(f"{place}: DELIMITER takes one word; put what follows it on the next line")
    return bytes(terminator)


def _read_file_name(text: bytes, terminator: bytes, name: str, place: Place) -> str:
    """Return the file of MySQL's `source`: all that stands on the line, up to a terminator."""
    shown, _found, rest = text.partition(terminator)
    if rest.strip() and not rest.lstrip().startswith(_COMMENTS):
        raise UsageError(f"{place}: {name} takes the rest of its line; put what follows it on the next one")
    shown = shown.strip()
    if not shown:
        raise UsageError(f"{place}: {name} needs the name of a file")
    return shown.decode("utf-8", "surrogateescape")


_PSQL_PART = expression(
    rb"""'(?P<single>(?:[^'\\]|''|\\.)*)'|"(?P<double>(?:[^"]|"")*)"|(?P<plain>[^\s'"`:\\]+|:(?=[\s:=]|\Z|[^\w'"{]))""",
    re.DOTALL | re.VERBOSE,
)
_PSQL_ESCAPES = {b"n": b"\n", b"t": b"\t", b"b": b"\b", b"r": b"\r", b"f": b"\f"}
_UNESCAPE = expression(rb"''|\\(.)", re.DOTALL)


class _Argument(Record, kw_only=False):
    text: str
    is_quoted: bool

    @property
    def is_left_out(self) -> bool:
        """Say whether it stands for the one that the connection has."""
        return self.text == "-" and not self.is_quoted


class _Arguments(Record):
    """The words after a command of psql's, without their quotes; where one `may_end`, without semicolons behind it."""

    name: str
    place: Place
    words: tuple[_Argument, ...]

    def __init__(self, text: bytes, name: str, place: Place, *, may_end: bool = False) -> None:
        words = _read_words(text.strip(), name, place, b";" if may_end else b"")
        super().__init__(name=name, place=place, words=tuple(words))

    def take_only(self, what: str) -> str:
        """Return the one that there has to be."""
        if len(self.words) != 1 or not self.words[0].text:
            raise UsageError(f"{self.place}: {self.name} takes {what}, and nothing else")
        return self.words[0].text


def _read_words(text: bytes, name: str, place: Place, ending: bytes) -> list[_Argument]:
    words: list[_Argument] = []
    position = 0
    while position < len(text):
        parts, is_quoted = b"", False
        while position < len(text) and not text[position : position + 1].isspace():
            part = _PSQL_PART.match(text, position)
            if part is None:
                raise UsageError(f"{place}: {name}: {_object(text[position:])}")
            position = part.end()
            is_quoted = is_quoted or part["plain"] is None
            is_last = not text[position : position + 1].strip()
            parts += _unquote(part).rstrip(ending) if is_last and part["plain"] else _unquote(part)
        if parts or is_quoted:
            words.append(_Argument(parts.decode("utf-8", "surrogateescape"), is_quoted))
        while text[position : position + 1].isspace():
            position += 1
    return words


_BACKSLASH = b"\\"
_LATER_COMMAND = expression(rb"""(?:'(?:[^'\\]|''|\\.)*+'|"[^"]*+"|`[^`]*+`|[^'"`\\])*+\\""", re.DOTALL)
"""A backslash outside quotes, with which psql ends a command: SQL, or another one, follows."""


def _object(rest: bytes) -> str:
    if rest.startswith(b":"):
        return "psql's variables have no values here: write the value itself"
    if rest.startswith(b"`"):
        return "no command is run for its output: write the value itself"
    return "put what follows it on the next line" if rest.startswith(b"\\") else "a quote does not end on this line"


def _unquote(part: re.Match[bytes]) -> bytes:
    if part["single"] is not None:
        return _UNESCAPE.sub(lambda found: _PSQL_ESCAPES.get(found[1], found[1]) if found[1] else b"'", part["single"])
    if part["double"] is not None:
        return part["double"].replace(b'""', b'"')
    return part["plain"]


_REUSE = expression(r"-reuse-previous=(?:on|true|yes|1|off|false|no|0)\Z", re.IGNORECASE)
_SETTING = expression(r"\s*(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|([^\s'\\]*))")


def _read_database(arguments: _Arguments) -> str:
    r"""Return the database that a `\connect` of the same user to the same server names."""
    words = [word for word in arguments.words if word.is_quoted or not _REUSE.match(word.text)]
    if not words or words[0].is_left_out or any(not word.is_left_out for word in words[1:]):
        raise _only_the_database(arguments)
    name = words[0].text
    if "=" in name or name.startswith(("postgresql://", "postgres://")):
        return _database_of_settings(name, arguments)
    if not name:
        raise _only_the_database(arguments)
    return name


def _database_of_settings(text: str, arguments: _Arguments) -> str:
    settings: dict[str, str] = {}
    position = 0
    while position < len(text.rstrip()):
        found = _SETTING.match(text, position)
        if found is None:
            raise _only_the_database(arguments)
        value = found[3] if found[2] is None else re.sub(r"\\(.)", r"\1", found[2], flags=re.DOTALL)
        settings[found[1]] = value
        position = found.end()
    if settings.keys() != {"dbname"} or not settings["dbname"]:
        raise _only_the_database(arguments)
    return settings["dbname"]


def _only_the_database(arguments: _Arguments) -> UsageError:
    return UsageError(
        f"{arguments.place}: {arguments.name} changes the database here, and neither host nor user: for another server "
        "or user, run what follows with a --profile of its own"
    )


def _read_saying(text: bytes, place: Place) -> str:
    r"""Return what `\echo` would print; as it is written where it asks for more than its words."""
    try:
        words = [word.text for word in _Arguments(text, r"\echo", place).words]
    except UsageError:
        return text.strip().decode("utf-8", "replace")
    return " ".join(words[1:] if words[:1] == ["-n"] else words)


_DISPLAY_VARIABLES = frozenset(
    {"COMP_KEYWORD_CASE", "ECHO", "ECHO_HIDDEN", "FETCH_COUNT", "HIDE_TABLEAM", "HIDE_TOAST_COMPRESSION"}
    | {"HISTCONTROL", "HISTFILE", "HISTSIZE", "IGNOREEOF", "PROMPT1", "PROMPT2", "PROMPT3", "QUIET"}
    | {"SHOW_ALL_RESULTS", "SHOW_CONTEXT", "VERBOSITY"}
)
"""psql's own variables that change what it shows, and nothing else."""
_FALSE = expression(r"f(a(l(se?)?)?)?|no?|off?|0", re.IGNORECASE)


def _read_variable(arguments: _Arguments, line: bytes, lexical: Lexical, place: Place) -> Action:
    words = [word.text for word in arguments.words]
    if not words:
        return None
    if words[0] == "ON_ERROR_STOP":
        if len(words) > 1 and _FALSE.fullmatch(words[1]):
            return Remark(f"{place}: a run stops at its first failure: use --keep-going", once=words[0])
        return None
    if words[0] in _DISPLAY_VARIABLES:
        return Remark(f"{place}: {arguments.name} {words[0]} is passed over: it changes what psql shows", once=words[0])
    raise refuse_command(line, lexical, place)


def _read_encoding(arguments: _Arguments) -> Action:
    words = [word.text for word in arguments.words]
    if words and words[0].upper().replace("-", "").replace("_", "") not in {"UTF8", "UNICODE"}:
        raise UsageError(
            f"{arguments.place}: {arguments.name} {words[0]}: say it in SQL, as in SET client_encoding = 'LATIN1'"
        )
    return None
