"""``/api/v1/verdicts``: swap or not, from runs that are stored; nothing is measured here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from fastapi import APIRouter, Response
from starlette.responses import JSONResponse

from backend.bodies import JsonBody, body_schema, build
from backend.deps import ServiceDep
from backend.jobs.kinds.benchmark import KIND
from backend.jobs.states import State
from backend.problems import Refusal
from backend.store.models import Job
from backend.store.store import Filter, Store
from dyad_core.bench import BenchmarkRun, BenchmarkSpec
from dyad_core.bench.spec import PASSES
from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import VARIANTS
from dyad_core.verdict import Verdict, verdicts

__all__ = ["router"]

router = APIRouter(prefix="/verdicts", tags=["verdicts"])

PAGE = 500
EXAMPLE = {
    "benchmark": {"in_features": 768, "out_features": 3072},
    "variant": "it",
    "n_blocks": 4,
    "required_speedup": 1.2,
}
_PASS = {"enum": list(PASSES)}
_REQUEST = {
    "type": "object",
    "title": "VerdictRequest",
    "additionalProperties": False,
    "oneOf": [{"required": ["run"]}, {"required": ["benchmark"]}],
    "properties": {
        "run": {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "Id of a finished run."},
        "benchmark": {"$ref": "#/components/schemas/BenchmarkSpec"},
        "variant": {"enum": list(VARIANTS)},
        "n_blocks": {"type": "integer", "minimum": 1},
        "grain": {"type": "integer", "minimum": 1},
        "implementation": {"type": "string"},
        "pass": _PASS,
        "passes": {"type": "array", "items": _PASS, "minItems": 1},
        "required_speedup": {"type": "number", "exclusiveMinimum": 0, "maximum": 1000, "default": 1.0},
        "max_loss": {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "null"}], "default": None},
    },
}


@dataclass(frozen=True)
class VerdictRequest:
    """Which run, which of its candidates, and what is asked of it; values are checked against the run."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    run: Any = None
    benchmark: Any = None
    variant: Any = None
    n_blocks: Any = None
    grain: Any = None
    implementation: Any = None
    passes: Any = None
    required_speedup: Any = 1.0
    max_loss: Any = None

    def __post_init__(self) -> None:
        """Check that exactly one source is named, as what it has to be."""
        if (self.run is None) == (self.benchmark is None):
            received = None if self.run is None else "run and benchmark"
            raise SpecError([Problem("run", "must be named, or else a benchmark: one of the two", received)])
        if self.run is not None and not isinstance(self.run, str):
            raise SpecError([Problem("run", "must be the id of a run", self.run)])
        if self.benchmark is not None and not isinstance(self.benchmark, dict):
            raise SpecError([Problem("benchmark", "must be a benchmark request", self.benchmark)])


@dataclass(frozen=True)
class VerdictAnswer(Verdict):
    """The verdict on the candidate that was named, or on the best; ``others`` are the rest of the run, best first."""

    others: tuple[Verdict, ...] = ()


@router.post("", response_model=VerdictAnswer, openapi_extra=body_schema(_REQUEST, EXAMPLE))
def judge(body: JsonBody, service: ServiceDep) -> Response:
    """The verdict on a stored run: swap, do not swap, depends, not distinguishable, or no evidence.

    Name a finished ``run``, or a ``benchmark`` request whose newest stored run is taken, those of this machine first.
    404 when there is none, 409 when it is not finished.
    """
    asked = build(VerdictRequest, _with_passes(body))
    if asked.run is None:
        job = _of_request(asked, service.store)
    else:
        job = service.store.get(asked.run, kind=KIND.name, with_result=True)
    if job.result is None:
        raise Refusal(
            409, f"This run is {job.status} and has no result to judge.", Problem("status", "must be succeeded")
        )
    best, *others = verdicts(
        BenchmarkRun.from_dict(job.result),
        variant=asked.variant,
        n_blocks=asked.n_blocks,
        grain=asked.grain,
        implementation=asked.implementation,
        passes=asked.passes,
        required_speedup=asked.required_speedup,
        max_loss=asked.max_loss,
        origin=job.origin,
        run_id=job.id,
        address=f"/api/v1/benchmarks/{job.id}",
    )
    return JSONResponse({**best.to_dict(), "others": [each.to_dict() for each in others]})


def _with_passes(body: dict[str, Any]) -> dict[str, Any]:
    """``pass`` as a list of one, unless both are named."""
    if "pass" not in body:
        return body
    if "passes" in body:
        raise SpecError([Problem("pass", "must not be named beside passes", body["pass"])])
    return {**{name: value for name, value in body.items() if name != "pass"}, "passes": [body["pass"]]}


def _of_request(asked: VerdictRequest, store: Store) -> Job:
    """The newest finished run of a request, one of this machine before any other.

    Raises:
        SpecError: the request is none.
        Refusal: 404 when nothing is stored, 409 when it is not finished yet.
    """
    try:
        digest = BenchmarkSpec.from_dict(asked.benchmark).digest()
    except SpecError as error:
        raise SpecError([problem.under("benchmark") for problem in error.problems]) from error
    found = list(_stored(store, digest))
    finished = [job for job in found if job.status is State.SUCCEEDED]
    if finished:
        chosen = min(finished, key=lambda job: job.origin != "local")  # the first, so the newest, of the best origin
        return store.get(chosen.id, kind=KIND.name, with_result=True)
    waiting = next((job for job in found if job.status in (State.QUEUED, State.RUNNING)), None)
    if waiting is not None:
        problem = Problem("benchmark", "must have a finished run", waiting.id, "ask again when it has succeeded")
        raise Refusal(409, f"The run of this request is {waiting.status} and has no result to judge yet.", problem)
    problem = Problem("benchmark", "must have a stored run", None, "POST /api/v1/benchmarks measures it")
    raise Refusal(404, "No run of this request is stored.", problem)


def _stored(store: Store, digest: str) -> list[Job]:
    """Every job of a request, newest first, without results."""
    found, offset, total = [], 0, 1
    while offset < total:
        page, total = store.page(Filter(kind=KIND.name), limit=PAGE, offset=offset)
        found += [job for job in page if job.spec_digest == digest]
        offset += PAGE
    return found
