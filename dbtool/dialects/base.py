"""What a dialect is, and the words that several of them share."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dbtool.records import Record


class Lexical(Record):
    """How SQL text is cut into tokens; the splitter and the parameter scanner share it."""

    backslash_escapes: bool = False
    """A backslash escapes the next byte in every quoted string."""
    escape_strings: bool = False
    """Only `E'...'` strings know backslash escapes."""
    plain_escapes: bool = False
    """So do plain strings, as PostgreSQL's once did."""
    dollar_quotes: bool = False
    nested_comments: bool = False
    hash_comments: bool = False
    dash_comment_needs_blank: bool = False
    """`--` opens a comment only before white space or a control character."""
    return_ends_comment: bool = False
    """A `--` comment ends at a carriage return as well, and what follows on the screen's line is code."""
    executable_comments: tuple[bytes, ...] = ()
    """What opens a comment that holds SQL."""
    backtick_names: bool = False
    bracket_names: bool = False
    delimiter_command: bool = False
    """`DELIMITER x` changes the terminator."""
    backslash_commands: bool = False
    """A backslash outside quotes starts a command of the native client."""
    dot_commands: bool = False
    """A line that starts with a dot is a command of the native client."""
    copy_data: bool = False
    """`COPY ... FROM STDIN` is followed by data up to a line that holds `\\.`."""
    trigger_bodies: bool = False
    """`CREATE TRIGGER ... BEGIN ...; END;` is one statement."""
    atomic_bodies: bool = False
    """`CREATE FUNCTION ... BEGIN ATOMIC ...; END;` is one statement, and so is `CREATE RULE ... DO (...; ...)`."""
    numbered_parameters: bool = False
    """`?`, `?1`, `@name` and `$name` are parameters too."""
    client: str
    """The native client, whose commands are the ones below."""
    ignored_commands: frozenset[str] = frozenset()
    """Client commands that need no action: a dump tool writes them, or they end a statement where none is."""
    ending_commands: frozenset[bytes] = frozenset()
    """Client commands that end a statement as its terminator does."""
    line_statements: bool = False
    """`USE name` ends with its line."""
    including_commands: frozenset[str] = frozenset()
    """Client commands that run another file."""
    connecting_commands: frozenset[str] = frozenset()
    """Client commands that go to another database."""
    saying_commands: frozenset[str] = frozenset()
    """Client commands that say what follows them."""
    variable_command: str | None = None
    """The client command that sets the client's variables."""
    hash_lines: bool = False
    """The client passes over a line that begins with a hash sign, where a statement may begin."""
    joined_line_ends: bool = False
    """The client reads a file line by line, and ends each by a line feed, whichever way it ended."""
    keeps_definitions: bool = False
    """The schema keeps what a CREATE has before its terminator, blanks too."""
    passed_commands: Mapping[str, str] = MappingProxyType({})
    """Client commands that change nothing on the server, and what does here what they do there."""
    refused_commands: Mapping[str, str] = MappingProxyType({})
    """Client commands as they are typed (`\\c`, `.read`, `source`) and the cure for each; a word is in lower case."""

    def __hash__(self) -> int:
        # The mapping has no hash, and each client has rules of its own.
        return hash(self.client)


class Dialect(Record):
    """One engine, as far as it is known without its driver."""

    name: str
    title: str
    family: str
    """The name of the folder in `engines/` that drives it."""
    driver: str
    """The Python module of its driver."""
    unneeded: frozenset[str] = frozenset()
    """What the driver imports for cases that are rare, or brings in by itself when it meets them."""
    pooled: str
    """Its database with a pool, a class in its engine's `pooled.py`."""
    pooled_drivers: tuple[str, ...]
    """The packages, its driver's and others', whose connections that module knows what to do with."""
    lexical: Lexical
    url_schemes: tuple[str, ...]
    """What its URLs begin with, its own word first; the others are drivers' and frameworks'."""
    url_drivers: frozenset[str] = frozenset()
    """The drivers that may stand behind a scheme, as in postgresql+asyncpg."""
    default_port: int | None = None
    session_encodings: Mapping[str, str] = MappingProxyType({})
    """The encodings that a session can have, by Python's names, and what the server calls each.

    Only those in which no byte of another character is one that SQL knows: text in any other is made UTF-8 first.
    """
    keys: frozenset[str]
    """The profile keys that only some engines know, and this one does."""
    settings: Mapping[str, str] = MappingProxyType({})
    """What the native client, and configurations for it, call the settings that a profile has a key for."""
    url_parameters: Mapping[str, str]
    """The parameters of its URLs, and the profile key of each; `libpq.NAME` is one entry of a key that is a table."""
    passed_parameters: frozenset[str] = frozenset()
    """The parameters of its client library that are passed on as they are."""
    passed_paths: frozenset[str] = frozenset()
    """Those of them that are paths."""
    refused_parameters: Mapping[str, str] = MappingProxyType({})
    """The parameters of its client library that are not, and why."""
    option_groups: tuple[str, ...] = ()
    """The groups of an option file that the native client reads."""
    known_as: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    """What other programs call it in their configurations, by the program."""
    transaction_control: tuple[tuple[str, ...], ...]
    """Leading words of the statements that begin or end a transaction."""
    commits_by_itself: tuple[tuple[str, ...], ...] = ()
    """Leading words of the statements that end the running transaction unasked."""
    server_scopes: tuple[str, ...] = ()
    """The words by which a SET is one of the whole server, which no rollback undoes."""
    spares: tuple[tuple[str, ...], ...] = ()
    """Exceptions to the two tables above, longer than the entries that they take out."""

    def __hash__(self) -> int:
        # Mappings have no hash, and each dialect has a name of its own.
        return hash(self.name)

    def find_session_codec(self, codec: str) -> str:
        """Return the encoding that a session has for text in another: that one, where it can, else UTF-8."""
        return codec if codec in self.session_encodings else "utf-8"

    @property
    def pooled_module(self) -> str:
        """Where its database with a pool is."""
        return f"dbtool.engines.{self.family}.pooled"

    def controls_transaction(self, words: tuple[str, ...]) -> bool:
        """Say whether a statement that starts with `words` begins or ends a transaction."""
        return _starts_with_any(words, self.transaction_control) and not _starts_with_any(words, self.spares)

    def commits_unasked(self, words: tuple[str, ...]) -> bool:
        """Say whether a statement that starts with `words` commits the running transaction."""
        return _starts_with_any(words, self.commits_by_itself) and not _starts_with_any(words, self.spares)


def _starts_with_any(words: tuple[str, ...], table: tuple[tuple[str, ...], ...]) -> bool:
    return any(words[: len(entry)] == entry for entry in table)


def phrases(text: str) -> tuple[tuple[str, ...], ...]:
    """Return the words of phrases that have commas between them."""
    return tuple(tuple(line.split()) for line in text.split(",") if line.strip())


OWN_PARAMETERS = {key: key for key in ("tls", "tls_ca", "tls_cert", "tls_key", "connect_timeout", "statement_timeout")}
"""URL parameters that are called as the profile key is, on every server."""

SERVER_KEYS = frozenset(
    {"host", "port", "user", "password", "database", "tls", "tls_ca", "tls_cert", "tls_key", "socket"}
    | {"application_name", "session"}
)

USE_FILE = "name the file with -f"
USE_PROFILE = "choose the connection with --profile"
USE_SHELL = "run it in the shell"
USE_OUTPUT = "name the file with -o"
USE_FORMAT = "choose the form of the rows with --format"
USE_VERTICAL = "end the statement with its terminator and use --format vertical"
USE_TERMINATOR = "end the statement with its terminator"
USE_PARAMETER = "pass values with -v"
USE_CATALOG = "query the catalog instead"
LEAVE_OUT = "leave it out"
