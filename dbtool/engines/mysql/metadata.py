"""MariaDB's extended metadata: which text columns hold JSON.

MariaDB keeps JSON as text and says so only to clients that ask for it when they connect: in four bytes
of the handshake that MySQL leaves empty. PyMySQL knows nothing of it.

Protocol: https://mariadb.com/kb/en/connection/ and https://mariadb.com/kb/en/result-set-packets/
"""

from __future__ import annotations

import struct
from typing import Any

from pymysql.connections import MAX_PACKET_LEN, Connection
from pymysql.constants import CLIENT, FIELD_TYPE
from pymysql.err import raise_mysql_exception
from pymysql.protocol import FieldDescriptorPacket, MysqlPacket

_EXTENDED_METADATA = 1 << 3
"""The flag's place in the four bytes."""
_FORMAT = 1
"""Extended metadata hold pairs: a kind (0 for a type's name, 1 for a format's) and a text."""
_KNOWN_TYPES = frozenset({*range(FIELD_TYPE.BIT + 1), *range(FIELD_TYPE.JSON, FIELD_TYPE.GEOMETRY + 1)})


class MetadataConnection(Connection):
    """A PyMySQL connection that asks MariaDB for its columns' formats."""

    _greeted = _asks = _is_connected = False
    results_codec: str | None = None
    """Python's name of the character set that the server's words come in, where it is not the connection's."""

    def connect(self, sock: Any = None) -> None:
        """Connect as PyMySQL does."""
        self._greeted = self._asks = self._is_connected = False
        self.results_codec = None
        super().connect(sock)
        self._is_connected = True

    def _read_packet(self, packet_type: type[MysqlPacket] = MysqlPacket) -> Any:
        kind: Any = packet_type
        if packet_type is FieldDescriptorPacket:
            kind = _ExtendedField if self._asks else _Field
        if (codec := self.results_codec) is not None:
            make = _Packet if kind is MysqlPacket else kind
            kind = lambda data, _encoding: make(data, codec)  # noqa: E731
        packet: Any = super()._read_packet(kind)  # type: ignore[no-untyped-call]
        if not self._greeted:
            self._greeted = True
            self._asks = offers_metadata(packet.get_all_data())
        return packet

    def _force_close(self) -> None:
        # PyMySQL's results would read what is left of them when they are forgotten, from a socket that is gone.
        result = getattr(self, "_result", None)
        if result is not None:
            result.unbuffered_active = False
        super()._force_close()  # type: ignore[misc] # its stubs do not know it

    def write_packet(self, payload: bytes) -> None:
        """Send a packet; the answers to the greeting, plain or before TLS begins, ask for the metadata."""
        answers = self._asks and not self._is_connected and _answers_greeting(payload)
        super().write_packet(_ask(payload) if answers else payload)


def offers_metadata(greeting: bytes) -> bool:
    """Say whether a greeting is a MariaDB's: it says that it is no MySQL, and offers flags where MySQL has none."""
    flags = greeting.find(b"\0", 1) + 1 + 4 + 8 + 1
    if len(greeting) < flags + 18:
        return False
    is_mysql = greeting[flags] & CLIENT.LONG_PASSWORD
    (offered,) = struct.unpack_from("<I", greeting, flags + 14)
    return not is_mysql and bool(offered & _EXTENDED_METADATA)


def _answers_greeting(payload: bytes) -> bool:
    return len(payload) >= 32 and payload[4:8] == struct.pack("<I", MAX_PACKET_LEN) and payload[9:32] == bytes(23)


def _ask(payload: bytes) -> bytes:
    (flags,) = struct.unpack_from("<I", payload)
    head = struct.pack("<I", flags & ~CLIENT.LONG_PASSWORD)
    return head + payload[4:28] + struct.pack("<I", _EXTENDED_METADATA) + payload[32:]


def decode_words(data: bytes, codec: str) -> str:
    """Return a text of the server's own, of which no byte is ever an error."""
    try:
        return data.decode(codec)
    except (UnicodeDecodeError, LookupError):
        return data.decode("utf-8", "backslashreplace")


class _Packet(MysqlPacket):
    """A packet whose error is worded in another character set than the connection's."""

    def __init__(self, data: bytes, codec: str) -> None:
        super().__init__(data, codec)
        self._codec = codec

    def raise_for_error(self) -> None:
        """Raise the error that the packet holds."""
        data: bytes = self.get_all_data()  # type: ignore[no-untyped-call]
        # A mark and a number, and then, behind a number sign, an SQLSTATE.
        start = 9 if data[3:4] == b"#" else 3
        raise_mysql_exception(data[:start] + decode_words(data[start:], self._codec).encode())


class _Field(FieldDescriptorPacket):
    """A column's description, whose names may be in any character set; a type that is not known is a string's."""

    type_code: int

    def _parse_field_descriptor(self, encoding: str) -> None:
        super()._parse_field_descriptor("latin-1")  # type: ignore[misc]  # the stubs do not know it
        for name in ("table_name", "org_table", "name", "org_name"):
            setattr(self, name, decode_words(getattr(self, name).encode("latin-1"), encoding))
        # The column's character set then says what its values are: text, or bytes as those of a VECTOR.
        if self.type_code not in _KNOWN_TYPES:
            self.type_code = FIELD_TYPE.VAR_STRING


class _ExtendedField(_Field):
    """A column's description with the extended metadata in its midst."""

    is_json = False

    def read_struct(self, fmt: str) -> Any:
        """Read the numbers of a description, and the metadata that stand before them."""
        # Every kind and length is one byte: the server knows a handful of short names.
        extended: bytes = self.read_length_coded_string() or b""  # type: ignore[no-untyped-call]
        while extended:
            kind, end = extended[0], 2 + extended[1]
            self.is_json = self.is_json or (kind, extended[2:end]) == (_FORMAT, b"json")
            extended = extended[end:]
        return super().read_struct(fmt)
