"""Estimates of whole models for the service: one at a time, each kept, and with the newest fitting times that were measured.

An estimate depends on nothing but its request, so it is computed once. It is made in a thread of its own, in which requests wait
in line: the classes of transformers are built under switches of the whole process, and a crowd of large models would take the
processor from everything else.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from backend.jobs.states import State
from backend.problems import Refusal
from backend.store.filter import Filter
from backend.store.models import Job
from backend.store.store import Store
from dyad_core.bench.records import read_record
from dyad_core.errors import ImplementationError, Problem, SpecError
from dyad_core.models.records import ModelEstimate, PartTime
from dyad_core.models.spec import EstimateSpec

__all__ = ["SAME", "estimate_now", "estimate_of", "times_for"]

KIND = "model"
KEPT = 128
PAGE = 500
NOT_INSTALLED = 501

SAME = ("config", "batch", "sequence", "dtype", "optimizer", "checkpointing", "names", "grain")
"""What a measurement must have in common with a request for its times to fit."""

_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dyad-estimate")
_kept: OrderedDict[str, ModelEstimate] = OrderedDict()


async def estimate_of(spec: EstimateSpec) -> ModelEstimate:
    """The estimate of a request, without times; a second time from memory.

    Raises:
        SpecError: the model cannot be read or built, or cannot do this work.
        Refusal: 501 where the packages for models are not installed.
    """
    return await asyncio.get_running_loop().run_in_executor(_thread, _estimate, spec)


def estimate_now(spec: EstimateSpec) -> ModelEstimate:
    """The same for a caller in a thread, which waits."""
    return _thread.submit(_estimate, spec).result()


def _estimate(spec: EstimateSpec) -> ModelEstimate:
    key = spec.digest()
    if key not in _kept:
        try:
            from dyad_core.models.cost.estimate import answer

            _kept[key] = answer(spec)
        except ImplementationError as error:  # the extra "models" is optional, here too
            raise Refusal(NOT_INSTALLED, str(error)) from error
        if len(_kept) > KEPT:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return _kept[key]


def times_for(spec: EstimateSpec, store: Store, job_id: str | None) -> tuple[tuple[PartTime, ...], str | None]:
    """Measured times of parts for a request, and where they come from.

    Args:
        spec: the request.
        store: the jobs.
        job_id: a finished measurement; None takes the newest of this machine that fits, if there is one.

    Raises:
        UnknownJob: no measurement has this id.
        Refusal: 409 for one that has no result.
        SpecError: it measured another model or other work.
    """
    if job_id is None:
        found = _newest(spec, store)
        return ((), None) if found is None else _times(found)
    job = store.get(job_id, kind=KIND, with_result=True)
    if job.result is None:
        problem = Problem("measured", "must be a measurement that succeeded", str(job.status))
        raise Refusal(409, f"This measurement is {job.status} and has no times.", problem)
    if other := _differences(spec, job):
        rule = f"must have measured the same work, and differs in {', '.join(other)}"
        raise SpecError([Problem("measured", rule, job_id, "leave it out, or ask with the values of the measurement")])
    return _times(job)


def _newest(spec: EstimateSpec, store: Store) -> Job | None:
    wanted = Filter(kind=KIND, status=State.SUCCEEDED, origin="local")
    offset, total = 0, 1
    while offset < total:
        page, total = store.page(wanted, limit=PAGE, offset=offset)
        for job in page:
            if not _differences(spec, job):
                return store.get(job.id, kind=KIND, with_result=True)
        offset += PAGE
    return None


def _differences(spec: EstimateSpec, job: Job) -> list[str]:
    asked = spec.to_dict()
    return [name for name in SAME if job.spec.get(name) != asked[name]]


def _times(job: Job) -> tuple[tuple[PartTime, ...], str]:
    result: dict[str, Any] = job.result or {}
    parts = tuple(read_record(PartTime, part, f"parts.{index}") for index, part in enumerate(result["parts"]))
    day = str(result["created_at"])[:10]
    return parts, f"{result['environment']['device_name']}, {day}"
