"""What `dbtool profile edit` does: an editor on a copy, which replaces the file once nothing is wrong with it."""

from __future__ import annotations

import shlex
import subprocess

from dbtool.cli.profile.commit import note_trust
from dbtool.cli.profile.drafts import DraftFile, sweep_drafts
from dbtool.cli.terminal.console import Console
from dbtool.cli.terminal.questions import Questions, is_interactive
from dbtool.environment import Environment
from dbtool.errors import ProfileError, UsageError
from dbtool.profiles.catalog import Catalog
from dbtool.profiles.changes.destinations import Where, choose_file, find_holder, open_catalog
from dbtool.profiles.changes.editing import Change, find_problems, save
from dbtool.profiles.files import SourceFile
from dbtool.text import count

_EDITOR = "vi"


def edit(environment: Environment, name: str | None, where: Where) -> None:
    """Edit the file that holds a profile, or the one that new profiles go to; raises DbtoolError."""
    console = Console(environment)
    catalog = open_catalog(environment, where)
    if name is None:
        source = choose_file(environment, catalog, where, readable=False)
    else:
        source = find_holder(environment, catalog, name, where)
    for left in sweep_drafts():
        console.note(f"removed {left}: a `profile edit` that was killed had left it")
    draft = DraftFile(source.path.name, source.content)
    try:
        _edit_until_right(environment, console, catalog, source, draft)
    except ProfileError as error:
        draft.keep()
        raise ProfileError(f"{error}; your text is in {draft.path}") from error
    except UsageError:
        draft.discard()
        raise
    except KeyboardInterrupt:
        draft.keep()
        console.note(f"your text is in {draft.path}")
        raise
    draft.discard()


def _edit_until_right(
    environment: Environment, console: Console, catalog: Catalog, source: SourceFile, draft: DraftFile
) -> None:
    while True:
        content = _run_editor(environment, draft)
        if content == source.content:
            console.note(f"nothing was changed in {source.path}")
            return
        problems = _list_problems(environment, catalog, source, content)
        if not problems:
            break
        for problem in problems:
            console.error(problem)
        if not (is_interactive(environment) and Questions(environment, console).confirm("Edit again?", default=True)):
            raise ProfileError(f"{count(len(problems), 'problem')}: {source.path} is left as it was")
    save(Change(catalog=catalog, source=source, text=content.decode("utf-8-sig")))
    console.note(f"changed {source.path}")
    note_trust(environment, console, source, *source.profiles)


def _list_problems(environment: Environment, catalog: Catalog, source: SourceFile, content: bytes) -> list[str]:
    try:
        change = Change(catalog=catalog, source=source, text=content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return [f"{source.path}: is not UTF-8"]
    return [str(problem) for problem in find_problems(environment, change, whole_file=True)]


def _run_editor(environment: Environment, draft: DraftFile) -> bytes:
    """Run $VISUAL or $EDITOR on a file, to its end, and return what the file then holds.

    Raises UsageError where that fails.
    """
    variables = environment.variables
    written = variables.get("VISUAL") or variables.get("EDITOR") or _EDITOR
    try:
        command = shlex.split(written)
        # The editor has the lock too: it may go on when dbtool is killed.
        status = subprocess.run(
            [*command, str(draft.path)], check=False, env=dict(variables), pass_fds=draft.descriptors
        ).returncode
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"the editor {written!r} cannot be run: {reason}: set VISUAL or EDITOR") from None
    if status:
        raise UsageError(f"the editor {written!r} ended with status {status}: nothing was changed")
    try:
        return draft.path.read_bytes()
    except OSError as error:
        raise UsageError(f"the editor {written!r} has left no file to read: nothing was changed") from error
