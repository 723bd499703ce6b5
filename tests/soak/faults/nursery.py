"""``python -m soak.faults.nursery``: starts real servers quickly, for it has imported everything already.

Each server is a process of its own, made by fork; only its imports are not its own. A line on standard input starts one,
once the one before is dead, and is answered by its process id. When the input ends, so does the last of them.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from soak.faults.quick import QuickKind

import backend.__main__ as program
import backend.jobs.kinds.benchmark as benchmarks

__all__ = ["main"]


def main() -> int:
    """Serve until the input ends."""
    benchmarks.make = lambda settings: QuickKind(measures_here=settings.executor == "local")
    if threading.active_count() != 1:
        raise RuntimeError("a process with threads must not fork")
    living = 0
    for _line in sys.stdin:
        if living:
            os.waitpid(living, 0)  # not before all of its threads are gone are its port and its locks free
        living = os.fork()
        if living == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(2, 1)
            os._exit(program.main())
        sys.stdout.write(f"{living}\n")
        sys.stdout.flush()
    if living:
        os.kill(living, signal.SIGKILL)
        os.waitpid(living, 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
