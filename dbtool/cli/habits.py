"""What people type who come from other programs, and what it is called here: for error messages alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dbtool.profiles.paths import is_mistyped_url, is_path, is_url

_PROMPT = "dbtool query -p NAME opens a prompt"
_RUN = 'SQL is run by dbtool query "select 1"'
_COMMANDS: Mapping[str, str] = {
    **dict.fromkeys(("list", "ls", "l"), "dbtool tables lists tables, dbtool profile list profiles"),
    **dict.fromkeys(("use", "select", "choose", "activate"), "dbtool switch NAME makes a profile the active one"),
    **dict.fromkeys(("connect", "shell", "prompt", "repl", "cli", "console", "open", "psql", "mysql"), _PROMPT),
    **dict.fromkeys(("sql", "exec", "execute", "eval", "file"), f"{_RUN}, a file by dbtool query -f FILE"),
    **dict.fromkeys(("databases", "dbs", "profiles", "connections"), "dbtool profile list lists profiles"),
    **dict.fromkeys(("new", "create", "init", "login", "register"), "dbtool profile add makes a profile"),
    **dict.fromkeys(
        ("ping", "test", "status", "doctor", "verify"), "dbtool profile check connects, and says how it is"
    ),
    **dict.fromkeys(("desc", "columns", "table", "d"), "dbtool describe NAME describes a table"),
    **dict.fromkeys(("views", "relations", "dt"), "dbtool tables --views lists views as well"),
    **dict.fromkeys(("ps", "top", "processlist", "sessions", "locks"), "dbtool activity shows who does what"),
    **dict.fromkeys(("ddl", "dump", "export"), "dbtool schema prints a schema; pg_dump and mysqldump make backups"),
    **dict.fromkeys(("find", "grep"), "dbtool search TERM finds a text in names and comments"),
    **dict.fromkeys(("cancel", "terminate", "stop"), "dbtool kill ID ends what a session runs"),
    **dict.fromkeys(("whoami", "which", "active", "whereami"), "dbtool current names the active profile"),
    **dict.fromkeys(("bench", "benchmark", "poolbench", "pool"), "dbtool pool-bench tests a connection pool"),
    **dict.fromkeys(("completion", "complete"), "dbtool completions prints a shell's script"),
    **dict.fromkeys(("config", "settings"), "dbtool profile path lists the files, dbtool profile edit opens one"),
    "version": "dbtool --version",
}
_PROFILE_COMMANDS: Mapping[str, str] = {
    **dict.fromkeys(("ls", "all"), "dbtool profile list"),
    **dict.fromkeys(("new", "create", "init"), "dbtool profile add"),
    **dict.fromkeys(("rm", "del", "delete", "drop"), "dbtool profile remove NAME"),
    **dict.fromkeys(("mv", "move"), "dbtool profile rename NAME NEW"),
    **dict.fromkeys(("cp", "clone", "duplicate"), "dbtool profile copy NAME NEW"),
    **dict.fromkeys(("test", "ping", "verify", "connect"), "dbtool profile check NAME"),
    **dict.fromkeys(("use", "select", "switch", "activate"), "dbtool switch NAME"),
    **dict.fromkeys(("get", "view", "cat", "describe"), "dbtool profile show NAME"),
    **dict.fromkeys(("update", "change", "modify"), "dbtool profile set NAME KEY=VALUE"),
    **dict.fromkeys(("passwd", "login"), "dbtool profile password NAME"),
    **dict.fromkeys(("paths", "files", "where"), "dbtool profile path"),
    "current": "dbtool current",
}
_OF_PROFILES = frozenset(
    {"add", "check", "copy", "edit", "import", "password", "path", "remove", "rename", "set", "show"}
)
_VERBS = frozenset({"alter", "begin", "delete", "drop", "explain", "insert", "truncate", "update", "with"})

_PLACE = "where to connect is said by -p, with a profile's name or a URL such as postgresql://user@host:5432/database"
_SQL = 'SQL is an argument, as in dbtool query "select 1"'
_NAME = "the profile is named without an option"
_PLACE_OPTIONS: Mapping[str, str] = {
    **dict.fromkeys(
        ("-d", "-D", "-H", "-P", "-S", "-U", "-u", "--connection", "--database", "--db", "--dbname"), _PLACE
    ),
    **dict.fromkeys(("--dsn", "--host", "--password", "--port", "--socket", "--uri", "--url", "--user"), _PLACE),
}
_QUERY_OPTIONS: Mapping[str, str] = {
    **dict.fromkeys(("-c", "-e", "--command", "--execute", "--sql", "--query", "-Q", "--eval"), _SQL),
    **dict.fromkeys(("-t", "-N", "--tuples-only", "--skip-column-names"), "write --no-header"),
    **dict.fromkeys(("--csv", "--json", "--tsv", "--ndjson", "--markdown"), "write -F with the format's name"),
    **dict.fromkeys(("-x", "-E", "-G", "--expanded", "--vertical"), "write -F vertical"),
    **dict.fromkeys(("-A", "-B", "--no-align", "--batch"), "write -F csv, or -F tsv"),
    **dict.fromkeys(("--set", "--variable", "--var", "--bind"), "write -v NAME=TEXT, for a :NAME in the SQL"),
    **dict.fromkeys(("-s", "--silent"), "write --quiet"),
    **dict.fromkeys(("--input", "-i"), "write -f FILE"),
    "--force": "write --keep-going",
}


def explain_command(path: Sequence[str], word: str, commands: Sequence[str]) -> str | None:
    """Return what was meant by a word that is no command of the group at `path`, None where nobody can tell."""
    said = word.lower()
    if said in {*commands, "help"}:
        return _answer(word, f"write {said}")
    if path:
        return _answer(word, _PROFILE_COMMANDS.get(said)) if path[0] == "profile" else None
    if is_url(word) or is_path(word) or is_mistyped_url(word):  # which may hold a password
        return "a command comes first: dbtool query -p, and the URL or the file, opens a prompt there"
    if any(character.isspace() for character in word.strip()) or said in _VERBS:
        return f"a command comes first: {_RUN}"
    return _answer(word, f"dbtool profile {said} --help says how" if said in _OF_PROFILES else _COMMANDS.get(said))


def _answer(word: str, meant: str | None) -> str | None:
    return meant and f"there is no command {word!r}: {meant}"


def explain_option(path: Sequence[str], option: str, known: Sequence[str]) -> str | None:
    """Return what was meant by an option that the command at `path` does not have, None where nobody can tell."""
    if not path:
        return "options stand behind a command, as in dbtool query -p NAME"
    if path[0] == "profile" and option in {"-p", "--profile", "--name"}:
        return _NAME
    if path[0] == "query" and option in _QUERY_OPTIONS:
        return _QUERY_OPTIONS[option]
    return _PLACE_OPTIONS.get(option) if "--profile" in known else None
