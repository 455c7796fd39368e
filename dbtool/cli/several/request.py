"""The options for many profiles, whoever has read them."""

from __future__ import annotations

from pathlib import Path

from dbtool.errors import UsageError
from dbtool.records import Record

TYPE_CHECKING = False  # most commands are for one profile
if TYPE_CHECKING:
    from dbtool.profiles.active.several import ProfilesWanted


class SeveralRequest(Record):
    """What a command line says of many profiles, each option as it was written or as its default."""

    profiles: list[str] | None = None
    tag: list[str] | None = None
    all_profiles: bool = False
    jobs: int | None = None
    unordered: bool = False
    columns: str | None = None
    summary: Path | None = None
    canary: bool = False
    confirm: list[str] | None = None
    expect_same: bool = False

    @property
    def wanted(self) -> ProfilesWanted:
        """Return which profiles are meant."""
        from dbtool.profiles.active.several import ProfilesWanted

        return ProfilesWanted(named=tuple(self.profiles or ()), tags=tuple(self.tag or ()), every=self.all_profiles)

    @property
    def is_plain(self) -> bool:
        """Say whether plainly one profile is meant; where not, `is_for_one` finds out."""
        named, options = self.profiles or [], (self.jobs, self.columns, self.summary, self.unordered, self.canary)
        is_one_name = len(named) <= 1 and not any(mark in name for name in named for mark in ",*?[")
        return is_one_name and not (self.tag or self.all_profiles or any(options) or self.expect_same)

    @property
    def one_profile(self) -> str | None:
        """The profile that is named, where at most one is meant."""
        return self.profiles[0] if self.profiles else None

    @property
    def one_confirmed(self) -> str | None:
        """The name that `--confirm` gives. Raises UsageError where there are several."""
        if len(self.confirm or ()) > 1:
            raise UsageError("--confirm is given twice, and there is one profile to confirm")
        return self.confirm[0] if self.confirm else None

    def check(self) -> None:
        """Raise UsageError for a value that means nothing."""
        if self.columns not in {None, "first", "union"}:
            raise UsageError(f"--columns {self.columns!r}: write first or union")
        if self.canary and self.columns == "union":
            raise UsageError(
                "--canary shows the first profile's rows before the columns of the others are known: "
                "not with --columns union"
            )
        if self.jobs is not None and self.jobs < 1:
            raise UsageError(f"--jobs {self.jobs}: at least one is at work")
        if self.summary is not None and self.summary.suffix.lower() not in {".json", ".xml"}:
            raise UsageError(f"--summary {self.summary}: its name ends in .json, or in .xml for JUnit")


def is_for_one(request: SeveralRequest) -> bool:
    """Say whether at most one profile is meant; raises UsageError for an option that then means nothing."""
    if request.wanted.are_several:
        request.check()
        return False
    given = {
        "--jobs": request.jobs is not None,
        "--unordered": request.unordered,
        "--columns": request.columns is not None,
        "--summary": request.summary is not None,
        "--canary": request.canary,
        "--expect-same": request.expect_same,
    }
    for option, is_given in given.items():
        if is_given:
            raise UsageError(f"{option} is for several profiles: -p a,b, a pattern, --tag or --all-profiles")
    return True
