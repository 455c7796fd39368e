"""Which of many profiles are meant."""

import re

import pytest

from dbtool.errors import ProfileError, UsageError
from dbtool.profiles.active.several import ProfilesWanted, find_profiles
from tests.profiles.world import World

PROFILES = """
[profiles.base]
tags = ["eu"]
[profiles.eu-1]
url = "sqlite:///one.db"
tags = ["eu", "prod"]
[profiles.eu-2]
extends = "base"
url = "sqlite:///two.db"
[profiles.us-1]
url = "sqlite:///three.db"
tags = ["prod"]
"""


@pytest.fixture
def profiles(world: World) -> World:
    world.config.mkdir(parents=True, exist_ok=True)
    (world.config / "profiles.toml").write_text(PROFILES)
    return world


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (ProfilesWanted(named=("us-1,eu-1",)), ["us-1", "eu-1"]),
        (ProfilesWanted(named=("us-1", "eu-2", "us-1")), ["us-1", "eu-2"]),
        (ProfilesWanted(named=("eu-*",)), ["eu-1", "eu-2"]),
        (ProfilesWanted(named=("us-1 , eu-[12]",)), ["us-1", "eu-1", "eu-2"]),
        (ProfilesWanted(named=("eu-2,*",)), ["eu-2", "eu-1", "us-1"]),
        (ProfilesWanted(tags=("eu",)), ["eu-1", "eu-2"]),
        (ProfilesWanted(tags=("eu", "prod")), ["eu-1"]),
        (ProfilesWanted(named=("*-1",), tags=("eu",)), ["eu-1"]),
        (ProfilesWanted(every=True), ["eu-1", "eu-2", "us-1"]),
        (ProfilesWanted(every=True, tags=("prod",)), ["eu-1", "us-1"]),
        (ProfilesWanted(named=("sqlite:///a,b.db", "./c,d.db")), ["sqlite:///a,b.db", "./c,d.db"]),
        (ProfilesWanted(named=("mysql://h/db?ssl=true", "us-1")), ["mysql://h/db?ssl=true", "us-1"]),
    ],
)
def test_profiles_are_meant_by_name_pattern_and_tag(profiles: World, wanted: ProfilesWanted, names: list[str]) -> None:
    assert [one.name for one in find_profiles(profiles.load(), wanted)] == names


def test_who_was_written_out_is_told_from_who_was_found(profiles: World) -> None:
    found = find_profiles(profiles.load(), ProfilesWanted(named=("eu-*,eu-2",)))
    assert [(one.name, one.by_name) for one in found] == [("eu-1", False), ("eu-2", True)]


@pytest.mark.parametrize(
    ("wanted", "error", "says"),
    [
        (ProfilesWanted(named=("eu-1,eu-3",)), ProfileError, "no profile is named 'eu-3'; did you mean"),
        (ProfilesWanted(named=("asia-*",)), ProfileError, "'asia-*'"),
        (ProfilesWanted(named=("eu-1,,us-1",)), UsageError, "a name is missing"),
        (ProfilesWanted(named=("eu-1,",)), UsageError, "a name is missing"),
        (ProfilesWanted(tags=("prd",)), ProfileError, "no profile has the tag 'prd'; did you mean prod?"),
        (ProfilesWanted(named=("us-*",), tags=("eu",)), ProfileError, "'eu' and a name that fits"),
        (ProfilesWanted(named=("eu-1",), every=True), UsageError, "--all-profiles"),
    ],
)
def test_what_means_no_profile_is_refused(
    profiles: World, wanted: ProfilesWanted, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=re.escape(says)):
        find_profiles(profiles.load(), wanted)


@pytest.mark.parametrize(
    ("wanted", "several"),
    [
        (ProfilesWanted(), False),
        (ProfilesWanted(named=("eu-1",)), False),
        (ProfilesWanted(named=("postgresql://a:1,b:2/x?sslmode=disable",)), False),
        (ProfilesWanted(named=("./a,b*.db",)), False),
        (ProfilesWanted(named=("eu-1,eu-1",)), True),
        (ProfilesWanted(named=("eu-1", "eu-2")), True),
        (ProfilesWanted(named=("us-*",)), True),
        (ProfilesWanted(tags=("prod",)), True),
        (ProfilesWanted(every=True), True),
    ],
)
def test_a_pattern_means_several_however_many_it_finds(wanted: ProfilesWanted, several: bool) -> None:
    assert wanted.are_several is several
