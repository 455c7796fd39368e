"""Which tests of MariaDB do not run on MySQL too, and why: all others do, by the same words."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

_ON_MARIADB_ALONE = {
    "test_a_pager_that_is_left_early_stops_no_statement_that_writes": "MySQL has no INSERT ... RETURNING",
    **dict.fromkeys(
        (
            "test_a_script_does_what_it_does_in_the_native_client[mysql-lines of dashes]",
            "test_a_script_does_what_it_does_in_the_native_client[mysql-lines of Windows]",
        ),
        "MySQL 9's client sends dashes without a blank to the server, which takes them for none of its comments",
    ),
    "test_a_script_does_what_it_does_in_the_native_client[mysql-USE without a terminator]": (
        "MySQL 9's client does not end a USE before the comment behind it"
    ),
    "test_what_mariadbs_functions_make_of_json_is_json_with_and_without_a_limit": "MySQL has a type for JSON",
}
"""Names of tests, each with what MySQL lacks, or what runs on it instead."""
_UNTRIED = (
    *("tests/bench/", "tests/pool/", "tests/switching/", "tests/test_memory.py", "tests/security/test_interrupted"),
    *("tests/cli/test_cancelling.py", "tests/cli/test_faults.py", "tests/cli/test_prompt.py"),
    *("tests/cli/test_protection.py", "tests/cli/test_stalled_reader.py", "tests/cli/test_terminal.py"),
    *("tests/cli/test_timeouts.py", "tests/cli/test_waiting.py", "tests/cli/test_tls.py", "tests/cli/test_results.py"),
    *("tests/cli/test_several.py", "tests/security/test_guards_pool_bench.py", "tests/cli/test_secrets.py"),
    *("tests/cli/test_shell.py", "tests/cli/test_exit_statuses.py"),
    *("tests/engines/test_tls.py", "tests/engines/test_dial.py", "tests/engines/test_several_engines.py"),
)
"""Files and directories whose tests nobody has run on MySQL yet: a line goes when they have."""
_NAMES_OF_MYSQL = frozenset({"mysql", "mysql_tls", "mysql_schema"})


def split_off(items: Iterable[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """Return the tests to run, and those not to run on MySQL."""
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        names = {getattr(item, "originalname", item.name), item.name}
        is_apart = (names & _ON_MARIADB_ALONE.keys() or item.nodeid.startswith(_UNTRIED)) and _runs_on_mysql(item)
        (left_out if is_apart else kept).append(item)
    return kept, left_out


def _runs_on_mysql(item: pytest.Item) -> bool:
    values = getattr(getattr(item, "callspec", None), "params", {}).values()
    return any(isinstance(value, str) and value in _NAMES_OF_MYSQL for value in values)
