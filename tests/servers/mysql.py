"""A private server of MySQL itself."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

from tests.servers import processes
from tests.servers.installations import CACHE
from tests.servers.mariadb import MariaDbServer, user_option

# MariaDB's own installation makes this account; by its other name the server would not know who comes by TCP.
_ROOT = """CREATE USER root@127.0.0.1;
GRANT ALL ON *.* TO root@127.0.0.1 WITH GRANT OPTION;
GRANT PROXY ON ''@'' TO root@127.0.0.1 WITH GRANT OPTION;
"""


class MySqlServer(MariaDbServer):
    """One server of MySQL itself, in whatever a test wants of MariaDB."""

    title: ClassVar[str] = "MySQL"
    client: ClassVar[str] = "mysql"
    dumper: ClassVar[str] = "mysqldump"
    plain_option: ClassVar[str] = "--ssl-mode=DISABLED"
    # It takes the commands that it always took, leaves out comments and asks for the server's key where it is told to.
    client_options: ClassVar[tuple[str, ...]] = ("--commands=ON", "--skip-comments", "--get-server-public-key")
    status_table: ClassVar[str] = "performance_schema.session_status"

    def _prepare(self) -> None:
        shutil.copytree(self._provide_empty_data(), self.data_directory)

    def _provide_empty_data(self) -> Path:
        """Return a data directory for copies: making one takes as long as twenty tests."""
        program = self.binaries["mysqld"].resolve()
        made_by = sha256(f"{program} {program.stat().st_mtime_ns} {_ROOT}".encode()).hexdigest()[:16]
        kept = CACHE.resolve() / "mysql-data" / made_by
        if kept.is_dir():
            return kept
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
            (self.directory / "root.sql").write_text(_ROOT)
            command = [*self._start(), f"--datadir={scratch}/data", f"--init-file={self.directory}/root.sql"]
            processes.run([*command, "--initialize-insecure"], directory=self.directory, ordinary=False)
            # Another run may have come first.
            with suppress(OSError):
                Path(scratch, "data").rename(kept)
        return kept

    def _command(self) -> Sequence[str | Path]:
        command: list[str | Path] = [*self._start(), f"--datadir={self.data_directory}", f"--socket={self.socket}"]
        command += [f"--pid-file={self.directory}/pid", f"--port={self.port}", f"--bind-address={self.host}"]
        # As for MariaDB; and what else it starts, writes and reads for the sake of speed that nobody needs here.
        command += ["--skip-name-resolve", "--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=32M"]
        command += ["--innodb-buffer-pool-dump-at-shutdown=OFF", "--innodb-buffer-pool-load-at-startup=OFF"]
        command += [
            "--innodb-use-native-aio=OFF",
            "--innodb-read-io-threads=1",
            "--innodb-write-io-threads=1",
            "--innodb-log-writer-threads=OFF",
        ]
        return [*command, *(self._tls_options() or ["--tls-version="]), *self._options]

    def _start(self) -> list[str | Path]:
        command: list[str | Path] = [self.binaries["mysqld"], "--no-defaults", *self._place, *user_option()]
        command += [
            "--mysqlx=OFF",
            "--skip-log-bin",
            "--secure-file-priv=",
            "--local-infile=ON",
            "--max-allowed-packet=16M",
        ]
        # Who waits for whom stands in the performance schema; what it measures nobody asks here.
        command += ["--performance-schema-instrument=%=OFF", "--performance-schema-digests-size=0"]
        return [*command, "--innodb-redo-log-capacity=16M"]
