"""Questions on a terminal: asked on stderr, answered line by line; what is secret is typed unseen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dbtool.cli.console import Console
from dbtool.environment import Environment
from dbtool.errors import GuardError


def can_ask(environment: Environment) -> bool:
    """Say whether somebody is there to answer."""
    return environment.stdin_is_terminal and environment.stderr_is_terminal


class Questions:
    """Asks a person; Ctrl-C and Ctrl-D end the command with nothing written."""

    def __init__(self, environment: Environment, console: Console) -> None:
        from prompt_toolkit import PromptSession  # noqa: PLC0415 - slow, and most commands ask nothing
        from prompt_toolkit.output import create_output  # noqa: PLC0415

        self._console = console
        self._session: PromptSession[str] = PromptSession(output=create_output(stdout=environment.stderr))

    def ask(
        self,
        label: str,
        *,
        default: str = "",
        choices: Sequence[str] = (),
        check: Callable[[str], object] | None = None,
    ) -> str:
        """Return an answer that `check` accepts, `default` for an empty one; it raises ValueError otherwise."""
        from prompt_toolkit.completion import WordCompleter  # noqa: PLC0415

        shown = f"{label} [{default}]: " if default else f"{label}: "
        completer = WordCompleter(list(choices)) if choices else None
        while True:
            try:
                answer = self._session.prompt(shown, completer=completer).strip() or default
            except EOFError:
                raise KeyboardInterrupt from None
            try:
                if check is not None and answer:
                    check(answer)
            except ValueError as error:
                self._console.warn(str(error))
            else:
                return answer

    def ask_hidden(self, label: str) -> str:
        """Return what is typed unseen. Raises GuardError where it would be seen."""
        import getpass  # noqa: PLC0415 - few commands ask for a secret
        import warnings  # noqa: PLC0415

        try:
            with warnings.catch_warnings():
                # The terminal keeps showing what is typed: prompt_toolkit does so on a dumb one too.
                warnings.simplefilter("error", getpass.GetPassWarning)
                return getpass.getpass(f"{label}: ")
        except EOFError:
            raise KeyboardInterrupt from None
        except getpass.GetPassWarning:
            raise GuardError("this terminal would show the password while it is typed") from None

    def confirm(self, label: str, *, default: bool = False) -> bool:
        """Return a yes or a no."""
        answer = self.ask(label, default="Y/n" if default else "y/N", check=_check_yes_or_no)
        return default if answer in {"Y/n", "y/N"} else answer.lower() in {"y", "yes"}


def _check_yes_or_no(answer: str) -> None:
    if answer not in {"Y/n", "y/N"} and answer.lower() not in {"y", "yes", "n", "no"}:
        raise ValueError("answer y or n")
