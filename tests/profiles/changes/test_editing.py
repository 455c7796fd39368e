from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from dbtool.errors import ProfileError
from dbtool.profiles.changes.destinations import Where, choose_file, find_holder, open_catalog, require_free
from dbtool.profiles.changes.editing import (
    Change,
    find_extenders,
    find_problems,
    follow_rename,
    is_clear,
    relocate_paths,
    save,
)
from dbtool.profiles.changes.rewriting import add_profile, copy_profile, remove_profile, rename_profile, update_profile
from dbtool.profiles.changes.writing import replace_file
from dbtool.profiles.paths import Scope
from dbtool.profiles.state import update_state
from tests.profiles.world import World

TEXT = """\
# My databases.
default = "a"  # the usual

# About a.
[profiles.a]
engine = "sqlite"   # small
path = 'a.db'
# create = true

# --- servers ---

# About b.
[profiles.b]
extends = "a"
[profiles.b.pool]
max_connections = 3

# About c.
[profiles."c"]
extends = 'a' # too
"""


def make_change(world: World, text: str, where: Where | None = None) -> Change:
    where = where or Where()
    catalog = open_catalog(world.environment, where)
    return Change(catalog=catalog, source=choose_file(world.environment, catalog, where), text=text)


def test_a_new_profile_goes_to_the_end_and_leaves_every_byte_before_it() -> None:
    text = add_profile(TEXT, "d", {"engine": "mysql", "password": {"env": "PW"}, "pool": {"min_idle": 1}})
    added = '\n[profiles.d]\nengine = "mysql"\npassword = { env = "PW" }\n\n[profiles.d.pool]\nmin_idle = 1\n'
    assert text == TEXT + added


def test_the_first_profile_of_a_file_needs_no_blank_line_above_it() -> None:
    assert add_profile("", "a", {"engine": "mysql"}) == '[profiles.a]\nengine = "mysql"\n'


def test_a_profile_added_to_a_file_with_windows_line_ends_has_them_too() -> None:
    text = add_profile('default = "a"\r\n', "a", {"engine": "mysql"})
    assert text == 'default = "a"\r\n\r\n[profiles.a]\r\nengine = "mysql"\r\n'


def test_a_rename_changes_the_name_and_what_refers_to_it_and_nothing_else() -> None:
    expected = TEXT.replace('default = "a"', 'default = "z"').replace("[profiles.a]", "[profiles.z]")
    expected = expected.replace('extends = "a"', 'extends = "z"').replace("extends = 'a'", 'extends = "z"')
    assert rename_profile(TEXT, "a", "z") == expected


def test_a_rename_follows_every_way_to_write_a_profile() -> None:
    text = 'profiles.a.engine = "mysql"\nprofiles."a".pool = { min_idle = 1 }\n[profiles]\na.b = 1\n'
    for written in (text.partition("[profiles]")[0], '[profiles]\na = { engine = "mysql" }\n'):
        assert tomli.loads(rename_profile(written, "a", "z"))["profiles"].keys() == {"z"}


def test_a_name_that_is_no_bare_key_is_quoted() -> None:
    assert rename_profile('[profiles.a]\nengine = "mysql"\n', "a", "größe").startswith('[profiles."größe"]')


def test_removing_a_profile_takes_its_comments_and_leaves_those_of_others() -> None:
    start, end = TEXT.index("# About b."), TEXT.index("# About c.")
    assert remove_profile(TEXT, "b") == TEXT[:start] + TEXT[end:]


def test_removing_the_last_profile_leaves_no_blank_lines_at_the_end() -> None:
    assert remove_profile(TEXT, "c") == TEXT[: TEXT.index("\n# About c.")]


def test_removing_the_default_takes_the_default_out() -> None:
    text = remove_profile(TEXT, "a")
    assert "default" not in tomli.loads(text)
    assert text.startswith("# My databases.\n")
    assert "# --- servers ---" in text


def test_the_comment_that_opens_a_file_survives_its_first_profile() -> None:
    assert remove_profile('# Mine.\n[profiles.a]\nengine = "mysql"\n', "a") == "# Mine.\n"


def test_a_comment_that_touches_the_next_profile_is_that_ones() -> None:
    text = "[profiles.a]\nport = 1\n# About b.\n[profiles.b]\nport = 2\n"
    assert remove_profile(text, "a") == text[text.index("# About b.") :]


def test_a_copy_keeps_the_comments_inside_a_profile() -> None:
    text = copy_profile(TEXT, "a", onto=TEXT, new="d", changes={})
    assert text.startswith(TEXT)
    assert text[len(TEXT) :] == "\n[profiles.d]\nengine = \"sqlite\"   # small\npath = 'a.db'\n# create = true\n"


def test_an_update_changes_where_a_profile_connects_and_keeps_the_rest() -> None:
    rest = "# end\n\n# next\n[profiles.b]\nport = 2\n"
    text = '[profiles.a]\nhost = "old" # here\nport = 1\nprotected = true # mind\n' + rest
    assert update_profile(text, "a", {"host": "new", "user": "ann"}) == (
        '[profiles.a]\nhost = "new" # here\nprotected = true # mind\nuser = "ann"\n' + rest
    )


@pytest.mark.parametrize("text", ['profiles = { a = { engine = "mysql" } }\n'])
def test_a_file_that_cannot_be_followed_is_refused_and_not_guessed_at(text: str) -> None:
    with pytest.raises(ProfileError, match="dbtool profile edit"):
        rename_profile(text, "a", "b")


_NAMES = st.sampled_from(["a", "b", "c"])
_PIECES = st.sampled_from(
    [
        "[profiles.{name}]\nhost = 'x'\n",
        "# about it\n[profiles.{name}]\nport = 1 # n\n# after\n",
        "[profiles.{name}]\ntags = [\n  'a', # one\n  '[profiles.b]',\n]\n\n[profiles.{name}.pool]\nmin_idle = 1\n",
        '  [ profiles . "{name}" ]\nuser = """a\n[profiles.a]\n"""\n\n\n',
    ]
)


@st.composite
def files(draw: st.DrawFn) -> str:
    names = draw(st.lists(_NAMES, min_size=1, unique=True))
    top = draw(st.sampled_from(["", "# top\n\n", 'default = "a"\n']))
    return top + draw(st.sampled_from(["", "\n"])).join(draw(_PIECES).replace("{name}", name) for name in names)


@given(files())
def test_every_change_means_what_it_should_in_any_layout(text: str) -> None:
    table = tomli.loads(text)
    name = next(iter(table["profiles"]))
    renamed = tomli.loads(rename_profile(text, name, "new"))
    assert renamed["profiles"] == {"new" if old == name else old: own for old, own in table["profiles"].items()}
    removed = remove_profile(text, name)
    assert tomli.loads(removed).get("profiles", {}) == {
        other: own for other, own in table["profiles"].items() if other != name
    }
    copied = copy_profile(text, name, onto=text, new="new", changes={"port": 9})
    assert copied.startswith(text)
    assert tomli.loads(copied)["profiles"]["new"] == {**table["profiles"][name], "port": 9}


def test_a_new_profile_goes_to_the_users_file(world: World) -> None:
    world.write_project('[profiles.a]\nengine = "mysql"\n')
    assert make_change(world, "").source.path == world.config / "profiles.toml"


def test_project_means_the_file_that_makes_the_directory_a_project(world: World) -> None:
    where = Where(project=True)
    assert make_change(world, "", where).source.path == world.project / "dbtool.toml"
    world.write(world.project / "profiles" / "x.toml", "[profiles.a]\nport = 1\n")
    assert make_change(world, "", where).source.path == world.project / "profiles" / "x.toml"
    world.write_project("")
    assert make_change(world, "", where).source.path == world.project / "dbtool.toml"


def test_the_home_directory_is_no_project(world: World) -> None:
    world.working_directory = world.home
    with pytest.raises(ProfileError, match="cannot be a project"):
        make_change(world, "", Where(project=True))


def test_a_named_configuration_takes_new_profiles(world: World) -> None:
    path = world.write(world.root / "own.toml", "")
    assert make_change(world, "", Where(config=str(path))).source.path == path
    world.variables["DBTOOL_CONFIG"] = str(path)
    assert make_change(world, "").source.path == path
    with pytest.raises(ProfileError, match="--project"):
        make_change(world, "", Where(project=True))


def test_a_file_that_does_not_parse_is_not_written_to(world: World) -> None:
    world.write_user("[profiles.a\n")
    with pytest.raises(ProfileError, match="profile edit --file"):
        make_change(world, "")


def test_an_untrusted_project_cannot_lead_a_change_out_of_itself(world: World) -> None:
    own = world.write_user('[profiles.mine]\nengine = "mysql"\n')
    (world.project / "dbtool.toml").symlink_to(own)
    with pytest.raises(ProfileError, match="link to outside the project"):
        make_change(world, "", Where(project=True))
    world.trust()
    assert make_change(world, "", Where(project=True)).source.scope is Scope.PROJECT


def test_a_name_is_free_unless_the_same_scope_has_it(world: World) -> None:
    world.write_project('[profiles.theirs]\nengine = "mysql"\n')
    world.write(world.config / "profiles.d" / "more.toml", '[profiles.mine]\nengine = "mysql"\n')
    change = make_change(world, "")
    require_free(change.catalog, change.source, "theirs")
    with pytest.raises(ProfileError, match=r"more\.toml has a profile named 'mine' already"):
        require_free(change.catalog, change.source, "mine")
    with pytest.raises(ProfileError, match="no profile's name"):
        require_free(change.catalog, change.source, "a.b")


def test_a_profile_is_changed_in_the_file_that_holds_it(world: World) -> None:
    world.write_user('[profiles.a]\nengine = "mysql"\n')
    world.write_project('[profiles.a]\nengine = "mysql"\n')
    catalog = open_catalog(world.environment, Where())
    assert find_holder(world.environment, catalog, "a", Where()).scope is Scope.PROJECT
    where = Where(file=str(world.config / "profiles.toml"))
    assert find_holder(world.environment, catalog, "a", where).scope is Scope.USER
    with pytest.raises(ProfileError, match="did you mean a"):
        find_holder(world.environment, catalog, "aa", Where())


def test_a_change_is_held_against_what_was_wrong_before(world: World) -> None:
    world.write_user('[profiles.old]\nengin = "mysql"\n')
    text = '[profiles.new]\nengine = "mysql"\n\n[profiles.old]\nengin = "mysql"\n'
    change = make_change(world, text)
    assert find_problems(world.environment, change) == ()
    found = find_problems(world.environment, change, whole_file=True)
    assert [(problem.profile, problem.key) for problem in found] == [("old", None), ("old", "engin")]


def test_a_problem_that_only_moves_to_another_line_is_not_new(world: World) -> None:
    text = '[profiles.a]\nengine = "mysql"\n'
    world.write_user(text)
    world.write(world.config / "profiles.d" / "more.toml", text)
    assert find_problems(world.environment, make_change(world, "# one line more\n" + text)) == ()


def test_every_problem_that_a_change_brings_is_found_also_in_other_files(world: World) -> None:
    world.write_user('[profiles.base]\nengine = "mysql"\n')
    world.write(world.config / "profiles.d" / "more.toml", '[profiles.mine]\nextends = "base"\n')
    problems = find_problems(world.environment, make_change(world, '[profiles.other]\nport = 0\nhots = "x"\n'))
    assert {(problem.profile, problem.key) for problem in problems} >= {
        ("mine", "extends"),
        ("other", "port"),
        ("other", "hots"),
    }


def test_a_projects_own_references_are_no_problem_for_who_writes_them(world: World) -> None:
    text = '[profiles.a]\nengine = "mysql"\npassword = { env = "PW" }\n'
    assert find_problems(world.environment, make_change(world, text, Where(project=True))) == ()


def test_the_profiles_that_extend_one_are_named(world: World) -> None:
    world.write_user('[profiles.base]\nengine = "mysql"\n[profiles.a]\nextends = "base"\n')
    catalog = open_catalog(world.environment, Where())
    holder = find_holder(world.environment, catalog, "base", Where())
    assert find_extenders(catalog, holder, "base") == (f"a ({world.config / 'profiles.toml'})",)
    assert find_extenders(catalog, holder, "a") == ()


def test_the_switched_and_the_previous_profile_follow_a_rename(world: World) -> None:
    update_state(world.environment, lambda state: state.switch_to("a", now=0.0))
    update_state(world.environment, lambda state: state.switch_to("b", now=0.0, until=5.0))
    file = world.config / "profiles.toml"
    assert follow_rename(world.environment, file, "a", "z")
    state = world.read_state()
    assert (state.switched(1.0)[0], state.switched(9.0)[0], state.previous) == ("b", "z", "z")
    assert not follow_rename(world.environment, file, "a", "z")


def test_what_another_file_has_under_the_old_name_follows_no_rename(world: World) -> None:
    other = str(world.project / "dbtool.toml")
    update_state(world.environment, lambda state: state.switch_to("a", now=0.0, file=other))
    update_state(world.environment, lambda state: state.switch_to("b", now=0.0, until=5.0, file=other))
    assert not follow_rename(world.environment, world.config / "profiles.toml", "a", "z")
    assert follow_rename(world.environment, world.project / "dbtool.toml", "a", "z")


def test_paths_are_moved_with_a_profile(tmp_path: Path) -> None:
    values = {"path": "a.db", "tls_ca": "~/ca", "tls_key": "/k", "socket": "${S}", "password": {"file": "pw"}}
    assert relocate_paths(values, home=tmp_path, to=tmp_path / "x") == {
        "path": str(tmp_path / "a.db"),
        "password": {"file": str(tmp_path / "pw")},
    }
    assert relocate_paths(values, home=tmp_path, to=tmp_path) == {}


@pytest.mark.parametrize(
    ("password", "clear"),
    [("hunter2", True), ("${PW}", False), ("x${PW}", True), ("${PW:-hunter2}", True), ({"env": "PW"}, False)],
)
def test_a_password_is_in_the_clear_unless_it_is_a_reference(password: object, clear: bool) -> None:
    assert is_clear(password) is clear


def test_a_new_file_is_its_owners_alone_and_an_old_one_keeps_its_mode(world: World) -> None:
    save(make_change(world, "# one\n"))
    path = world.config / "profiles.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    save(make_change(world, "# two\n"))
    assert (stat.S_IMODE(path.stat().st_mode), path.read_text()) == (0o644, "# two\n")
    assert [other.name for other in path.parent.iterdir()] == ["profiles.toml"]


def test_a_change_under_somebody_elses_hands_is_refused(world: World) -> None:
    change = make_change(world, "# mine\n")
    world.write_user("# theirs\n")
    with pytest.raises(ProfileError, match="changed by somebody else"):
        save(change)
    assert (world.config / "profiles.toml").read_text() == "# theirs\n"


def test_a_link_goes_on_pointing_to_the_file_that_was_changed(world: World) -> None:
    real = world.write(world.root / "dotfiles" / "p.toml", "# old\n")
    world.config.mkdir(parents=True)
    link = world.config / "profiles.toml"
    link.symlink_to(real)
    save(make_change(world, "# new\n"))
    assert link.is_symlink()
    assert real.read_text() == "# new\n"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.toml"
    path.write_bytes(b"old")

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ProfileError, match="No space left"):
        replace_file(path, before=b"old", after=b"new")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("p.toml", b"old")]


def test_a_byte_order_mark_stays(world: World) -> None:
    path = world.write_user("")
    path.write_bytes(b"\xef\xbb\xbf# old\n")
    save(make_change(world, "# new\n"))
    assert path.read_bytes() == b"\xef\xbb\xbf# new\n"
