"""Can the service do its work now? Each part answers for itself, in a sentence when it cannot.

Every check runs in a thread of its own with a time limit (:class:`backend.observing.bounded.Bounded`), all of them at
once: a database that hangs is a sentence after two seconds, and neither blocks requests nor piles up threads.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from backend.observing.bounded import Bounded
from backend.store.health import check_database

__all__ = ["LIMIT_S", "Check", "Readiness", "Report", "database_problem", "disk_problem", "queue_problem"]

LIMIT_S = 1.5
"""How long a check may take; what is asked at ``/readyz`` answers within two seconds."""

Check = Callable[[], str]
"""Returns a sentence that says what is wrong; empty when nothing is. May block."""


@dataclass(frozen=True)
class Report:
    """What every check said.

    Attributes:
        problems: a sentence by check, empty where all is well.
        role: ``measuring`` where this server starts jobs, ``standby`` where another one on its database does.
    """

    problems: dict[str, str]
    role: str = "measuring"

    @property
    def ready(self) -> bool:
        """Whether all is well."""
        return not any(self.problems.values())

    def to_dict(self) -> dict[str, object]:
        """JSON-ready: ``ok`` or the sentence by check, and the role of this server."""
        checks = {name: problem or "ok" for name, problem in self.problems.items()}
        return {"status": "ready" if self.ready else "not ready", "role": self.role, "checks": checks}


class Readiness:
    """Asks every check at once.

    Args:
        checks: by their names.
        role: of this server, told at once.
        limit_s: how long a check may take.
    """

    def __init__(
        self, checks: Mapping[str, Check], role: Callable[[], str] = lambda: "measuring", limit_s: float = LIMIT_S
    ) -> None:
        """Prepare; nothing is asked yet."""
        self._role, self._limit_s = role, limit_s
        self._checks = {name: Bounded(check, limit_s, f"dyad-check-{name}") for name, check in checks.items()}

    async def report(self) -> Report:
        """Ask now; takes as long as the slowest check, and at most the limit."""
        sentences = await asyncio.gather(*(self._sentence(check) for check in self._checks.values()))
        return Report(dict(zip(self._checks, sentences, strict=True)), self._role())

    async def _sentence(self, check: Bounded[str]) -> str:
        try:
            return await check.answered()
        except TimeoutError:
            return f"No answer within {self._limit_s:g} s."
        except Exception as error:  # noqa: BLE001 - a check that fails is an answer, whatever it was; its text may hold secrets
            return f"The check failed ({type(error).__name__}); the log of the service may say more."


def database_problem(engine: Engine) -> Check:
    """The database answers and can be written."""
    return lambda: check_database(engine)


def queue_problem(state: Callable[[], str]) -> Check:
    """The thread that starts jobs lives; ``state`` says ``stopped`` when it does not."""

    def check() -> str:
        ended = "The thread that starts jobs has ended, so nothing that waits is run; start the service again."
        return ended if state() == "stopped" else ""

    return check


def disk_problem(home: Path, least_bytes: int) -> Check:
    """Results can be kept: at least ``least_bytes`` are free where ``DYAD_HOME`` is."""

    def check() -> str:
        try:
            free = shutil.disk_usage(home).free
        except OSError as error:
            return f"The folder that DYAD_HOME names cannot be looked at: {error.strerror}."
        if free >= least_bytes:
            return ""
        return (
            f"The disk of DYAD_HOME is nearly full: {_mib(free)} are free, at least {_mib(least_bytes)} must be; "
            "make room, or change DYAD_MIN_FREE_BYTES."
        )

    return check


def _mib(number: int) -> str:
    return f"{number / 2**20:,.1f} MiB"
