"""`dbtool profile add | edit | copy | rename | remove | import | schema`: their options, as Typer reads them."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from dbtool.cli import options
from dbtool.dialects import DIALECTS
from dbtool.text import join_with_or

PLACE = "Place"
PASSWORD = "Password"  # noqa: S105 - the title of a group of options

_Name: TypeAlias = Annotated[str, typer.Argument(metavar="NAME", help="Name of the profile.")]
_NewName: TypeAlias = Annotated[str, typer.Argument(metavar="NEW", help="New name.")]
_File: TypeAlias = Annotated[
    str | None, typer.Option("--file", metavar="PATH", help="Work on this file.", rich_help_panel=PLACE)
]
_Project: TypeAlias = Annotated[
    bool, typer.Option("--project", help="Work on the project's file (dbtool.toml).", rich_help_panel=PLACE)
]
_Keyring: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--password-keyring",
        help="Keep the password in the platform's keyring; it is asked for, or read from stdin.",
        rich_help_panel=PASSWORD,
    ),
]
_Plain: TypeAlias = Annotated[
    bool, typer.Option("--plain", help="Write the password into the file in the clear.", rich_help_panel=PASSWORD)
]
_Variable: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--password-env",
        metavar="NAME",
        help="The environment variable that holds the password.",
        rich_help_panel=PASSWORD,
    ),
]
_PasswordFile: TypeAlias = Annotated[
    str | None,
    typer.Option("--password-file", metavar="PATH", help="The file that holds the password.", rich_help_panel=PASSWORD),
]
_PasswordCommand: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--password-command", metavar="COMMAND", help="The command that prints the password.", rich_help_panel=PASSWORD
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to `dbtool profile`."""
    app.command(epilog="Example:  dbtool profile add prod --url postgresql://app@db.example.com/shop --protected")(add)
    app.command(name="set", epilog="Example:  dbtool profile set prod port=5433 pool.max_connections=20 color=")(set_)
    app.command(epilog="Example:  dbtool profile password prod")(password)
    app.command(epilog="Example:  dbtool profile edit prod")(edit)
    app.command(epilog="Example:  dbtool profile copy staging prod")(copy)
    app.command(epilog="Example:  dbtool profile rename prod production")(rename)
    app.command(epilog="Example:  dbtool profile remove old --yes")(remove)
    app.command(name="import", epilog="Example:  dbtool profile import ~/.pg_service.conf --dry-run")(import_)
    app.command(epilog="Example:  dbtool profile schema > profiles.schema.json")(schema)


def add(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Name of the new profile.")] = None,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="A URL that says most of the others.")] = None,
    engine: Annotated[str | None, typer.Option("--engine", metavar="NAME", help=f"{join_with_or(DIALECTS)}.")] = None,
    host: Annotated[str | None, typer.Option("--host", metavar="NAME", help="The server's name or address.")] = None,
    port: Annotated[str | None, typer.Option("--port", metavar="N", help="The server's port.")] = None,
    user: Annotated[str | None, typer.Option("--user", metavar="NAME", help="Who to connect as.")] = None,
    database: Annotated[str | None, typer.Option("--database", metavar="NAME", help="The database there.")] = None,
    path: Annotated[str | None, typer.Option("--path", metavar="FILE", help="The SQLite file.")] = None,
    extends: Annotated[str | None, typer.Option("--extends", metavar="NAME", help="A profile to start from.")] = None,
    tls: Annotated[
        str | None,
        typer.Option("--tls", metavar="LEVEL", help="disable, prefer, require, verify-ca or verify-full."),
    ] = None,
    protected: Annotated[bool, typer.Option("--protected", help="Refuse writes unless --write is given.")] = False,
    read_only: Annotated[bool, typer.Option("--read-only", help="Refuse writes always.")] = False,
    color: Annotated[str | None, typer.Option("--color", metavar="NAME", help="The color of its name.")] = None,
    tags: Annotated[
        list[str] | None, typer.Option("--tag", metavar="WORD", help="A word to list it by (repeatable).")
    ] = None,
    more: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any other key, as pool.max_connections=5 (repeatable)."),
    ] = None,
    keyring: _Keyring = False,
    variable: _Variable = None,
    password_file: _PasswordFile = None,
    command: _PasswordCommand = None,
    plain: _Plain = False,
    no_check: Annotated[bool, typer.Option("--no-check", help="Do not try the connection at the end.")] = False,
    file: _File = None,
    project: _Project = False,
    config: options.Config = None,
    _debug: options.Debug = False,
) -> None:
    """Add a profile; on a terminal, without options, it asks.

    It goes to your own profiles.toml unless an option names another file. On a terminal the connection is tried at the
    end. Where nobody can be asked, a password in a URL is refused unless an option says where it is to be kept.
    """
    from dbtool.cli.profile.change import AddRequest
    from dbtool.cli.profile.change import add as run
    from dbtool.cli.profile.passwords import PasswordRequest
    from dbtool.process import command_environment
    from dbtool.profiles.changes.destinations import Where

    said = {
        "engine": engine,
        "host": host,
        "port": port,
        "user": user,
        "database": database,
        "path": path,
        "extends": extends,
        "tls": tls,
        "color": color,
    }
    request = AddRequest(
        name=name,
        url=url,
        settings={key: text for key, text in said.items() if text is not None},
        flags={"protected": protected, "read_only": read_only},
        tags=tuple(tags or ()),
        more=tuple(more or ()),
        password=PasswordRequest(keyring=keyring, env=variable, file=password_file, command=command, plain=plain),
        where=Where(config=config, file=file, project=project),
        check=not no_check,
    )
    run(command_environment(), request)


def set_(
    name: _Name,
    settings: Annotated[
        list[str], typer.Argument(metavar="KEY=VALUE...", help="Keys as a profile file has them; KEY= takes one out.")
    ],
    file: _File = None,
    project: _Project = False,
    config: options.Config = None,
    _debug: options.Debug = False,
) -> None:
    """Set keys of a profile where they stand.

    url=URL changes where it connects, and nothing else. The other keys, comments and order stay.
    """
    from dbtool.cli.profile.revise import set_settings
    from dbtool.process import command_environment
    from dbtool.profiles.changes.destinations import Where

    set_settings(command_environment(), name, settings, Where(config=config, file=file, project=project))


def password(
    name: _Name,
    keyring: _Keyring = False,
    variable: _Variable = None,
    password_file: _PasswordFile = None,
    command: _PasswordCommand = None,
    plain: _Plain = False,
    file: _File = None,
    project: _Project = False,
    config: options.Config = None,
    _debug: options.Debug = False,
) -> None:
    """Keep a profile's password, or say where it is kept.

    It goes to the keyring unless an option names another place; it is asked for unseen, or read from standard input.
    """
    from dbtool.cli.profile.passwords import PasswordRequest
    from dbtool.cli.profile.revise import change_password
    from dbtool.process import command_environment
    from dbtool.profiles.changes.destinations import Where

    request = PasswordRequest(keyring=keyring, env=variable, file=password_file, command=command, plain=plain)
    change_password(command_environment(), name, request, Where(config=config, file=file, project=project))


def edit(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Profile whose file to edit; your own file without one.")
    ] = None,
    file: _File = None,
    project: _Project = False,
    config: options.Config = None,
    _debug: options.Debug = False,
) -> None:
    """Edit a profile file in $VISUAL or $EDITOR; it is replaced only once nothing is wrong with it."""
    from dbtool.cli.profile.editor import edit as run
    from dbtool.process import command_environment
    from dbtool.profiles.changes.destinations import Where

    run(command_environment(), name, Where(config=config, file=file, project=project))


def copy(
    name: _Name,
    new: _NewName,
    plain: _Plain = False,
    file: _File = None,
    project: _Project = False,
    config: options.Config = None,
    _debug: options.Debug = False,
) -> None:
    """Copy a profile under a new name, into its own file unless an option names another."""
    from dbtool.cli.profile.change import copy as run
    from dbtool.process import command_environment
    from dbtool.profiles.changes.destinations import Where

    run(command_environment(), name, new, Where(config=config, file=file, project=project), plain=plain)


def rename(
    name: _Name,
    new: _NewName,
    file: _File = None,
    project: _Project = False,
    config: options.Config = None,
    _debug: options.Debug = False,
) -> None:
    """Rename a profile; `extends` and `default` in its file and the switched profile follow."""
    from dbtool.cli.profile.change import rename as run
    from dbtool.process import command_environment
    from dbtool.profiles.changes.destinations import Where

    run(command_environment(), name, new, Where(config=config, file=file, project=project))


def remove(
    name: _Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    file: _File = None,
    project: _Project = False,
    config: options.Config = None,
    _debug: options.Debug = False,
) -> None:
    """Remove a profile from its file, with the comments right above it; asks first."""
    from dbtool.cli.profile.change import remove as run
    from dbtool.process import command_environment
    from dbtool.profiles.changes.destinations import Where

    run(command_environment(), name, Where(config=config, file=file, project=project), yes=yes)


def import_(
    source: Annotated[
        str,
        typer.Argument(
            metavar="URL|FILE|SOURCE",
            help="A URL, a file, or service, pgpass, mycnf, dotenv, harlequin or usql for the file that tool reads.",
        ),
    ],
    kind: Annotated[
        str | None, typer.Option("--from", metavar="SOURCE", help="What the file is, if its name does not tell.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="Import this one (repeatable).")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Name of the one profile.")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Change where profiles of the same names connect; other keys stay.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be imported, and write nothing.")] = False,
    keyring: Annotated[
        bool,
        typer.Option(
            "--password-keyring", help="Keep the passwords in the platform's keyring.", rich_help_panel=PASSWORD
        ),
    ] = False,
    plain: _Plain = False,
    file: _File = None,
    project: _Project = False,
    config: options.Config = None,
    format_name: options.ListingFormat = None,
    _debug: options.Debug = False,
) -> None:
    """Import profiles from a URL, pg_service.conf, .my.cnf, .pgpass, a .env, harlequin or usql.

    It lists what was imported, and what was left out and why. A password is left out unless an option says where it is
    to be kept.
    """
    from dbtool.cli.profile.import_ import ImportRequest, import_profiles
    from dbtool.process import command_environment
    from dbtool.profiles.changes.destinations import Where

    request = ImportRequest(
        source=source,
        kind=kind,
        only=tuple(only or ()),
        name=name,
        replace=replace,
        dry_run=dry_run,
        keyring=keyring,
        plain=plain,
        where=Where(config=config, file=file, project=project),
        format_name=format_name,
    )
    import_profiles(command_environment(), request)


def schema(_debug: options.Debug = False) -> None:
    """Print a JSON Schema of profile files, for editors that complete and check them."""
    from dbtool.cli.profile.show import print_schema
    from dbtool.process import command_environment

    print_schema(command_environment())
