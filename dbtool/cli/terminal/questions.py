"""Questions on a terminal: asked on stderr, answered line by line; what is secret is typed unseen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dbtool.cli.terminal.console import Console
from dbtool.environment import Environment


def is_interactive(environment: Environment) -> bool:
    """Say whether somebody is there to answer."""
    return environment.stdin_is_terminal and environment.stderr_is_terminal


class GoBackError(Exception):
    """The person wants the question before once more."""


_BACK = "<"


class Questions:
    """Asks a person; Ctrl-C and Ctrl-D end the command with nothing written.

    Where a person `may_go_back`, the answer `<` raises GoBackError.
    """

    def __init__(self, environment: Environment, console: Console, *, may_go_back: bool = False) -> None:
        self._environment = environment
        self._console = console
        self._may_go_back = may_go_back

    def explain(self, text: str) -> None:
        """Say something about the questions that follow."""
        self._console.note(text)

    def ask(
        self,
        label: str,
        *,
        default: str = "",
        choices: Sequence[str] = (),
        check: Callable[[str], object] | None = None,
    ) -> str:
        """Return an answer that `check` accepts, `default` for an empty one; it raises ValueError otherwise.

        The beginning of one of the choices stands for it.
        """
        while True:
            answer = self._read(f"{label} [{default}]: " if default else f"{label}: ")
            likely = [choice for choice in choices if answer and choice.startswith(answer)]
            if len(likely) == 1:
                answer = likely[0]
            if answer == _BACK and self._may_go_back:
                raise GoBackError
            if not answer:
                return default
            try:
                if check is not None:
                    check(answer)
            except ValueError as error:
                self._console.warn(str(error))
            else:
                return answer

    def confirm(self, label: str, *, default: bool = False) -> bool:
        """Return a yes or a no."""
        answer = self.ask(f"{label} [{'Y/n' if default else 'y/N'}]", check=_check_yes_or_no)
        return answer.lower() in {"y", "yes"} if answer else default

    def _read(self, prompt: str) -> str:
        self._environment.stderr.write(prompt)
        self._environment.stderr.flush()
        line = self._environment.stdin.readline()
        if not line:
            raise KeyboardInterrupt
        return line.decode("utf-8", "replace").strip()


def _check_yes_or_no(answer: str) -> None:
    if answer.lower() not in {"y", "yes", "n", "no"}:
        raise ValueError("answer y or n")
