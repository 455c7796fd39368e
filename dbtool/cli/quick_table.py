"""How the quick way in reads the options of the commands that it serves; generated: make completions.

The kinds of values: a flag, a text, texts that are given again and again, a count from 0, a path, and a duration in
seconds. An option that is not here, Typer reads.
"""

from __future__ import annotations

ARGUMENT: dict[str, tuple[str, str] | None] = {
    "query": ("sql", "texts"),
    "current": None,
    "switch": ("name", "text"),
}
"""The name and the kind of what is no option."""

OPTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "query": {
        "--file": ("file", "texts"),
        "-f": ("file", "texts"),
        "--param": ("param", "texts"),
        "-v": ("param", "texts"),
        "--encoding": ("encoding", "text"),
        "--single-transaction": ("single_transaction", "flag"),
        "-1": ("single_transaction", "flag"),
        "--keep-going": ("keep_going", "flag"),
        "--dry-run": ("dry_run", "flag"),
        "--write": ("write", "flag"),
        "--confirm": ("confirm", "text"),
        "--profile": ("profile", "text"),
        "-p": ("profile", "text"),
        "--config": ("config", "text"),
        "--wait": ("wait", "seconds"),
        "--timeout": ("timeout", "seconds"),
        "--statement-timeout": ("statement_timeout", "seconds"),
        "--format": ("format_name", "text"),
        "-F": ("format_name", "text"),
        "--output": ("output", "path"),
        "-o": ("output", "path"),
        "--limit": ("limit", "count"),
        "-n": ("limit", "count"),
        "--result": ("result", "text"),
        "--no-header": ("no_header", "flag"),
        "--null": ("null", "text"),
        "--json-numbers": ("json_numbers", "text"),
        "--invalid-text": ("invalid_text", "text"),
        "--expect-rows": ("expect_rows", "text"),
        "--expect-value": ("expect_value", "text"),
        "--stats": ("stats", "flag"),
        "--quiet": ("quiet", "flag"),
        "-q": ("quiet", "flag"),
        "--debug": ("_debug", "flag"),
    },
    "current": {
        "--explain": ("explain", "flag"),
        "--prompt": ("prompt", "text"),
        "--profile": ("profile", "text"),
        "-p": ("profile", "text"),
        "--config": ("config", "text"),
        "--format": ("format_name", "text"),
        "-F": ("format_name", "text"),
        "--debug": ("_debug", "flag"),
    },
    "switch": {
        "--for": ("seconds", "seconds"),
        "--unset": ("unset", "flag"),
        "--confirm": ("confirm", "text"),
        "--config": ("config", "text"),
        "--format": ("format_name", "text"),
        "-F": ("format_name", "text"),
        "--debug": ("_debug", "flag"),
    },
}
"""Each option's name among the values, and the kind of its value."""

DEFAULTS: dict[str, dict[str, object]] = {
    "query": {
        "sql": None,
        "file": None,
        "param": None,
        "encoding": None,
        "single_transaction": False,
        "keep_going": False,
        "dry_run": False,
        "write": False,
        "confirm": None,
        "profile": None,
        "config": None,
        "wait": None,
        "timeout": None,
        "statement_timeout": None,
        "format_name": None,
        "output": None,
        "limit": None,
        "result": "all",
        "no_header": False,
        "null": None,
        "json_numbers": "digits",
        "invalid_text": "error",
        "expect_rows": None,
        "expect_value": None,
        "stats": False,
        "quiet": False,
    },
    "current": {
        "explain": False,
        "prompt": None,
        "profile": None,
        "config": None,
        "format_name": None,
    },
    "switch": {
        "name": None,
        "seconds": None,
        "shell": None,
        "unset": False,
        "confirm": None,
        "config": None,
        "format_name": None,
    },
}
"""Every value of a command, as it is where nothing was given."""
