"""What a running measurement says about itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from dyad_core.bench.results import Candidate
from dyad_core.errors import Problem, SpecError

__all__ = ["STAGES", "OnProgress", "Progress", "Stage"]

Stage = Literal["starting", "checking", "warming_up", "timing", "memory", "finished"]
STAGES: tuple[Stage, ...] = get_args(Stage)


@dataclass(frozen=True)
class Progress:
    """State of a running measurement.

    Attributes:
        stage: what it does now; the stages from ``checking`` to ``memory`` come once per pass.
        done: steps of this stage that are finished.
        total: steps of this stage.
        fraction: of the whole run, 0 to 1, never falling.
        message: one line for people.
        elapsed_s: seconds since the start.
        candidates: figures so far, without their raw samples; during ``warming_up`` they come from the
            warm-up and will change.
        eta_s: seconds left, estimated; None while nothing is known.
    """

    stage: Stage
    done: int
    total: int
    fraction: float
    message: str
    elapsed_s: float
    candidates: tuple[Candidate, ...] = ()
    eta_s: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values; candidates in the shape they have in a run."""
        values = dataclasses.asdict(self)
        values["candidates"] = [candidate.to_dict() for candidate in self.candidates]
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Progress:
        """Read what :meth:`to_dict` wrote.

        Raises:
            SpecError: for an unknown stage or a wrong shape.
        """
        if values.get("stage") not in STAGES:
            raise SpecError([Problem("stage", f"must be one of {', '.join(STAGES)}", values.get("stage"))])
        rest = {name: value for name, value in values.items() if name != "candidates"}
        return cls(**rest, candidates=tuple(Candidate.from_dict(item) for item in values.get("candidates", ())))


OnProgress = Callable[[Progress], None]
"""Called in the thread that waits for the measurement; an exception in it ends the measurement."""
