"""The databases' own regression scripts, out of Debian's source packages: `python -m tests.corpora.debian`.

apt checks the signatures. Nothing is installed, and no root is needed; all of it lies under `.cache/corpora`. What is
no SQL in them is left out: the rest is what both clients are given.
"""

from __future__ import annotations

import re
import shutil
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.servers.installations import CACHE
from tests.servers.processes import ServerError
from tests.servers.provide import run

CORPORA = CACHE.parent / "corpora"
_SUITES = Path("/etc/apt/sources.list.d")
_LIST = Path("/etc/apt/sources.list")


def fetch(client: str) -> Path:
    """Return the directory of the scripts for a client, fetched if they are not there yet. Raises ServerError."""
    package, wanted, extract = _PACKAGES[client]
    home = CORPORA / client
    if home.is_dir():
        return home
    archive = _download(package)
    scratch = home.with_suffix(".new")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    with tarfile.open(archive) as packed:
        for member in packed:
            found = wanted.search(member.name)
            file = packed.extractfile(member) if found and member.isfile() else None
            if found and file:
                text = extract(file.read().decode("utf-8", "surrogateescape"))
                place = scratch / f"{found[1].replace('/', '-')}.sql"
                if text.strip():
                    place.write_bytes(text.encode("utf-8", "surrogateescape"))
    scratch.rename(home)
    archive.unlink()
    return home


def _download(package: str) -> Path:
    """Download a source package, by lists of its own: most machines have none of sources."""
    state = CORPORA / "apt"
    for part in ("parts", "lists/partial", "archives/partial"):
        (state / part).mkdir(parents=True, exist_ok=True)
    for listed in (*_SUITES.glob("*.sources"), *_SUITES.glob("*.list"), _LIST):
        if listed.is_file():
            text = re.sub(r"^Types:.*$", "Types: deb-src", listed.read_text(), flags=re.MULTILINE)
            text = re.sub(r"^deb ", "deb-src ", text, flags=re.MULTILINE)
            (state / "parts" / listed.name).write_text(text)
    own = ["-o", "Dir::Etc::sourcelist=/dev/null", "-o", f"Dir::Etc::sourceparts={state}/parts"]
    own += ["-o", f"Dir::State::lists={state}/lists", "-o", f"Dir::Cache={state}", "-o", "APT::Sandbox::User="]
    run(["apt-get", *own, "-qq", "update"], directory=state)
    versions = run(["apt-cache", *own, "madison", package], directory=state).splitlines()
    failure = ServerError(f"Debian has no source package {package}")
    for line in versions:
        # A mirror may list a version that it has not got yet.
        exact = f"{package}={line.split('|')[1].strip()}"
        try:
            run(["apt-get", *own, "-qq", "source", "--download-only", exact], directory=state)
        except ServerError as error:
            failure = error
        else:
            return next(path for path in state.glob(f"{package}_*.orig.tar.*") if path.suffix != ".asc")
    raise failure


_PSQL_LINE = re.compile(r"^\s*\\(?!\.$).*$")
_PSQL_END = re.compile(
    r"\s*\\(?:g|gx|gset|gexec|gdesc|crosstabview|bind|watch|parse|bind_named|sendpipeline)\b[^'\";]*$"
)
_PSQL_NAMES = re.compile(r"^\s*\\(?:set|getenv)\s+(\w+)", re.MULTILINE)
_PSQL_COPY = re.compile(r"(?im)^copy\b[^;]*\bto\s+std(?:out|in)\b[^;]*;")
_NO_DATA = re.compile(r"(?i)(?:copy|select|insert|create|drop|alter|delete|update|begin|\\[a-mo-z])")


def extract_psql(text: str) -> str:
    r"""Return a regression script without what psql alone understands; what ended by \g ends by a semicolon."""
    names = {*_PSQL_NAMES.findall(text), "LAST_ERROR_MESSAGE", "LAST_ERROR_SQLSTATE", "SQLSTATE", "ROW_COUNT", "ERROR"}
    variable = re.compile(rf"(?<![:\w]):(['\"]?)({'|'.join(map(re.escape, names))})\b")
    lines: list[str] = []
    waiting = _PSQL_COPY.sub("", text).split("\n")[::-1]
    depth = 0
    while waiting:
        line = waiting.pop()
        branch = re.match(r"\s*\\(if|elif|else|endif)\b", line)
        if branch:
            depth += {"if": 1, "endif": -1}.get(branch[1], 0)
        elif not depth and not _PSQL_LINE.match(line):
            lines.append(variable.sub(r"\1\2", _PSQL_END.sub(";", line)))
            if re.match(r"(?i)\s*copy\b.*\bfrom\s+stdin\b.*;\s*$", line):
                lines += _take_data(waiting)
    return "\n".join(lines)


def _take_data(waiting: list[str]) -> list[str]:
    """Take the data of a COPY from the lines to come; one that is meant to fail may have none."""
    for number, line in enumerate(reversed(waiting), 1):
        if line == r"\.":
            taken = waiting[: -number - 1 : -1]
            del waiting[-number:]
            return taken
        if _NO_DATA.match(line):
            break
    return []


_TEST_COMMANDS = re.compile(
    r"(?i)(?:--\s*)?(?:append_file|assert|cat_file|change_user|character_set|chmod|connect|connection|copy_file|dec|"
    r"copy_files_wildcard|diff_files|die|dirty_close|disable_\w+|disconnect|echo|enable_\w+|end_timer|error|eval|"
    r"eval_result|exec|execw|exit|file_exists|force-cpdir|force-rmdir|horizontal_results|if|inc|let|list_files\w*|"
    r"lowercase_result|mkdir|move_file|output|perl|ping|ps_protocol|query|query_get_value|query_horizontal|"
    r"query_vertical|quit|real_sleep|reap|remove_file\w*|replace_\w+|require|reset_connection|result|result_format|rmdir|"
    r"send|send_eval|send_quit|send_shutdown|shutdown_server|skip|sleep|sorted_result|source|start_timer|"
    r"sync_\w+|save_master_pos|system|vertical_results|wait_for_\w+|while|write_file|evalp|optimizer_trace)\b"
)
_CHANGES_SERVER = re.compile(
    r"(?i)\bset\s+(?:@@)?(?:global|persist)\b|@@global\.\w+\s*=|\b(?:shutdown|kill|restart|flush|reset|purge|install|"
    r"uninstall)\s|\b(?:grant|revoke|create\s+(?:user|role|server)|drop\s+(?:user|role)|set\s+(?:role|password))\b|"
    r"\bmysql\.\w|change\s+master|performance_schema|restart_mysqld|debug_dbug|sleep\s*\(|get_lock|benchmark\s*\(|"
    r"\$MYSQL|\bcreate\s+or\s+replace\s+(?:user|role)|processlist|\bsql_log_bin\b|binlog|have_debug|big_test|"
    r"processlist|general_log|slow_log|\bbackup\b|load_file|outfile|infile|log_output|start\s+slave|stop\s+slave"
)


def extract_mysqltest(text: str) -> str:
    """Return the plain SQL of a test for the test driver; nothing of one that changes the server, or has sessions."""
    if _CHANGES_SERVER.search(text) or re.search(r"(?im)^\s*(?:--\s*)?(?:connect|connection|send|reap)\b", text):
        return ""
    kept = [statement for statement in _cut_mysqltest(text) if statement]
    return "\n".join(kept) + "\n"


def _cut_mysqltest(text: str) -> Iterator[str]:
    """Yield the statements of a test, each with its terminator, and changes of that in the client's own words."""
    terminator, position, depth = ";", 0, 0
    while position < len(text):
        line_end = text.find("\n", position)
        line = text[position : line_end if line_end >= 0 else len(text)].strip()
        if not line or line.startswith(("#", "--")):
            position += len(text[position:].split("\n", 1)[0]) + 1
            depth += line.startswith(("--while", "--if"))
            continue
        if line.startswith("}"):
            depth, position = max(0, depth - 1), text.index("}", position) + 1
            continue
        if re.match(r"(?i)(?:while|if)\s*\(", line):
            opened = text.find("{", position)
            if opened < 0:
                return
            depth, position = depth + 1, opened + 1
            continue
        if re.match(r"(?i)(?:perl|write_file|append_file)\b", line):
            return  # what follows is in another language, up to a word of its own
        end = _find_end(text, position, terminator)
        statement = text[position:end].strip()
        position = end + len(terminator)
        changed = re.match(r"(?i)delimiter\s+(\S+)", statement)
        if changed:
            terminator = changed[1]
            yield f"DELIMITER {terminator}"
        elif not depth and not _TEST_COMMANDS.match(statement) and not re.search(r"\$\w", statement):
            yield f"{statement}{terminator}"


def _find_end(text: str, position: int, terminator: str) -> int:
    """Return where the terminator of a statement stands: not in quotes, nor in a comment to the end of a line."""
    piece = re.compile(r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"|`[^`]*`|#[^\n]*|-- [^\n]*|/\*.*?\*/", re.DOTALL)
    while position < len(text):
        if text.startswith(terminator, position):
            return position
        found = piece.match(text, position)
        position = found.end() if found else position + 1
    return len(text)


_TCL_SQL = re.compile(
    r"(?:\b(?:execsql|catchsql|db eval|do_(?:execsql|catchsql|eqp)_test\s+[^\s{]+(?: -db \w+)?)\s+\{)"
)


def extract_tcl(text: str) -> str:
    """Return the SQL that a Tcl test runs where it stands in braces, in which Tcl replaces nothing."""
    parts: list[str] = []
    for found in _TCL_SQL.finditer(text):
        end, depth = found.end(), 1
        while end < len(text) and depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0) if text[end - 1] != "\\" else 0
            end += 1
        sql = text[found.end() : end - 1].strip()
        # A variable of Tcl's is a parameter to SQLite.
        if sql and not re.search(r"[$:@]\w|(?i:attach|vacuum\s+into|writefile|readfile|sqlite_dbpage|random)", sql):
            parts.append(sql if sql.endswith(";") else f"{sql}\n;")
    return "\n".join(parts) + "\n" if parts else ""


_PACKAGES: dict[str, tuple[str, re.Pattern[str], Callable[[str], str]]] = {
    "psql": ("postgresql-15", re.compile(r"/src/test/regress/sql/(\w+)\.sql$"), extract_psql),
    "mariadb": ("mariadb", re.compile(r"/mysql-test/main/([\w-]+)\.test$"), extract_mysqltest),
    "sqlite3": ("sqlite3", re.compile(r"/test/(\w+)\.test$"), extract_tcl),
}
SETUPS = {"psql": "test_setup.sql"}
"""The script of a corpus that the others want to have been run."""
_PACKAGES["mysql"] = _PACKAGES["mariadb"]


def main() -> int:
    """Fetch all of them, and say how many there are."""
    for client in ("psql", "mariadb", "sqlite3"):
        home = fetch(client)
        sys.stdout.write(f"{client}: {len([*home.glob('*.sql')])} scripts in {home}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
