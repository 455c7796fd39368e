"""A list on the terminal that what one types filters; it is drawn on stderr and wiped at the end."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import BufferControl, Dimension, FormattedTextControl, HSplit, Layout, VSplit, Window
from prompt_toolkit.output import create_output

from dbtool.environment import Environment
from dbtool.errors import InterruptedByUserError
from dbtool.records import Record

_LINES = 12


class Option(Record):
    """One line that can be picked."""

    name: str
    remark: str
    style: str


class Picker:
    """Shows options and returns the one that is picked."""

    def __init__(self, environment: Environment, options: Sequence[Option], *, active: str | None) -> None:
        self._environment = environment
        self._options = options
        self._active = active
        self._width = max(len(option.name) for option in options)
        names = [option.name for option in options]
        self._position = names.index(active) if active in names else 0
        self._typed = Buffer(multiline=False, on_text_changed=lambda _: self._move_to(0))

    def run(self) -> str:
        """Return the picked option's name; raises InterruptedByUserError where the person gives up."""
        picked = self._make_application().run()
        if picked is None:
            raise InterruptedByUserError("nothing was picked: nothing is switched", signal_number=signal.SIGINT)
        return picked

    def matching(self) -> list[Option]:
        """Return the options that hold every typed word."""
        words = self._typed.text.lower().split()
        return [option for option in self._options if all(word in option.name.lower() for word in words)]

    def _make_application(self) -> Application[str | None]:
        prompt = Window(FormattedTextControl([("bold", "switch to> ")]), dont_extend_width=True, height=1)
        line = VSplit([prompt, Window(BufferControl(self._typed), height=1)])
        height = Dimension(max=_LINES, preferred=min(_LINES, len(self._options)))
        control = FormattedTextControl(self._render, show_cursor=False)
        return Application(
            layout=Layout(HSplit([line, Window(control, height=height, dont_extend_height=True)]), line),
            key_bindings=self._bind_keys(),
            erase_when_done=True,
            output=create_output(stdout=self._environment.stderr),
        )

    def _render(self) -> StyleAndTextTuples:
        text: StyleAndTextTuples = []
        for number, option in enumerate(self.matching()):
            chosen = number == self._position
            if chosen:
                text.append(("[SetCursorPosition]", ""))
            mark = "*" if option.name == self._active else " "
            style = f"{option.style} reverse" if chosen else option.style
            text.append((style, f"{mark} {option.name.ljust(self._width)}"))
            text.append(("ansibrightblack", f"  {option.remark}\n"))
        return text or [("ansibrightblack", "no profile matches\n")]

    def _move_to(self, position: int) -> None:
        self._position = max(0, min(position, len(self.matching()) - 1))

    def _bind_keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("down")
        @keys.add("c-n")
        @keys.add("tab")
        def _(_event: KeyPressEvent) -> None:
            self._move_to(self._position + 1)

        @keys.add("up")
        @keys.add("c-p")
        @keys.add("s-tab")
        def _(_event: KeyPressEvent) -> None:
            self._move_to(self._position - 1)

        @keys.add("enter")
        def _(event: KeyPressEvent) -> None:
            matching = self.matching()
            if matching:
                event.app.exit(result=matching[self._position].name)

        @keys.add("c-c")
        @keys.add("c-d")
        @keys.add("escape", eager=True)
        def _(event: KeyPressEvent) -> None:
            event.app.exit(result=None)

        return keys
