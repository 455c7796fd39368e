"""`dbtool profile set` and `dbtool profile password`: keys change where they stand, and nothing else."""

from __future__ import annotations

import pytest

from tests.cli.profile_shell import Shell

_BEFORE = """\
# the shop
[profiles.shop]
engine = "postgresql"   # ours
host = "db"
port = 5433
tags = ["eu"]

[profiles.shop.pool]
max_connections = 3

[profiles.other]
engine = "sqlite"
path = "x.db"
"""


@pytest.mark.parametrize(
    ("written", "old", "new"),
    [
        (["port=5444"], "port = 5433", "port = 5444"),
        (["port="], "port = 5433\n", ""),
        (["user=app"], 'tags = ["eu"]\n', 'tags = ["eu"]\nuser = "app"\n'),
        (["tags=us", "tags=x"], '["eu"]', '["us", "x"]'),
        (["pool.max_connections=7"], "max_connections = 3", "max_connections = 7"),
        (["pool.min_idle=1"], "max_connections = 3\n", "max_connections = 3\nmin_idle = 1\n"),
        (["protected=true", "host=a"], 'host = "db"\nport', 'host = "a"\nport'),
        (["url=postgresql://h/shop"], 'host = "db"\nport = 5433\n', 'host = "h"\n'),
        (["password="], 'tags = ["eu"]\n', 'tags = ["eu"]\n'),
    ],
)
def test_a_key_is_set_where_it_stands(shell: Shell, written: list[str], old: str, new: str) -> None:
    before = _BEFORE if written != ["password="] else _BEFORE.replace("tags =", 'password = "x"\ntags =')
    shell.write(before)
    done = shell.run("profile", "set", "shop", *written)
    assert (done.status, done.out) == (0, b""), done
    assert f"changed shop in {shell.file}:2" in done.err
    added = {"protected=true": "protected = true\n", "url=postgresql://h/shop": 'database = "shop"\n'}.get(
        written[0], ""
    )
    expected = _BEFORE.replace(old, new)
    assert shell.file.read_text() == expected.replace('tags = ["eu"]\n', f'tags = ["eu"]\n{added}')


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("prot=1", "did you mean port?"),
        ("port", "write KEY=VALUE"),
        ("port=many", "port: must be a whole number"),
        ("color=", "has no such key"),
        ("engine=", "says no engine"),
        ("password=hunter2", "dbtool profile password"),
        ("url=postgresql://u:hunter2@h/d", "dbtool profile password"),
        ("url=nothing", "url: is no URL"),
        ("extends=nobody", "nobody"),
    ],
)
def test_what_would_break_the_profile_changes_nothing(shell: Shell, written: str, said: str) -> None:
    shell.write(_BEFORE)
    done = shell.run("profile", "set", "shop", written)
    assert (done.status, done.out) == (2, b""), done
    assert said in done.err
    assert "hunter2" not in done.err
    assert shell.file.read_text() == _BEFORE


def test_a_password_is_kept_where_an_option_says(shell: Shell) -> None:
    shell.write(_BEFORE)
    assert shell.run("profile", "password", "shop", "--password-env", "SHOP_PASSWORD").status == 0
    assert 'password = { env = "SHOP_PASSWORD" }' in shell.file.read_text()
    done = shell.run("profile", "password", "shop", "--plain", stdin="hunter${2}\n")
    assert done.status == 0
    assert 'password = "hunter$${2}"' in shell.file.read_text()
    assert "hunter" not in done.err
    assert shell.run("profile", "password", "shop", "--plain").status == 2
    assert shell.run("profile", "password", "other", "--password-env", "X").status == 2
    assert shell.run("profile", "password", "nobody").status == 2


def test_a_relative_path_is_of_the_working_directory(shell: Shell) -> None:
    shell.write(_BEFORE)
    assert shell.run("profile", "set", "other", "path=y.db").status == 0
    assert f'path = "{shell.work / "y.db"}"' in shell.file.read_text()
