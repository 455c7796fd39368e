"""One action on many profiles: so many at a time, each on a connection of its own, with an outcome for each."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from typing import TypeAlias

from dbtool.actions.access import Access, choose_from, confirm_name, open_catalog, refuse_stranger
from dbtool.actions.connect import Limits
from dbtool.actions.face import Face
from dbtool.actions.query import Query, QueryRequest, RowsFace
from dbtool.dialects import DIALECTS, Dialect
from dbtool.engines.engine import Outcome as StatementOutcome
from dbtool.environment import Environment
from dbtool.errors import (
    DbtoolError,
    GuardError,
    InterruptedByUserError,
    OutputError,
    ProfileError,
    ReaderGoneError,
    TargetsFailedError,
    TimedOutError,
)
from dbtool.formats import Format, FormatOptions
from dbtool.profiles import read_state
from dbtool.profiles.active.several import ProfilesWanted, find_profiles
from dbtool.records import Record
from dbtool.run.merging import Arrivals, Merger, Part, RowSpool, frames_of
from dbtool.run.outputs import ResultOutput
from dbtool.run.results import Results, Wanted
from dbtool.run.runner import Runner
from dbtool.run.session import Session
from dbtool.run.worker import Worker
from dbtool.statements import Statement

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object

CONNECTING_HOLDS = 0.3
"""Seconds that a target holds its place among those at work while its server does not answer."""
_LOOK_AGAIN = 0.1


class State(Enum):
    """How a target stands."""

    NOT_BEGUN = "not begun"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Target(Record):
    """One profile of those that are meant: what may be done there, or why nothing can."""

    name: str
    access: Access | None = None
    failure: DbtoolError | None = None


class Outcome:
    """What has become of one target. Its own thread writes it; any may read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = State.NOT_BEGUN
        self.error: DbtoolError | None = None
        self.statements = self.rows = self.affected = 0
        self.started: float | None = None
        self.ended: float | None = None

    def seconds(self, now: float) -> float:
        """Return how long it has taken, or takes by now."""
        return 0.0 if self.started is None else (now if self.ended is None else self.ended) - self.started


class Board(Face, Protocol):
    """Watches all targets, and asks. On the thread that waits."""

    def say(self, name: str, level: str, text: str) -> None:
        """Take a note, a warning or an error of one target."""

    def finished(self, outcome: Outcome) -> None:
        """Hear that a target has come to its end."""

    def show(self, outcomes: Sequence[Outcome]) -> None:
        """Be called every now and then."""


Task: TypeAlias = "Callable[[Query, Access, TargetWatch], object]"
"""What is done on each target; raises DbtoolError."""


def choose_targets(  # noqa: PLR0913 - who is meant, what is done there, and who answers for it
    environment: Environment,
    face: Face,
    wanted: ProfilesWanted,
    request: QueryRequest,
    *,
    writes: Callable[[Dialect], bool],
    confirmed: Sequence[str] = (),
) -> list[Target]:
    """Return the targets, each with what may be done there; asks for the name of each protected one to write to.

    One that cannot be used is a target that has failed. What only reads is held to it by the server. Raises
    ProfileError where no profile fits, GuardError where one is not confirmed.
    """
    catalog = open_catalog(environment, request.config)
    state = read_state(environment)
    found = find_profiles(catalog, wanted)
    strange = sorted(set(confirmed) - {one.name for one in found})
    if strange:
        raise GuardError(f"--confirm {strange[0]!r} is not the name of any of the profiles that are meant")
    targets = []
    for one in found:
        try:
            choice = choose_from(environment, face, catalog, state, flag=one.name)
            refusal = None if one.by_name else refuse_stranger(choice.profile)
        except ProfileError as error:
            if one.is_address:
                raise
            refusal = error
        if refusal is not None:
            targets.append(Target(name=one.name, failure=refusal))
            continue
        read_only = not writes(DIALECTS[choice.profile.engine]) or choice.profile.only_reads(
            write=request.writing.write, option="--write"
        )
        if not read_only and choice.profile.guarded:
            _confirm(face, one.name, confirmed)
        targets.append(Target(name=choice.profile.name, access=Access(choice=choice, read_only=read_only)))
    return targets


def _confirm(face: Face, name: str, confirmed: Sequence[str]) -> None:
    if name in confirmed:
        return
    if not face.can_ask():
        raise GuardError(f"profile {name!r} is protected: a script that writes to it confirms it with --confirm {name}")
    if not confirm_name(face, name, None, purpose="write to it"):
        raise GuardError(f"writing to the protected profile {name!r} was not confirmed")


def require_writable(targets: Sequence[Target]) -> None:
    """Refuse to begin writing where it is known that it cannot be done on each; raises what stands in the way."""
    for target in targets:
        if target.access is None:
            raise target.failure or ProfileError(f"profile {target.name!r} cannot be used")
        if target.access.read_only:
            raise GuardError(
                f"profile {target.name!r} may not be written to, others may, and the SQL may write: nothing was run "
                "(see --write)"
            )


class Slots:
    """Places for those at work. Who only waits for its server to answer holds none for long, unless `lends` is off.

    `enter` belongs to one thread, the rest to each target's own. The lock guards the counts alone.
    """

    def __init__(self, number: int, *, lends: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        self._changed = threading.Condition()
        self._free = number
        self._lends = lends
        self._clock = clock
        self._holders: set[Outcome] = set()
        self._connecting: dict[Outcome, float] = {}
        self._returning = 0

    def enter(self, outcome: Outcome, check: Callable[[], bool]) -> bool:
        """Wait for a place and take it; False, without one, once `check` says that it is not wanted any more."""
        with self._changed:
            while check():
                self._take_back()
                # Who has its connection comes before those that have not begun.
                if self._free > self._returning:
                    self._free -= 1
                    self._holders.add(outcome)
                    return True
                self._changed.wait(_LOOK_AGAIN)
        return False

    def _take_back(self) -> None:
        late = self._clock() - CONNECTING_HOLDS
        for outcome in [one for one, since in self._connecting.items() if since <= late]:
            del self._connecting[outcome]
            self._give_up(outcome)

    def _give_up(self, outcome: Outcome) -> None:
        if outcome in self._holders:
            self._holders.remove(outcome)
            self._free += 1
            self._changed.notify_all()

    @contextmanager
    def connecting(self, outcome: Outcome) -> Iterator[None]:
        """Let the place be taken back while the block lasts; at its end, where it does not fail, wait for one anew."""
        with self._changed:
            if self._lends:
                self._connecting[outcome] = self._clock()
        try:
            yield
        except BaseException:
            self.leave(outcome)
            raise
        with self._changed:
            self._connecting.pop(outcome, None)
            if outcome not in self._holders:
                self._returning += 1
                while self._free <= 0:
                    self._changed.wait()
                self._returning -= 1
                self._free -= 1
                self._holders.add(outcome)

    def leave(self, outcome: Outcome) -> None:
        """Give the place back, if it is held."""
        with self._changed:
            self._connecting.pop(outcome, None)
            self._give_up(outcome)


class TargetWatch:
    """Watches one target's run, on its threads, and notes what becomes of it."""

    def __init__(self, outcome: Outcome, say: Callable[[str, str], object]) -> None:
        self.outcome = outcome
        self._say = say

    def notice(self, text: str) -> None:
        """Pass on what the server said."""
        self._say("note", text)

    def statement_done(self, statement: Statement, outcome: StatementOutcome, seconds: float) -> None:  # noqa: ARG002
        """Count a statement."""
        self.outcome.statements += 1
        self.outcome.rows += outcome.rows
        self.outcome.affected += outcome.affected or 0

    def statement_failed(self, error: DbtoolError) -> None:
        """Say what failed; the run goes on."""
        self._say("error", str(error))

    def show_progress(self) -> None:
        """Show nothing: the board does, for all."""

    def close(self) -> None:
        """Leave nothing to wipe."""

    def summarise(self, runner: Runner, *, connected: float, ended: float) -> None:  # noqa: ARG002
        """Say what a limit has cut."""
        if runner.results.has_more:
            self._say("note", "there are more rows: cut at --limit")


class _TargetFace:
    """Hears what one target's action has to say; it has asked before, and asks nothing now."""

    def __init__(self, say: Callable[[str, str], object]) -> None:
        self._say = say

    def note(self, text: str) -> None:
        """Pass a note on."""
        self._say("note", text)

    def warn(self, text: str) -> None:
        """Pass a warning on."""
        self._say("warning", text)

    def error(self, text: str) -> None:
        """Pass an error on."""
        self._say("error", text)

    def can_ask(self) -> bool:
        """Ask nobody: many speak at the same time."""
        return False

    def ask_name(self, name: str, purpose: str) -> str:  # noqa: ARG002
        """Give no answer."""
        return ""

    def ask_secret(self, label: str) -> str:  # noqa: ARG002
        """Give no answer."""
        return ""

    def confirm(self, question: str) -> bool:  # noqa: ARG002
        """Say no."""
        return False


class MergedRows:
    """Where the rows of one target go that become a part of a whole."""

    tells_switched = False

    def __init__(self, spool: RowSpool, format_: Format, one_result: str | None, wanted: Wanted) -> None:
        self._spool = spool
        self._format = frames_of(format_)
        self._wanted = wanted
        self.one_result = one_result

    def open_output(self, *, spool_at_once: bool) -> ResultOutput:  # noqa: ARG002 - it always is
        """Return the spool."""
        return self._spool

    def make_results(self, output: ResultOutput) -> Results:
        """Return the sink of the target's result sets."""
        return Results(output, self._format, FormatOptions(), self._wanted)

    def is_reader_gone(self) -> bool:
        """Leave that to who writes the whole."""
        return False


class _TargetQuery(Query):
    """The query on one target, which holds no place among those at work while its server does not answer."""

    outcome: Outcome
    slots: Slots

    def open_session(self, access: Access, *, again: bool = False) -> Session:
        """Open a session; the place may be lent meanwhile."""
        with self.slots.connecting(self.outcome):
            return super().open_session(access, again=again)


class SeveralOptions(Record):
    """How many targets are at work at a time, and what a failure stops."""

    jobs: int = 8
    stop_at_failure: bool = False


class Several:
    """Does one task on several targets. Belongs to the thread that waits; a signal's handler calls `ask_to_stop`."""

    def __init__(  # noqa: PLR0913 - what each target's query is made of, and who watches
        self,
        environment: Environment,
        request: QueryRequest,
        limits: Limits,
        options: SeveralOptions,
        targets: Sequence[Target],
        *,
        board: Board,
        arrivals: Arrivals,
    ) -> None:
        self._environment = environment
        self._request = request
        self._limits = limits
        self._options = options
        self._targets = targets
        self._board = board
        self._arrivals = arrivals
        self._output = Worker()
        self._events: queue.SimpleQueue[tuple[Outcome, str, str] | Outcome] = queue.SimpleQueue()
        self._queries: list[_TargetQuery] = []
        self._told: set[Outcome] = set()
        self._reason: DbtoolError | None = None
        self.outcomes = [Outcome(target.name) for target in targets]
        """What becomes of each target."""

    def ask_to_stop(self, reason: DbtoolError) -> bool:
        """Stop what runs on every target, and begin no other; False where that was asked before."""
        if self._reason is not None:
            return False
        self._reason = reason
        for query in list(self._queries):
            query.worker.ask_to_stop(_again(reason))
        return True

    def tidy(self) -> None:
        """Leave no file that is not whole behind: the process is about to end."""
        for query in list(self._queries):
            query.tidy()

    def run(
        self,
        numbers: range,
        task: Task,
        make_rows: Callable[[Target, RowSpool], RowsFace],
        merger: Merger | None,
        *,
        is_reader_gone: Callable[[], bool] = lambda: False,
    ) -> None:
        """Do the task on the targets with these numbers; may be called again for others.

        Raises what a signal asked for, OutputError, and TimedOutError where the reader of the rows is the one who is
        late.
        """
        parts = [
            Part(number=number, name=self._targets[number].name, spool=RowSpool(self._arrivals, self._check))
            for number in numbers
        ]
        dispatcher = threading.Thread(
            target=self._dispatch, args=(parts, task, make_rows), name="dbtool-several", daemon=True
        )
        dispatcher.start()

        def follow() -> None:
            if merger is not None:
                merger.run(parts)
            dispatcher.join()

        def glance() -> DbtoolError | None:
            self._tell()
            if is_reader_gone():
                self.ask_to_stop(ReaderGoneError("the reader of the output has gone"))
            if dispatcher.is_alive():
                return None
            deadline = self._limits.deadline
            late = deadline is not None and time.monotonic() >= deadline
            return self._reason or (self._limits.timed_out() if late else None)

        try:
            self._output.call(follow, glance=glance, keeps_result=True)
        except DbtoolError as error:
            self.ask_to_stop(error)
            dispatcher.join()
            raise
        finally:
            self._tell()
        if self._reason is not None:
            raise self._reason

    def call(self, work: Callable[[], object]) -> None:
        """Call what opens or ends the output, on the thread that writes; raises what it does, and what stops it."""
        self._output.call(
            work,
            deadline=self._limits.deadline,
            timed_out=self._limits.timed_out,
            glance=lambda: self._reason,
            keeps_result=True,
        )

    def close(self) -> None:
        """Let the threads end."""
        self._output.close()

    def fail(self, number: int, error: DbtoolError) -> None:
        """Say that a target's rows are not what they should be; the merger's thread does."""
        outcome = self.outcomes[number]
        if outcome.error is None:
            outcome.error = error
            if outcome.state is State.DONE:
                outcome.state = State.FAILED
                self._events.put(outcome)

    def raise_failures(self) -> None:
        """Raise TargetsFailedError where a target has failed, or was not begun."""
        failed = [outcome for outcome in self.outcomes if outcome.error is not None]
        errors = [outcome.error for outcome in failed if outcome.error is not None]
        if not errors:
            return
        names = ", ".join(outcome.name for outcome in failed)
        left = [outcome.name for outcome in self.outcomes if outcome.state is State.NOT_BEGUN and outcome not in failed]
        rest = f"; not begun: {', '.join(left)}" if left else ""
        raise TargetsFailedError(f"{len(failed)} of {len(self.outcomes)} profiles failed: {names}{rest}", errors)

    def _check(self) -> None:
        if self._reason is not None:
            raise _again(self._reason)

    def _report(self, outcome: Outcome, level: str, text: str) -> None:
        self._events.put((outcome, level, text))

    def _tell(self) -> None:
        """Hand what has happened on to the board."""
        with suppress(queue.Empty):
            while True:
                event = self._events.get_nowait()
                if isinstance(event, Outcome):
                    if event not in self._told:
                        self._board.finished(event)
                    if event.error is not None:
                        self._told.add(event)
                else:
                    outcome, level, text = event
                    self._board.say(outcome.name, level, text)
        self._board.show(self.outcomes)

    def _dispatch(self, parts: Sequence[Part], task: Task, make_rows: Callable[[Target, RowSpool], RowsFace]) -> None:
        """Begin with one target after the other as places come free, and wait for them all."""
        slots = Slots(self._options.jobs, lends=not self._options.stop_at_failure)
        threads: list[threading.Thread] = []
        for part in parts:
            if not slots.enter(self.outcomes[part.number], self._is_wanted):
                part.spool.commit()
                continue
            thread = threading.Thread(
                target=self._work_on, args=(part, slots, task, make_rows), name=f"dbtool-{part.name}", daemon=True
            )
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()

    def _is_wanted(self) -> bool:
        """Say whether further targets are to begin."""
        if self._reason is not None:
            return False
        return not (self._options.stop_at_failure and any(outcome.error is not None for outcome in self.outcomes))

    def _work_on(self, part: Part, slots: Slots, task: Task, make_rows: Callable[[Target, RowSpool], RowsFace]) -> None:
        target, outcome = self._targets[part.number], self.outcomes[part.number]

        def say(level: str, text: str) -> None:
            self._report(outcome, level, text)

        worker = Worker()
        outcome.started, outcome.state = time.monotonic(), State.RUNNING
        try:
            if target.access is None:
                raise target.failure or ProfileError(f"profile {target.name!r} cannot be used")
            query = _TargetQuery(
                self._environment,
                self._request.replaced(profile=target.name),
                self._limits,
                face=_TargetFace(say),
                rows=make_rows(target, part.spool),
                worker=worker,
            )
            query.outcome, query.slots = outcome, slots
            self._queries.append(query)
            if self._reason is not None:
                worker.ask_to_stop(_again(self._reason))
            task(query, target.access, TargetWatch(outcome, say))
        except BaseException as error:
            outcome.error = outcome.error or (error if isinstance(error, DbtoolError) else FaultError(error))
        finally:
            outcome.ended = time.monotonic()
            outcome.state = State.DONE if outcome.error is None else State.FAILED
            part.spool.commit()
            slots.leave(outcome)
            self._events.put(outcome)
            worker.close()


class FaultError(DbtoolError):
    """Something that is a fault of dbtool's own ended one target's run."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"a fault in dbtool: {type(error).__name__}: {error}")
        self.__cause__ = error


def _again(reason: DbtoolError) -> DbtoolError:
    """Return an error of its own for another thread, which adds to it."""
    if isinstance(reason, InterruptedByUserError):
        return InterruptedByUserError(str(reason), signal_number=reason.signal_number)
    return type(reason)(str(reason)) if isinstance(reason, (OutputError, TimedOutError)) else DbtoolError(str(reason))
