"""What a client is told when the database cannot do what it was asked: the cause, what came of the request, what to do."""

from __future__ import annotations

from dataclasses import dataclass

from backend.store.health import Trouble, trouble_of

__all__ = ["DatabaseAnswer", "database_answer"]

RETRY_AFTER_S = 10

_ADVICE = {
    Trouble.GONE: (503, "/readyz says when it is back."),
    Trouble.BUSY: (503, "Try again in a moment."),
    Trouble.READ_ONLY: (503, "What is kept can be read; nothing can be added or changed until that is mended."),
    Trouble.FULL: (507, "Free some space on its disk, then send this again; what was kept before is unharmed."),
    Trouble.DAMAGED: (503, "Whoever runs the service has to put a backup in its place."),
}
_PASSING = (Trouble.GONE, Trouble.BUSY)


@dataclass(frozen=True)
class DatabaseAnswer:
    """One answer: its status, its sentence, and after how many seconds to try again (None: not before it is mended)."""

    status: int
    detail: str
    retry_after_s: int | None


def database_answer(error: BaseException, method: str) -> DatabaseAnswer | None:
    """Say what an error of the database means for a request of this HTTP method; None for a mistake of our own."""
    trouble = trouble_of(error)
    if trouble is Trouble.UNFORESEEN:
        return None
    status, advice = _ADVICE[trouble]
    if method in ("GET", "HEAD", "OPTIONS"):
        done = "Nothing was changed."
    elif trouble is Trouble.GONE:  # where the connection was cut at the commit, only the database knows
        done = (
            "Whether this was kept cannot be told: look before you send it again, or send it with an Idempotency-Key."
        )
    else:
        done = "This was not kept."
    detail = f"The database of the service {trouble}. {done} {advice}"
    return DatabaseAnswer(status, detail, RETRY_AFTER_S if trouble in _PASSING else None)
