"""In which order waiting jobs run: by priority, then fairly between clients, then as they came.

Fair means: of the clients that have a job waiting, the one that was served longest ago is next. A client that queues a hundred
jobs therefore delays another's single one by one job at most. A job that is started again keeps its number, and so its place.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = ["Waiting", "fair_order"]

NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Waiting:
    """What the order depends on.

    Attributes:
        number: grows with submission.
        id: of the job.
        client: who asked.
        priority: higher goes first.
    """

    number: int
    id: str
    client: str
    priority: int


def fair_order(waiting: Iterable[Waiting], served_at: Mapping[str, datetime]) -> list[Waiting]:
    """Sort jobs into the order in which they will be started if nothing else comes.

    Args:
        waiting: jobs in any order.
        served_at: when a job of each client was started last; a client that is missing was never served.
    """
    levels: dict[int, list[Waiting]] = defaultdict(list)
    for job in waiting:
        levels[job.priority].append(job)
    clients = {job.client for jobs in levels.values() for job in jobs}
    turns = {client: (served_at.get(client, NEVER), 0) for client in clients}
    ordered: list[Waiting] = []
    for _, jobs in sorted(levels.items(), reverse=True):
        lines: dict[str, deque[Waiting]] = defaultdict(deque)
        for job in sorted(jobs, key=lambda job: job.number):
            lines[job.client].append(job)
        while lines:
            client = min(lines, key=lambda name: (turns[name], lines[name][0].number))
            ordered.append(lines[client].popleft())
            turns[client] = (datetime.max.replace(tzinfo=UTC), len(ordered))
            if not lines[client]:
                del lines[client]
    return ordered
