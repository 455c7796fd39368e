"""Who an action speaks to: a person at a terminal, a script's log, another program."""

from __future__ import annotations

TYPE_CHECKING = False  # every command pays for what is imported here
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object


def ask_for_name(name: str, purpose: str) -> str:
    """Word the question for a protected profile's name."""
    return f"{name} is protected. Type its name to {purpose}"


class Face(Protocol):
    """Hears what an action has to say beside its result, and answers what it has to ask."""

    def note(self, text: str) -> None:
        """Take something that may be left out when quiet is asked for."""

    def warn(self, text: str) -> None:
        """Take something that should be looked at."""

    def error(self, text: str) -> None:
        """Take what went wrong, where the action goes on all the same."""

    def can_ask(self) -> bool:
        """Say whether there is a person to ask."""

    def ask_name(self, name: str, purpose: str) -> str:
        """Return what a person types when a protected profile's name is asked for."""

    def ask_secret(self, label: str) -> str:
        """Return what a person types unseen. Raises InterruptedByUserError, and GuardError where it would be seen."""

    def confirm(self, question: str) -> bool:
        """Return a person's yes or no, no where it is neither. Raises InterruptedByUserError."""
