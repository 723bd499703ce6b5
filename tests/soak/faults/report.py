"""The report of a bench: for people on the screen, for programs as JSON."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from statistics import median
from typing import Any

from soak.faults.books import Books
from soak.faults.killer import Kill

__all__ = ["Report"]


@dataclass(frozen=True)
class Report:
    """What happened, and whether the books agree.

    Attributes:
        scenario: its name.
        seed: repeats kinds and moments of the kills, and what the clients draw.
        duration_s: of the whole.
        kills: each.
        books: at the end.
        answers: of the service, by request and status.
        left_over: temporary folders of killed processes that nobody removed.
    """

    scenario: str
    seed: int
    duration_s: float
    kills: tuple[Kill, ...]
    books: Books
    answers: dict[str, int]
    left_over: int

    def by_kind(self) -> dict[str, dict[str, Any]]:
        """Number of kills and recoveries (seconds) of each kind."""
        found = {}
        for kind in sorted({kill.kind for kill in self.kills}):
            times = [kill.recovered_s for kill in self.kills if kill.kind == kind]
            answered = [kill.answered_s for kill in self.kills if kill.kind == kind]
            found[kind] = {
                "kills": len(times),
                "answered_p50_s": median(answered),
                "recovered_p50_s": median(times),
                "recovered_max_s": max(times),
            }
        return found

    def values(self) -> dict[str, Any]:
        """Everything, JSON-ready."""
        return dataclasses.asdict(self) | {"by_kind": self.by_kind()}

    def table(self) -> str:
        """The same in short, as text."""
        lines = [
            f"faults, {self.scenario}: {len(self.kills)} kills in {self.duration_s:.0f} s, seed {self.seed}",
            f"{'killed':<12}{'times':>6}{'ready p50 s':>13}{'going on p50 s':>16}{'max s':>8}",
        ]
        for kind, row in self.by_kind().items():
            lines.append(
                f"{kind:<12}{row['kills']:>6}{row['answered_p50_s']:>13.2f}"
                f"{row['recovered_p50_s']:>16.2f}{row['recovered_max_s']:>8.2f}"
            )
        books = self.books
        submitted = f"{books.submitted} submitted" + (f" + {books.unanswered} unanswered" if books.unanswered else "")
        lines.append(f"{submitted} = " + " + ".join(f"{count} {name}" for name, count in books.by_ending.items()))
        lines.append(f"{books.executions} processes of quick jobs; {self.left_over} temporary folders left over")
        lines.append("answers: " + ", ".join(f"{name}: {count}" for name, count in sorted(self.answers.items())))
        shown = books.wrong[:20]
        lines.append("the books agree" if not books.wrong else f"{len(books.wrong)} THINGS ARE WRONG")
        return "\n".join([*lines, *(f"  {sentence}" for sentence in shown)])
