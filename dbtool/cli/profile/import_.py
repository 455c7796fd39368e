"""What `dbtool profile import` does: other tools' connections as profiles, and a list of what came of each."""

from __future__ import annotations

from collections.abc import Sequence

from dbtool.cli.profile.commit import commit, note_trust, require_valid
from dbtool.cli.profile.passwords import PasswordPlan, plan_keyring
from dbtool.cli.terminal.console import Console
from dbtool.cli.terminal.listing import (
    choose_listing_format,
    fit_table,
    is_table,
    print_listing,
    shorten_paths,
    text_columns,
)
from dbtool.environment import Environment
from dbtool.errors import ProfileError, UsageError
from dbtool.profiles.catalog import Catalog
from dbtool.profiles.changes.destinations import Where, choose_file, find_namesake, open_catalog, require_free
from dbtool.profiles.changes.editing import Change, quote_literal
from dbtool.profiles.changes.rewriting import add_profile, update_profile
from dbtool.profiles.files import SourceFile
from dbtool.profiles.importing import Found, read_found
from dbtool.records import Record
from dbtool.result import Row
from dbtool.scrubbing import scrub

_LEFT_OUT = "left out"
_MISSING = (
    "left out, and the profile has none: --password-keyring keeps it in the keyring, --plain writes it in the clear"
)


class ImportRequest(Record):
    """What the caller said about an import."""

    _concealed = frozenset({"source"})

    source: str
    kind: str | None = None
    only: tuple[str, ...] = ()
    name: str | None = None
    replace: bool = False
    dry_run: bool = False
    keyring: bool = False
    plain: bool = False
    where: Where
    format_name: str | None = None


def import_profiles(environment: Environment, request: ImportRequest) -> None:
    """Write what a source holds into a profile file; raises DbtoolError with nothing written."""
    if request.keyring and request.plain:
        raise UsageError("the password can be kept in one place only: pass --password-keyring or --plain")
    columns = text_columns("profile setting outcome")
    choose_listing_format(request.format_name, columns)
    console = Console(environment)
    catalog = open_catalog(environment, request.where)
    source = choose_file(environment, catalog, request.where)
    work = _Import(request, catalog, source)
    for found in _select(read_found(request.source, request.kind, environment), request):
        work.take(found)
    change = Change(catalog=catalog, source=source, text=work.text)
    if work.imported and not request.dry_run:
        commit(environment, console, change, *work.plans)
    elif work.imported:
        require_valid(environment, console, change)
    if is_table(request.format_name):
        shown, fitted = fit_table(environment, columns, [_shorten(row) for row in work.rows])
        print_listing(environment, shown, fitted, format_name=None)
        for name, setting, outcome in (map(str, row) for row in work.rows):
            if outcome.startswith(_LEFT_OUT):
                what = f"{name}, {setting}" if setting else name
                console.note(shorten_paths(environment, f"{what}: {outcome}"))
    else:
        print_listing(environment, columns, work.rows, format_name=request.format_name)
    if work.imported and not request.dry_run:
        note_trust(environment, console, source, *work.imported)
    elif not work.imported:
        console.note("nothing was imported")


def _shorten(row: Row) -> Row:
    """Leave the reason of what was left out to the lines below the table."""
    name, setting, outcome = row
    return (name, setting, _LEFT_OUT) if str(outcome).startswith(_LEFT_OUT) else row


def _select(found: Sequence[Found], request: ImportRequest) -> list[Found]:
    """Return what was asked for, by the name that it is to have. Raises UsageError."""
    if not found:
        raise ProfileError(f"{scrub(request.source)} holds no connection")
    names = [one.name for one in found]
    missing = [name for name in request.only if name not in names]
    if missing:
        raise UsageError(f"--only {missing[0]}: there is no such connection; there are {', '.join(names)}")
    chosen = [one for one in found if not request.only or one.name in request.only]
    if request.name is None:
        return chosen
    if len(chosen) != 1:
        raise UsageError(
            f"--name names one profile, and there are {len(chosen)}: choose with --only ({', '.join(names)})"
        )
    return [chosen[0].renamed(request.name)]


class _Import:
    """One import: the text as it grows, and a row for everything that was found."""

    def __init__(self, request: ImportRequest, catalog: Catalog, source: SourceFile) -> None:
        self.request = request
        self.catalog = catalog
        self.source = source
        self.text = source.text
        self.rows: list[Row] = []
        self.plans: list[PasswordPlan] = []
        self.imported: list[str] = []

    def take(self, found: Found) -> None:
        """Write one profile, unless something is in its way."""
        obstacle = found.problem or self._find_obstacle(found.name)
        if obstacle:
            self._tell(found, "", f"left out: {obstacle}")
            return
        plan = self._plan_password(found)
        values = {**found.values} if plan.written is None else {**found.values, "password": plan.written}
        is_new = found.name not in self.source.profiles
        self.text = (add_profile if is_new else update_profile)(self.text, found.name, values)
        self.imported.append(found.name)
        self.plans.append(plan)
        verb = "would be " if self.request.dry_run else ""
        deed = "imported" if is_new else "replaced"
        self._tell(found, "", f"{verb}{deed}, from {found.place}")
        if found.password is not None:
            self._tell(found, "password", self._say_password(found))
        for left in found.left_out:
            self._tell(found, left.what, f"left out: {left.why}")

    def _find_obstacle(self, name: str) -> str | None:
        if name in self.imported:
            return "another of this name was imported just now"
        namesake = find_namesake(self.catalog, self.source, name)
        if namesake is None:
            require_free(self.catalog, self.source, name)
            return None
        if namesake.path != self.source.path:
            return f"{namesake.path} has a profile of this name"
        return None if self.request.replace else "a profile of this name exists (--replace)"

    def _plan_password(self, found: Found) -> PasswordPlan:
        if found.password is None:
            return PasswordPlan()
        if self.request.keyring:
            return plan_keyring(found.name, found.password)
        return PasswordPlan(written=quote_literal(found.password)) if self.request.plain else PasswordPlan()

    def _say_password(self, found: Found) -> str:
        if self.request.keyring:
            return f"kept in the keyring as dbtool/{found.name}"
        if self.request.plain:
            return "written in the clear"
        if found.password_stays:
            return f"left out: {found.password_stays}"
        return _MISSING

    def _tell(self, found: Found, setting: str, outcome: str) -> None:
        self.rows.append((found.name, setting, outcome))
