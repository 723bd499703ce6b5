"""``/api/v1/verdicts``: swap or not, from runs that are stored; nothing is measured here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from fastapi import APIRouter, Response
from starlette.responses import JSONResponse

from backend.bodies import JsonBody, body_schema, build
from backend.deps import ServiceDep
from backend.jobs.kinds.benchmark import NAME
from backend.jobs.states import State
from backend.problems import Refusal
from backend.store.models import Job
from backend.store.store import Filter, Store
from dyad_core.bench import BenchmarkRun, BenchmarkSpec
from dyad_core.bench.spec import MODULES, PASSES
from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import VARIANTS, positive_integer
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
    "oneOf": [{"required": ["run"]}, {"required": ["benchmark"]}, {"required": ["layer"]}],
    "properties": {
        "run": {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "Id of a finished run."},
        "benchmark": {"$ref": "#/components/schemas/BenchmarkSpec"},
        "layer": {
            "type": "object",
            "description": "Sizes: the newest stored run of them that measured the variant and n_blocks named beside it.",
            "additionalProperties": False,
            "required": ["in_features", "out_features"],
            "properties": {
                "in_features": {"type": "integer", "minimum": 1},
                "out_features": {"type": "integer", "minimum": 1},
                "module": {"enum": list(MODULES)},
            },
        },
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
    layer: Any = None
    variant: Any = None
    n_blocks: Any = None
    grain: Any = None
    implementation: Any = None
    passes: Any = None
    required_speedup: Any = 1.0
    max_loss: Any = None

    def __post_init__(self) -> None:
        """Check that exactly one source is named, as what it has to be."""
        named = [name for name in ("run", "benchmark", "layer") if getattr(self, name) is not None]
        if len(named) != 1:
            rule = "must be named, or else a benchmark or a layer: one of the three"
            raise SpecError([Problem("run", rule, " and ".join(named) or None)])
        if self.run is not None and not isinstance(self.run, str):
            raise SpecError([Problem("run", "must be the id of a run", self.run)])
        if self.benchmark is not None and not isinstance(self.benchmark, dict):
            raise SpecError([Problem("benchmark", "must be a benchmark request", self.benchmark)])
        if self.layer is not None:
            self._check_layer(self.layer)

    def _check_layer(self, layer: Any) -> None:
        if not isinstance(layer, dict):
            raise SpecError([Problem("layer", "must be an object with in_features and out_features", layer)])
        sizes = ("in_features", "out_features")
        problems = [problem for name in sizes if (problem := positive_integer(name, layer.get(name))) is not None]
        if (module := layer.get("module", MODULES[0])) not in MODULES:
            problems.append(Problem("module", f"must be one of {', '.join(MODULES)}", module))
        problems += [Problem(str(name), "is not a field of a layer") for name in layer.keys() - {*sizes, "module"}]
        problems = [problem.under("layer") for problem in problems]
        if self.variant is not None and self.variant not in VARIANTS:
            problems.append(Problem("variant", f"must be one of {', '.join(VARIANTS)}", self.variant))
        if self.n_blocks is not None and (problem := positive_integer("n_blocks", self.n_blocks)) is not None:
            problems.append(problem)
        if problems:
            raise SpecError(problems)


@dataclass(frozen=True)
class VerdictAnswer(Verdict):
    """The verdict on the candidate that was named, or on the best; ``others`` are the rest of the run, best first."""

    others: tuple[Verdict, ...] = ()


@router.post("", response_model=VerdictAnswer, openapi_extra=body_schema(_REQUEST, EXAMPLE))
def judge(body: JsonBody, service: ServiceDep) -> Response:
    """The verdict on a stored run: swap, do not swap, depends, not distinguishable, or no evidence.

    Name a finished ``run``, a ``benchmark`` request, or a ``layer`` by its sizes, of which the newest stored run is taken,
    those of this machine first. 404 when there is none, 409 when it is not finished.
    """
    asked = build(VerdictRequest, _with_passes(body))
    if asked.run is None:
        job = _of_request(asked, service.store)
    else:
        job = service.store.get(asked.run, kind=NAME, with_result=True)
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
    """The newest finished run of a request or a layer, one of this machine before any other.

    Raises:
        SpecError: the request is none.
        Refusal: 404 when nothing is stored, 409 when it is not finished yet.
    """
    found = _stored(store, _fits(asked))
    finished = [job for job in found if job.status is State.SUCCEEDED]
    if finished:
        chosen = min(finished, key=lambda job: job.origin != "local")  # the first, so the newest, of the best origin
        return store.get(chosen.id, kind=NAME, with_result=True)
    waiting = next((job for job in found if job.status in (State.QUEUED, State.RUNNING)), None)
    if waiting is not None:
        problem = Problem("benchmark", "must have a finished run", waiting.id, "ask again when it has succeeded")
        raise Refusal(409, f"The run of this request is {waiting.status} and has no result to judge yet.", problem)
    name = "benchmark" if asked.layer is None else "layer"
    problem = Problem(name, "must have a stored run", None, "POST /api/v1/benchmarks measures it")
    raise Refusal(404, f"No run of this {'request' if asked.layer is None else name} is stored.", problem)


def _fits(asked: VerdictRequest) -> Callable[[Job], bool]:
    """Which stored runs answer: those of the same request, or those that hold what is asked of a layer.

    Raises:
        SpecError: the request is none.
    """
    if asked.layer is not None:
        wanted = {"module": MODULES[0], **asked.layer}

        def holds(job: Job) -> bool:
            return (
                all(job.spec.get(name) == value for name, value in wanted.items())
                and (asked.variant is None or asked.variant in job.spec["variants"])
                and (asked.n_blocks is None or asked.n_blocks in job.spec["n_blocks"])
            )

        return holds
    try:
        digest = BenchmarkSpec.from_dict(asked.benchmark).digest()
    except SpecError as error:
        raise SpecError([problem.under("benchmark") for problem in error.problems]) from error
    return lambda job: job.spec_digest == digest


def _stored(store: Store, fits: Callable[[Job], bool]) -> list[Job]:
    """Every job that fits, newest first, without results."""
    found, offset, total = [], 0, 1
    while offset < total:
        page, total = store.page(Filter(kind=NAME), limit=PAGE, offset=offset)
        found += [job for job in page if fits(job)]
        offset += PAGE
    return found
