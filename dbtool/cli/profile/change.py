"""What `dbtool profile add | copy | rename | remove` do."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dbtool.actions.face import ask_for_name
from dbtool.cli.profile.commit import commit, note_rivals, note_trust, say_place
from dbtool.cli.profile.interview import Interview, ask_for_request
from dbtool.cli.profile.passwords import PasswordRequest, plan_password
from dbtool.cli.profile.settings import read_setting, read_settings
from dbtool.cli.terminal.console import Console
from dbtool.cli.terminal.questions import Questions, is_interactive
from dbtool.environment import Environment
from dbtool.errors import GuardError, ProfileError, UsageError
from dbtool.profiles.active.unchecked import split_host
from dbtool.profiles.catalog import Catalog, load_catalog
from dbtool.profiles.changes.destinations import Where, choose_file, find_holder, open_catalog, require_free
from dbtool.profiles.changes.editing import Change, find_extenders, follow_rename, is_clear, relocate_paths
from dbtool.profiles.changes.rewriting import add_profile, copy_profile, remove_profile, rename_profile
from dbtool.profiles.discover import find_pin
from dbtool.profiles.files import SourceFile
from dbtool.profiles.foreign.urls import has_late_parts, parse_url
from dbtool.profiles.paths import Scope
from dbtool.profiles.state import read_state
from dbtool.records import Record


class AddRequest(Record):
    """What the caller said about a new profile; `settings` are keys and their text."""

    _concealed = frozenset({"url"})

    name: str | None
    url: str | None = None
    settings: Mapping[str, str]
    flags: Mapping[str, bool]
    tags: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    """`--set KEY=VALUE`."""
    password: PasswordRequest
    where: Where
    check: bool = True
    """Connect at the end, where a person is there to see."""


def add(environment: Environment, request: AddRequest) -> None:
    """Write a new profile, and try it out where a person is there to see; raises DbtoolError with nothing written."""
    console = Console(environment)
    values = _gather(request)
    if values or not is_interactive(environment):
        if not request.name:
            raise UsageError("name the new profile: dbtool profile add NAME")
        draft = _Draft(name=request.name, values=values, password=request.password)
        change = _write(environment, console, request.where, draft)
        if not _wants_check(environment, request):
            console.note(
                f"added {draft.name} to {say_place(change, draft.name)}; try it: dbtool profile check {draft.name}"
            )
        else:
            console.note(f"added {draft.name} to {say_place(change, draft.name)}")
            _try_out(environment, console, change, draft.name)
        _note_what_follows(environment, console, change, draft.name)
        return
    _add_by_answers(environment, console, request)


class _Draft(Record):
    """A profile to be written; `is_asked` says that a person was asked for all of it."""

    _concealed = frozenset({"values"})

    name: str
    values: Mapping[str, Any]
    password: PasswordRequest
    is_asked: bool = False
    replaces: bool = False
    """It has been written before, with other answers."""


def _add_by_answers(environment: Environment, console: Console, request: AddRequest) -> None:
    """Ask for a profile, write it and try it out, again as often as the person wants to change an answer."""

    def check_name(name: str) -> None:
        catalog = open_catalog(environment, request.where)
        try:
            require_free(catalog, choose_file(environment, catalog, request.where), name)
        except ProfileError as error:
            raise ValueError(str(error)) from None

    if request.name:
        catalog = open_catalog(environment, request.where)
        require_free(catalog, choose_file(environment, catalog, request.where), request.name)
    questions = Questions(environment, console, may_go_back=True)
    interview = Interview(environment, questions, name=request.name, check_name=check_name)
    is_again = False
    while True:
        interview.run()
        password = request.password if not request.password.is_silent else interview.password
        draft = _Draft(
            name=interview.name, values=interview.settings, password=password, is_asked=True, replaces=is_again
        )
        change = _write(environment, console, request.where, draft)
        console.note(f"{'changed' if is_again else 'added'} {draft.name} in {say_place(change, draft.name)}")
        is_good = not _wants_check(environment, request) or _try_out(environment, console, change, draft.name)
        if is_good or not Questions(environment, console).confirm("Go through the questions again?"):
            break
        interview.keep_name()
        is_again = True
    _note_what_follows(environment, console, change, draft.name)


def _write(environment: Environment, console: Console, where: Where, draft: _Draft) -> Change:
    """Write a profile into its file. Raises DbtoolError with nothing written."""
    catalog = open_catalog(environment, where)
    source = choose_file(environment, catalog, where)
    if not draft.replaces:
        require_free(catalog, source, draft.name)
    if not draft.values:
        raise UsageError(
            "say where the database is: --url, or --engine with --host, --database or --path, or --extends"
        )
    values, given = _take_url(_split_port(draft.values))
    password = draft.password
    if given is not None and is_clear(given) and password.is_silent and is_interactive(environment):
        # Told otherwise, it is left out.
        password = password if draft.is_asked else ask_for_request(Questions(environment, console))
        given = None if password.is_silent else given
    plan = plan_password(environment, console, draft.name, password, given=given)
    if plan.written is not None:
        values["password"] = plan.written
    values = _place_paths(environment, source, values)
    text = remove_profile(source.text, draft.name) if draft.replaces else source.text
    change = Change(catalog=catalog, source=source, text=add_profile(text, draft.name, values))
    commit(environment, console, change, plan)
    return change


def _split_port(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take the port off a host that it was typed behind, unless there are several, each with its own."""
    host = values.get("host", "")
    name, port = split_host(host)
    if not port or "," in host or "port" in values:
        return values
    return {key: name if key == "host" else value for key, value in values.items()} | {"port": int(port)}


def _wants_check(environment: Environment, request: AddRequest) -> bool:
    return request.check and is_interactive(environment)


def _try_out(environment: Environment, console: Console, change: Change, name: str) -> bool:
    """Connect to a new profile, and say what came of it."""
    from dbtool.actions.connect import Limits
    from dbtool.actions.passwords import TypedPasswords
    from dbtool.cli.profile.check import check_apart
    from dbtool.process import prepare_process

    catalog = change.reload(environment)
    if catalog.problems_of(name):  # it needs trust, which is said below
        return True
    console.note("connecting ...")
    prepare_process()
    limits = Limits(started=time.monotonic())
    checked = check_apart(environment, console, limits, TypedPasswords(), catalog.get(name))
    if checked.failure is None and checked.facts is not None:
        access = "read-only" if checked.facts.read_only else "read-write"
        console.note(f"it works: {checked.facts.version}, TLS {checked.facts.tls or 'none'}, {access}")
        return True
    console.warn(f"it does not connect yet: {checked.failure}")
    console.note(f"change it with dbtool profile set {name} KEY=VALUE, and try it with dbtool profile check {name}")
    return False


def _note_what_follows(environment: Environment, console: Console, change: Change, name: str) -> None:
    note_rivals(console, change, name)
    note_trust(environment, console, change.source, name)


def copy(environment: Environment, name: str, new: str, where: Where, *, plain: bool) -> None:
    """Write a copy of a profile under another name; raises DbtoolError with nothing written."""
    console = Console(environment)
    here = catalog = open_catalog(environment, Where(config=where.config))
    holder = find_holder(environment, here, name, Where())
    target = holder
    if where.file is not None or where.project:
        catalog = open_catalog(environment, where)
        target = choose_file(environment, catalog, where)
    require_free(catalog, target, new)
    values = _require_table(holder, name)
    if target.path != holder.path:
        _require_trusted(here, holder)
        _require_no_secret(name, values, plain=plain)
    changes = relocate_paths(values, home=holder.path.parent, to=target.path.parent)
    text = copy_profile(holder.text, name, onto=target.text, new=new, changes=changes)
    change = Change(catalog=catalog, source=target, text=text)
    commit(environment, console, change)
    console.note(f"copied {name} to {new} in {say_place(change, new)}")
    note_rivals(console, change, new)
    note_trust(environment, console, target, new)


def rename(environment: Environment, old: str, new: str, where: Where) -> None:
    """Give a profile another name, and what refers to it; raises DbtoolError with nothing written."""
    console = Console(environment)
    catalog = open_catalog(environment, where)
    holder = find_holder(environment, catalog, old, where)
    require_free(catalog, holder, new)
    change = Change(catalog=catalog, source=holder, text=rename_profile(holder.text, old, new))
    commit(environment, console, change)
    console.note(f"renamed {old} to {new} in {say_place(change, new)}")
    if _is_gone(environment, where, holder, old):
        if follow_rename(environment, holder.path, old, new):
            console.note(f"the switched or previous profile {old!r} is {new!r} now")
        _warn_of_pointers(environment, console, old)
    note_rivals(console, change, new)
    note_trust(environment, console, holder, new)


def remove(environment: Environment, name: str, where: Where, *, yes: bool) -> None:
    """Take a profile out of its file once that is confirmed; raises DbtoolError with nothing written."""
    console = Console(environment)
    catalog = open_catalog(environment, where)
    holder = find_holder(environment, catalog, name, where)
    extenders = find_extenders(catalog, holder, name)
    if extenders:
        raise ProfileError(f"{name!r} is extended by {', '.join(extenders)}: change those first")
    change = Change(catalog=catalog, source=holder, text=remove_profile(holder.text, name))
    if not yes:
        _confirm_removal(environment, console, catalog, holder, name)
    was_default = (holder.table or {}).get("default") == name
    commit(environment, console, change)
    console.note(f"removed {name} from {holder.path}" + (", and its default, which named it" if was_default else ""))
    if _is_gone(environment, where, holder, name):
        _warn_of_pointers(environment, console, name)
    note_trust(environment, console, holder)


def _gather(request: AddRequest) -> dict[str, Any]:
    """Return what the options say, as a file spells it. Raises UsageError."""
    values: dict[str, Any] = {} if request.url is None else {"url": request.url}
    for key, text in request.settings.items():
        try:
            values[key] = read_setting(key, text)
        except ValueError as error:
            raise UsageError(f"--{key.replace('_', '-')}: {error}") from None
    values |= {key: True for key, value in request.flags.items() if value}
    if request.tags:
        values["tags"] = list(request.tags)
    for key, value in read_settings(request.more).items():
        if key in values:
            raise UsageError(f"--set {key}: an option says it too: say it in one of the two")
        values[key] = value
    return values


def _take_url(values: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """Return the keys that a URL says among the others, and the password in it. Raises UsageError."""
    rest = {key: value for key, value in values.items() if key != "url"}
    url = values.get("url")
    if url is None:
        return rest, None
    try:
        is_late = has_late_parts(url)
        said = {} if url.startswith("${") else parse_url(url, references=True)
    except ValueError as error:
        raise UsageError(f"--url: {error}") from None
    given = said.pop("password", None)
    if is_late:
        if given is not None and is_clear(given):
            raise UsageError("--url: a variable stands for its port, and a password in the clear beside it: use --host")
        return {"url": url, **rest}, None
    double = next((key for key in said if key in rest and rest[key] != said[key]), None)
    if double:
        raise UsageError(f"--url and --{double.replace('_', '-')} both say the {double}: say it in one of the two")
    return {**{key: _spell(key, value) for key, value in said.items()}, **rest}, given


def _spell(key: str, value: Any) -> Any:
    """Write a duration that a URL gives in seconds with its unit."""
    return f"{value}s" if key.endswith("_timeout") and str(value).isdigit() else value


def _place_paths(environment: Environment, source: SourceFile, values: dict[str, Any]) -> dict[str, Any]:
    """Return paths that were typed in the working directory as they mean the same in a file's own.

    A project can be moved: paths inside it stay relative.
    """
    directory = source.path.parent
    moved = relocate_paths(values, home=environment.working_directory, to=directory)
    if source.scope is Scope.PROJECT:
        moved = {key: _shorten(value, directory) for key, value in moved.items()}
    return {**values, **moved}


def _shorten(value: Any, directory: Path) -> Any:
    if isinstance(value, dict):
        return {key: _shorten(inner, directory) for key, inner in value.items()}
    path = Path(value)
    return path.relative_to(directory).as_posix() if path.is_relative_to(directory) else value


def _require_table(source: SourceFile, name: str) -> Mapping[str, Any]:
    table = source.profiles[name]
    if not isinstance(table, dict):
        raise ProfileError(f"{source.path}: profile {name!r}: must be a table")
    return table


def _require_trusted(catalog: Catalog, holder: SourceFile) -> None:
    """Refuse to carry a stranger's profile out of its project, where nobody would ask for trust again."""
    if not catalog.sources.is_trusted(holder):
        raise ProfileError(
            f"{holder.path} is of a project that you have not trusted: look at it, then run `dbtool profile trust`"
        )


def _require_no_secret(name: str, values: Mapping[str, Any], *, plain: bool) -> None:
    """Refuse to carry a password in the clear to another file."""
    if is_clear(values.get("password")) and not plain:
        raise ProfileError(
            f"profile {name!r} holds a password in the clear, which would stand in another file too: "
            "make it a reference first, or pass --plain"
        )


def _confirm_removal(
    environment: Environment, console: Console, catalog: Catalog, holder: SourceFile, name: str
) -> None:
    """Ask before a profile is removed; a protected one by its name. Raises GuardError."""
    if not is_interactive(environment):
        raise GuardError(f"removing {name!r} was not confirmed: pass --yes")
    questions = Questions(environment, console)
    table = holder.profiles[name]
    protected = isinstance(table, dict) and table.get("protected") is True
    if protected or any(entry.protected for entry in catalog.entries() if entry.name == name):
        confirmed = questions.ask(ask_for_name(name, f"remove it from {holder.path}")) == name
    else:
        confirmed = questions.confirm(f"Remove {name} from {holder.path}?")
    if not confirmed:
        raise GuardError(f"removing {name!r} was not confirmed")


def _is_gone(environment: Environment, where: Where, holder: SourceFile, name: str) -> bool:
    """Say whether a name that a change took away stands for nothing here any more."""
    files = load_catalog(environment, config=where.config).sources.files
    is_ours = any(source.path == holder.path for source in files) or where.file is None
    return is_ours and not any(name in source.profiles for source in files)


def _warn_of_pointers(environment: Environment, console: Console, name: str) -> None:
    """Warn of what still says a name that is gone."""
    pin = find_pin(environment)
    if pin is not None and pin.name == name:
        console.warn(f"{pin.path}:{pin.line} still names {name!r}")
    if environment.variables.get("DBTOOL_PROFILE") == name:
        console.warn(f"DBTOOL_PROFILE still names {name!r}")
    switch = read_state(environment).switch
    if switch is not None and name in {switch.name, switch.fallback}:
        console.warn(f"{name!r} is still the switched profile: run `dbtool switch` with another")
