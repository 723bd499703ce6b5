"""Measure a request in this process: check, warm up, time in rounds, then memory; pass after pass.

Use :func:`dyad_core.bench.run_benchmark` from outside: it runs this in a process of its own, which is what
keeps one measurement from disturbing the next and a crash from taking its caller along.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import torch

from dyad_core.bench.ceilings import Ceilings
from dyad_core.bench.disturbance import DISTURBED
from dyad_core.bench.environment import Conditions, read_environment
from dyad_core.bench.flush import FlushedClock
from dyad_core.bench.kept_ceilings import ceilings_for, is_kept
from dyad_core.bench.machine import usable_cores
from dyad_core.bench.noise import Noise
from dyad_core.bench.progress import OnProgress
from dyad_core.bench.reading import read_run
from dyad_core.bench.reporter import Reporter
from dyad_core.bench.results import BenchmarkRun, Candidate
from dyad_core.bench.roofline import place
from dyad_core.bench.session import Session
from dyad_core.bench.spec import BenchmarkSpec
from dyad_core.bench.timer import Clock, clock_for
from dyad_core.errors import SpecError

__all__ = ["measure"]

CEILINGS_FROM_S = 10.0
"""A request with a smaller budget does not wait three seconds for the ceilings of its machine."""


def measure(
    spec: BenchmarkSpec,
    *,
    on_progress: OnProgress | None = None,
    warnings: Sequence[str] = (),
    clock: Clock | None = None,
) -> BenchmarkRun:
    """Measure ``spec`` here and now and return the run.

    The thread count of torch is set for the time of the measurement and put back.

    Args:
        spec: the request; :func:`dyad_core.bench.preflight` is the caller's business.
        on_progress: receives the state at least after every step of some length.
        warnings: what preflight said; becomes part of the run.
        clock: what measures; the clock of the device when not given.
    """
    created_at, start = datetime.now(UTC).isoformat(timespec="seconds"), time.perf_counter()
    with settings(spec):
        session = Session(spec, Reporter(spec, on_progress), clock or default_clock(spec))
        environment = read_environment(spec)
        session.noise.before()
        for pass_ in spec.passes:
            session.run(pass_)
        noise = session.noise.after()
        ceilings, without = known_ceilings(spec, environment.threads)
    run = BenchmarkRun(
        spec=spec,
        environment=environment,
        candidates=tuple(placed(candidate, spec, ceilings) for candidate in session.candidates),
        created_at=created_at,
        duration_s=time.perf_counter() - start,
        warnings=(*warnings, *session.warnings, *unsaid(noise, session.warnings), *without),
        sampling=tuple(session.sampling),
        ceilings=ceilings,
        noise=noise,
    )
    return read_run(run)


def unsaid(noise: Noise, warnings: Sequence[str]) -> list[str]:
    """What disturbed the run, without the neighbours where a pass has told of them already."""
    told = any(DISTURBED in warning for warning in warnings)
    return [words for words in noise.words() if not (told and "other work" in words)]


def known_ceilings(spec: BenchmarkSpec, threads: int) -> tuple[Ceilings | None, list[str]]:
    """The kept ceilings of this machine; measured now, after everything else, where the request has time for it.

    What cannot be read or kept, or was measured beside other work, costs the roofline and never the run; it is said.
    """
    if spec.max_seconds < CEILINGS_FROM_S and not is_kept(spec.device, spec.dtype, threads):
        return None, []
    try:
        found = ceilings_for(spec.device, spec.dtype, threads)
    except SpecError as error:
        return None, [f"no roofline: {error}"]
    if found.disturbed:
        return None, [
            "no roofline: other work disturbed the measurement of this machine's ceilings; dyad ceilings makes it"
        ]
    return found, []


def placed(candidate: Candidate, spec: BenchmarkSpec, ceilings: Ceilings | None) -> Candidate:
    """The same candidate with its place under the roofline, where that is known."""
    if ceilings is None or not candidate.has_speed:
        return candidate
    return dataclasses.replace(candidate, placement=place(candidate, spec, ceilings))


@contextmanager
def settings(spec: Conditions) -> Iterator[None]:
    """Put torch's threads and float32 precision to what the request asks for, for a while."""
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    torch.set_num_threads(spec.threads or usable_cores())
    torch.set_float32_matmul_precision(spec.float32_matmul_precision)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)


def default_clock(spec: BenchmarkSpec) -> Clock:
    """The clock of the device, with a flush before each call where the request asks for one."""
    device = torch.device(spec.device)
    clock = clock_for(device)
    return FlushedClock(clock, device) if spec.cache == "flushed" else clock
