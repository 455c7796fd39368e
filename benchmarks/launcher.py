"""Run one command in the shadow of a small process, and print what the operating system says it used.

A child's peak memory counts from the fork, when it still is its parent: this parent is a bare
interpreter, so that what it measures may be small. Used by `measure.py` as a program of its own.
"""

import json
import os
import sys
import time


def main() -> None:
    """Run `command` with `source` as its standard input and its output thrown away."""
    source, *command = sys.argv[1:]
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, source, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    ]
    started = time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    _process, status, usage = os.wait4(process, 0)
    wall = time.perf_counter() - started
    measured = {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss / 1024}
    print(json.dumps({**measured, "status": os.waitstatus_to_exitcode(status)}))


if __name__ == "__main__":
    main()
