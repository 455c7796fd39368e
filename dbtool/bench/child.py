"""A process of a bench: `processes` starts it, and nobody else."""

from __future__ import annotations

import os
import pickle
import sys
import threading
from importlib import import_module

from dbtool.bench.messages import Done, Failed, Job, Parent
from dbtool.bench.trials.scene import Stop
from dbtool.errors import InterruptedByUserError, UsageError, one_line

_SIGTERM = 15


def main() -> None:
    """Do the one job that standard input names, and report on what was standard output."""
    # What a user's own module prints must not get among the messages.
    parent = Parent(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)
    job: Job = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the process that started this one
    stop = Stop()
    threading.Thread(target=_listen, args=(parent, stop), daemon=True).start()
    try:
        function = getattr(import_module(job.module), job.name)
        scene = job.plan.build(stop, lambda _phase, status: parent.say(status))
        parent.say(Done(result=function(scene, parent)))
    except UsageError as error:
        parent.say(Failed(text=str(error), is_usage=True))
    except Exception as error:
        parent.say(Failed(text=f"{type(error).__name__}: {one_line(str(error))}"))
    finally:
        os._exit(0)


def _listen(parent: Parent, stop: Stop) -> None:
    """Hear the word to begin, and end when there is nothing more to hear: the parent has ended, or wants no more."""
    while sys.stdin.buffer.readline():
        parent.begun.set()
    stop.set(InterruptedByUserError("the bench has ended", signal_number=_SIGTERM))
    parent.begun.set()
