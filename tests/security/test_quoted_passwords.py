"""A password in something that was typed, well-formed or not, is quoted nowhere: no message, traceback or process list.

Every text holds one recognisable password, in a place where a URL, a connection string or an option has it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dbtool.profiles.active.rules import name_argument
from dbtool.profiles.foreign.urls import parse_url
from dbtool.scrubbing import conceal, cover, scrub
from tests import scale
from tests.cli.fakes import silent_port
from tests.cli.running import Completed, run_inside
from tests.cli.watching import eventually, started

_SECRET = "Sesame4Open"
_ODD = ("", *'@:/#?&="%[];\té', "'", "\\'", "%40", "%2F", "%zz", "//", "://")


@st.composite
def _passwords(draw: st.DrawFn) -> str:
    before, after = draw(st.lists(st.sampled_from(_ODD), max_size=3)), draw(st.lists(st.sampled_from(_ODD), max_size=3))
    return "".join(before) + _SECRET + "".join(after)


@st.composite
def _spelled(draw: st.DrawFn, word: str) -> str:
    """Write a word with some of its letters as escapes, and in any case."""
    forms = st.sampled_from(["{0}", "{1}", "%{2:x}", "%{3:X}"])
    return "".join(draw(forms).format(it, it.upper(), ord(it), ord(it.upper())) for it in word)


_PREFIXES = st.sampled_from(["", "", "", "--profile=", "-p", "--url=", "--set=url=", "DBTOOL_PROFILE=", " "])
_SCHEMES = st.sampled_from(
    [
        *("postgresql://", "mysql://", "MariaDB://", "postgres+psycopg://", "jdbc:mysql://", "mongodb://", "http://"),
        *("sqlite:///", "postgresql:/", "postgresql:", "mysql//", "other://", "//", ""),
    ]
)
_USERS = st.sampled_from(["u", "", "user@server", "a%40b", "a@b@c", "${USER}", "Jörg"])
_HOSTS = st.sampled_from(["h", "", "h:5432", "[::1]", "[fe80::1%25eth0]:5432", "h1,h2:7", "db.example.com", "@h"])
_TAILS = st.sampled_from(["", "/d", "/d?sslmode=require", "/d?x=y&z", "?a=b@c", "/a/b", "/d#f", "/d?service=é"])
_NAMES = st.sampled_from(["password", "sslpassword", "passwd", "passphrase", "pwd"])


@st.composite
def _accesses(draw: st.DrawFn) -> str:
    """Write `user:password@host`, in a URL or not."""
    head = draw(_PREFIXES) + draw(_SCHEMES) + draw(_USERS)
    return f"{head}:{draw(_passwords())}@{draw(_HOSTS)}{draw(_TAILS)}"


@st.composite
def _parameters(draw: st.DrawFn) -> str:
    """Write a password among a URL's parameters."""
    head = f"{draw(_PREFIXES)}{draw(_SCHEMES)}{draw(_HOSTS)}/d?{draw(st.sampled_from(['', 'sslmode=require&', 'x&']))}"
    name = draw(_spelled(draw(_NAMES)))
    return f"{head}{name}={draw(_passwords())}{draw(st.sampled_from(['', '&connect_timeout=3', '&x@y']))}"


@st.composite
def _strings(draw: st.DrawFn) -> str:
    """Write a connection string as libpq takes it."""
    equals = draw(st.sampled_from(["=", " = ", "= "]))
    password = draw(_passwords()) + draw(st.sampled_from(["", "''s", " and more", "\\' x"]))
    quoted = draw(st.sampled_from(["'{}'", "{}", "'{}"])).format(password)
    return f"host=h {draw(_NAMES)}{equals}{quoted}{draw(st.sampled_from(['', ' dbname=d', ' user=u']))}"


_TYPED = st.one_of(_accesses(), _parameters(), _strings())
_EXAMPLES = (
    f"file:x.db?key={_SECRET}",
    f"file:x.db?mode=ro&hexkey={_SECRET}",
    f"postgresql://u:{_SECRET}@h/d?service=:memory:",
    f"postgresql://user@server:{_SECRET}@host/d",
    f"mysql://h/d?passw%6frd={_SECRET}",
    f"mysql://h/d?password={_SECRET}@more",
    f"mysql://h/d?password=a&{_SECRET}",
    f"mysql://h/d?password%3D{_SECRET}",
    f"mysql://u%3A{_SECRET}@h/d",
    f"mysql://u:{_SECRET}%40h/d",
    f"postgresql://u:{_SECRET}",
    f"host=h password='it''s \\' {_SECRET}' dbname=d",
    f"u:{_SECRET}@h/d",
    f"u:p://{_SECRET}@h/d",
    f"mysql://u:p@ss:w/{_SECRET}@h",
    f"--set=password={_SECRET}",
)


def _with_examples(test: Any) -> Any:
    for text in _EXAMPLES:
        test = example(text)(test)
    return test


@_with_examples
@given(_TYPED)
def test_the_password_is_found_wherever_it_stands(text: str) -> None:
    assert _SECRET not in scrub(text)
    assert _SECRET not in name_argument(text)
    (covered,) = cover([text])
    assert len(covered) == len(text)
    assert _SECRET not in covered
    pieces = [_SECRET] if len(text.split()) == 1 and _SECRET in re.split(r"\W+", text) else []
    for quoted in (text, repr(text), ascii(text), *pieces):
        assert _SECRET not in conceal(f"it says {quoted} there", [text])


@_with_examples
@given(_TYPED)
def test_no_error_of_a_url_quotes_it(text: str) -> None:
    said = ""
    try:
        parse_url(text, references=False)
    except ValueError as error:
        said = str(error)
    assert _SECRET not in said


@pytest.mark.parametrize(
    "text",
    [
        "prod",
        "select a::text from t where at = '12:00'",
        "postgresql://u@h:5432,i:6/d?sslmode=require",
        "postgresql://[::1]:5432/d",
        "select secret, password from t",
        "--password-env",
        "sqlite:///x.db",
        "C:\\x.db",
        "me@example.com",
    ],
)
def test_what_holds_no_password_is_left_as_it_is(text: str) -> None:
    assert scrub(text) == text
    assert cover([text]) == [text]


@pytest.mark.parametrize(
    "typed", [":memory:", "sqlite://:memory:", "sqlite:///:memory:", "--profile=sqlite:///:memory:"]
)
def test_a_database_in_memory_has_no_password_that_messages_lose(typed: str) -> None:
    assert conceal("out of memory: see PRAGMA", [typed]) == "out of memory: see PRAGMA"


def test_a_word_that_is_shown_anyway_stays_in_messages() -> None:
    tokens = ["-p", "postgresql://postgres:postgres@h/d"]
    assert conceal("no role postgres on h", tokens) == "no role postgres on h"
    assert conceal("a line, and e", ["mysql://u:e@h"]) == "a line, and ***"


def test_the_value_of_an_option_for_passwords_is_covered_whole() -> None:
    assert cover(["--password-command", "echo x", "--yes"]) == ["--password-command", "******", "--yes"]


@pytest.mark.slow
@_with_examples
@settings(deadline=None, max_examples=scale.EXAMPLES // 4)
@given(_TYPED)
def test_no_command_says_it(text: str) -> None:
    for arguments in (("current", "-p", text), ("switch", text), ("current", "-p", text, "--explain"), (text,)):
        _require_silence(run_inside(*arguments, "--debug"))
    for more in ([], ["--explain"]):
        _require_silence(run_inside("current", "--debug", *more, environment={"DBTOOL_PROFILE": text}))


def _require_silence(done: Completed) -> None:
    assert _SECRET not in done.out.decode("utf-8", "replace") + done.err


_URL = f"postgresql://user@server:{_SECRET}@127.0.0.1:1/d"


@pytest.mark.parametrize(
    "arguments",
    [
        ("query", "-p", f"u:{_SECRET}@h/d", "select 1"),
        ("query", "-p", f"host=127.0.0.1 password='it''s \\' {_SECRET}'", "select 1"),
        ("query", "-p", f"mysql://h/d?passw%6frd=x&{_SECRET}", "select 1"),
        ("profile", "show", _URL),
        ("profile", "check", _URL),
        ("profile", "import", f"u:{_SECRET}@h/d"),
        ("profile", "import", f"mysql://h/d?password=a&{_SECRET}", "--dry-run"),
        ("profile", "add", "x", "--url", f"mysql://u:{_SECRET}@h:port/d"),
        ("profile", "add", "x", f"--set=url={_URL}"),
        ("profile", "add", "x", "--engine", _URL),
        ("profile", "add", _URL, "--engine", "sqlite"),
        ("profile", "shwo", _URL),
        ("query", "select 1", f"--prof={_URL}"),
        ("query", "-f", f"u:{_SECRET}@h/d"),
        ("pool-bench", "-p", f"u:{_SECRET}@h/d"),
        ("pool-bench", _URL),
    ],
    ids=lambda arguments: " ".join(arguments).replace(_SECRET, "…")[:60],
)
def test_no_other_command_says_it(arguments: tuple[str, ...]) -> None:
    done = run_inside(*arguments, "--debug")
    assert done.status in {0, 2, 3}
    _require_silence(done)


@pytest.mark.parametrize(
    "more",
    [
        ("-v", f"password={_SECRET}"),
        ("-v", f"x=host=h passw%6Frd = '{_SECRET}'"),
        ("-v", f"x=user@server:{_SECRET}@h"),
    ],
)
def test_the_process_list_does_not_show_it(more: tuple[str, ...], tmp_path: Path) -> None:
    with silent_port() as port:
        url = f"postgresql://user@server:{_SECRET}@127.0.0.1:{port}/d"
        with started("query", "-p", url, *more, "select 1", home=tmp_path, forks=False) as process:
            command = Path(f"/proc/{process.pid}/cmdline")
            eventually(lambda: b"select 1" in command.read_bytes() and _SECRET.encode() not in command.read_bytes())
            assert b"user@server:***********@127.0.0.1" in command.read_bytes()


@pytest.mark.parametrize(
    "script", ["set -x; echo {0}; exit 3", "echo {0}; echo no: {0} >&2; exit 1", "echo https://u:{0}@h >&2; exit 1"]
)
def test_a_command_that_fails_says_what_it_printed(script: str, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(
        f'[profiles.x]\nengine = "mysql"\npassword = {{ command = ["sh", "-c", "{script.format(_SECRET)}"] }}\n'
    )
    for arguments in (("query", "-p", "x", "select 1", "--debug"), ("profile", "check", "x", "-F", "json")):
        done = run_inside(*arguments, "--config", "c.toml", cwd=tmp_path)
        assert done.status == 2
        assert "the command 'sh' failed with status" in done.err + done.text
        assert _SECRET not in done.err + done.text


@pytest.mark.parametrize("line", ["{0}", "h:{0}", "h:1:d:{0}", "u:{0}@h"])
def test_a_line_that_is_none_of_pgpass_is_shown(line: str, tmp_path: Path) -> None:
    (tmp_path / "passwords").write_text(f"\n{line.format(_SECRET)}\n")
    done = run_inside("profile", "import", "passwords", "--from", "pgpass", "--dry-run", cwd=tmp_path)
    assert "line-2" in done.text
    assert _SECRET not in done.text + done.err
