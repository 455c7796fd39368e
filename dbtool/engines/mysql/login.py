"""What a MySQL server is told when a connection opens: never the password itself where others may read it.

The server chooses how a client proves who it is, and whoever stands between may choose in its place. Of
the methods, two send the password as it is, and two encrypt it with a key that the server has just sent,
which may be anybody's. PyMySQL follows whatever it is asked for.

Protocol: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html
"""

from __future__ import annotations

import os
import socket
import struct
from typing import Any

import pymysql
from pymysql.constants import CR, ER

from dbtool.engines.local_files import LocalFiles, NotAllowedError
from dbtool.engines.mysql.errors import UnaskedFileError, number_of
from dbtool.engines.mysql.metadata import MetadataConnection
from dbtool.engines.mysql.packets import BlockReader
from dbtool.errors import one_line
from dbtool.profiles.active.unchecked import is_loopback

_HASHED = frozenset({b"mysql_native_password", b"client_ed25519", b"caching_sha2_password", b"sha256_password"})
"""What the server gets is of no use for another login; the last two may ask for more, and see below."""
_IN_THE_CLEAR = frozenset({b"mysql_clear_password", b"dialog"})
_PIECE = 1 << 16
_CURE = "it was not sent: set tls to 'require' or better"


class LoginConnection(MetadataConnection):
    """A connection whose password leaves this machine encrypted to the server that was meant, or not at all."""

    leads_away = False
    """Where its socket leads is the near end of a way to a server on another machine."""
    _public_key: bytes | None = None
    _secure: bool
    local_files: LocalFiles | None = None
    expected_files: frozenset[bytes] = frozenset()
    """The files that the running statement names."""

    def connect(self, sock: Any = None) -> None:
        """Connect as PyMySQL does."""
        self._secure = False  # what an earlier connect of this object has found
        super().connect(sock)

    @property
    def server_public_key(self) -> bytes | None:
        """The key to encrypt the password with: PyMySQL asks before it wants one from the server.

        Raises OperationalError where a key of the server's own could be anybody's.
        """
        if self._public_key is None and self.password and self._is_overheard():
            raise _refuse(
                "the server wants the password encrypted with a key that it sends itself, on a connection that is not "
                f"encrypted: {_CURE}, or server_public_key to the file of the server's key"
            )
        return self._public_key

    @server_public_key.setter
    def server_public_key(self, key: bytes | None) -> None:
        # Set before there is a connection, it is the profile's, which no key of a server's replaces.
        if self._public_key is None and not (key and self._is_overheard()):
            self._public_key = key

    def _is_overheard(self) -> bool:
        """Say whether others than the server may read what is sent."""
        connected = getattr(self, "_sock", None)
        return connected is not None and not self._secure and (self.leads_away or not is_near(connected))

    def _get_server_information(self) -> None:
        try:
            super()._get_server_information()  # type: ignore[misc]  # the stubs do not know it
        except (ValueError, IndexError, struct.error) as error:
            raise _refuse("the server's greeting is none of MySQL's") from error

    def _request_authentication(self) -> None:
        try:
            super()._request_authentication()  # type: ignore[misc]  # the stubs do not know it
        except (RuntimeError, ValueError) as error:  # a library is missing; a key or a name is none
            raise _refuse(str(error)) from error
        except pymysql.OperationalError as error:
            if number_of(error) is not None:
                raise
            raise _refuse("the server answers the login as no server does that dbtool knows") from error

    def _process_auth(self, plugin_name: bytes, auth_packet: Any, handler: Any = None) -> Any:
        """Answer a server that wants another method than it first named."""
        shown = one_line(plugin_name.decode("ascii", "replace"))[:80]
        if plugin_name not in _HASHED | _IN_THE_CLEAR:
            raise _refuse(f"the server asks for the login method {shown!r}, which dbtool does not have")
        if plugin_name in _IN_THE_CLEAR and self._is_overheard():
            raise _refuse(
                f"the server asks for the password in the clear ({shown}), on a connection that is not encrypted: "
                f"{_CURE}"
            )
        try:
            return super()._process_auth(plugin_name, auth_packet, handler)  # type: ignore[misc]
        except pymysql.OperationalError as error:
            if number_of(error) != CR.CR_AUTH_PLUGIN_CANNOT_LOAD:
                raise
            raise _refuse(f"the server asks for more than a password ({shown}), which dbtool does not have") from error

    def _read_query_result(self, unbuffered: bool = False) -> Any:
        """Send no file that a server asks for, which it may do whatever the statement was, but one that is its own."""
        reader = self._rfile  # type: ignore[attr-defined]
        try:
            if isinstance(reader, BlockReader) and reader.is_file_wanted():
                self._answer_request_for_file()
            return super()._read_query_result(unbuffered)  # type: ignore[misc]  # the stubs do not know it
        except OSError as error:
            self._force_close()
            raise pymysql.OperationalError(
                CR.CR_SERVER_LOST, f"Lost connection to the server during the query ({error})"
            ) from error
        except RuntimeError as error:
            # PyMySQL's own refusal, while the session is set up.
            raise self._refuse_file("") from error

    def _answer_request_for_file(self) -> None:
        packet = self._read_packet()
        name = bytes(packet.get_all_data()[1:])
        try:
            if self.local_files is None or name not in self.expected_files:
                raise NotAllowedError("is not in the statement")
            with self.local_files.open(name) as file:
                while piece := file.read(_PIECE):
                    self.write_packet(piece)
                self.write_packet(b"")
        except NotAllowedError as error:
            raise self._refuse_file(f" ({os.fsdecode(name)[:200]!a} {error})") from error
        except FileNotFoundError:
            self.write_packet(b"")
            self._read_packet()
            raise pymysql.OperationalError(
                ER.FILE_NOT_FOUND, f"{os.fsdecode(name)}: the file that the statement loads does not exist"
            ) from None
        except OSError as error:
            # An end would have the server keep what it has got.
            self._force_close()
            raise pymysql.OperationalError(
                ER.ERROR_ON_READ, f"{os.fsdecode(name)}: the file could not be sent: {error.strerror}"
            ) from error

    def _refuse_file(self, what: str) -> UnaskedFileError:
        # The server waits for the file.
        self._force_close()
        return UnaskedFileError(
            CR.CR_UNKNOWN_ERROR, f"the server asks for a file of this machine, which it was not sent{what}"
        )

    def _get_auth_plugin_handler(self, _name: bytes) -> None:
        """Have no methods but PyMySQL's own."""


def _refuse(text: str) -> pymysql.OperationalError:
    return pymysql.OperationalError(CR.CR_AUTH_PLUGIN_ERR, text)


def is_near(connected: socket.socket) -> bool:
    """Say whether a socket leads to this machine: nobody else can read what is sent."""
    if connected.family == getattr(socket, "AF_UNIX", None):
        return True
    return is_loopback(str(connected.getpeername()[0]))
