"""What a running measurement of a model says about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from dyad_core.bench.records import read_record
from dyad_core.errors import Problem, SpecError
from dyad_core.models.records import ModelCandidate, json_values

__all__ = ["MODEL_STAGES", "ModelProgress", "ModelStage", "OnModelProgress"]

ModelStage = Literal["starting", "building", "checking", "warming_up", "timing", "memory", "finished"]
MODEL_STAGES: tuple[ModelStage, ...] = get_args(ModelStage)


@dataclass(frozen=True)
class ModelProgress:
    """State of a running measurement; the fields of :class:`dyad_core.bench.Progress`.

    Attributes:
        stage: what it does now; ``building`` comes once, the stages from ``checking`` to ``memory`` once per pass.
        done: steps of this stage that are finished.
        total: steps of this stage.
        fraction: of the whole run, 0 to 1, never falling.
        message: one line for people.
        elapsed_s: seconds since the start.
        candidates: figures so far, without their raw samples; during ``warming_up`` they will change.
        eta_s: seconds left, estimated; None while nothing is known.
    """

    stage: ModelStage
    done: int
    total: int
    fraction: float
    message: str
    elapsed_s: float
    candidates: tuple[ModelCandidate, ...] = ()
    eta_s: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values; candidates in the shape they have in a run."""
        return json_values(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelProgress:
        """Read what :meth:`to_dict` wrote.

        Raises:
            SpecError: for an unknown stage or a wrong shape.
        """
        if values.get("stage") not in MODEL_STAGES:
            raise SpecError([Problem("stage", f"must be one of {', '.join(MODEL_STAGES)}", values.get("stage"))])
        return read_record(cls, values, "progress")


OnModelProgress = Callable[[ModelProgress], None]
"""Called in the thread that waits for the measurement; an exception in it ends the measurement."""
