"""How the process ends."""

from __future__ import annotations

import pytest

from dbtool import __main__ as program


class _ExitError(Exception):
    pass


@pytest.fixture(autouse=True)
def exits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise the status instead of ending the tests with it."""

    def leave(status: int) -> None:
        raise _ExitError(status)

    monkeypatch.setattr("os._exit", leave)


def test_the_status_of_the_command_is_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_run", lambda: 5)
    with pytest.raises(_ExitError, match=r"^5$"):
        program.main()


def test_an_interrupt_while_something_is_being_imported_leaves_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "_run", interrupt)
    with pytest.raises(_ExitError, match=r"^130$"):
        program.main()
    assert capsys.readouterr().err == ""
