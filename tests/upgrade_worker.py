"""A process that upgrades databases in copies of itself, which are killed in the middle or start together.

It reads one JSON object a line: ``{"url", "kill_after"}`` runs one copy that is killed after so many statements of SQL (null: never),
``{"url", "home", "together"}`` opens the database in so many copies at the same moment. It answers with the exit codes and with
the number of statements that a copy which came to its end has run.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, make_url

from backend.settings import Settings
from backend.store.database import open_database
from backend.store.upgrade import upgrade


def interrupted(url: str, kill_after: int | None, answer: int) -> None:
    """Upgrade; after so many statements, the commit being one, there is no more of this process."""
    count = 0

    def step(*_: Any, **__: Any) -> None:
        nonlocal count
        count += 1
        if count == kill_after:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "after_cursor_execute", step)
    event.listen(Engine, "commit", step)  # comes before it is committed
    upgrade(make_url(url))
    os.write(answer, str(count).encode())


def copy(work: Any) -> int:
    """Run ``work`` in a copy of this process and return the id of that."""
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
        os._exit(0)
    except BaseException:  # noqa: BLE001 - a copy must never go on as if it were the original
        traceback.print_exc()
        os._exit(1)


def main() -> None:
    """Serve until standard input ends."""
    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        if "together" in order:
            settings = Settings(home=Path(order["home"]), database_url=order["url"])

            def start(settings: Settings = settings, gate: int = reading) -> None:
                os.read(gate, 1)
                open_database(settings).dispose()

            pids = [copy(start) for _ in range(order["together"])]
            os.write(writing, b"." * len(pids))
        else:
            pids = [copy(lambda order=order, to=writing: interrupted(order["url"], order["kill_after"], to))]
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        os.close(writing)
        said = b"" if "together" in order else os.read(reading, 100)
        os.close(reading)
        print(json.dumps({"codes": codes, "statements": int(said or 0)}), flush=True)  # noqa: T201 - its answer


if __name__ == "__main__":
    main()
