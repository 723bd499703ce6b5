"""Measure one model in a process of its own (:mod:`dyad_core.bench.process`), and leave nothing behind whatever happens."""

from __future__ import annotations

import dataclasses
import sys
import threading
import time
from typing import Any, Literal

from dyad_core.bench.process import RunWork, Work, run_process
from dyad_core.errors import BenchmarkCancelled
from dyad_core.models.measuring.files import model_run_from_dict
from dyad_core.models.measuring.progress import ModelProgress, OnModelProgress
from dyad_core.models.records import ModelRun
from dyad_core.models.spec import ModelSpec

__all__ = ["run_model"]

COMMAND = (sys.executable, "-m", "dyad_core.models.measuring.worker")


def run_model(
    spec: ModelSpec,
    *,
    on_progress: OnModelProgress | None = None,
    cancel: threading.Event | None = None,
    timeout_s: float | None = None,
    run_work: RunWork = run_process,
    check: Literal["here", "there"] = "here",
) -> ModelRun:
    """Measure ``spec`` in a process of its own and return the run; blocks until it is done.

    Args:
        spec: what to measure.
        on_progress: called in this thread with the state at least every few rounds; if it raises, the
            measurement is ended and the exception goes on.
        cancel: set it from another thread to end the measurement within two seconds.
        timeout_s: most seconds the measuring process may take; None for no limit.
        run_work: runs the measuring process, here or on another machine.
        check: where the request is held against the machine: ``"here"`` before anything is started, or ``"there"``, in the
            measuring process of another machine.

    Raises:
        SpecError: the request does not suit the machine; nothing was measured.
        ImplementationError: transformers is not installed here.
        BenchmarkFailed: the process ended without a result; says exit code and last error lines.
        BenchmarkCancelled: ``cancel`` was set.
        BenchmarkTimeout: ``timeout_s`` passed.
        BenchmarkMemoryLimit: the process held more memory than ``run_work`` allows it.
    """
    start = time.monotonic()

    def report(progress: ModelProgress) -> None:
        if on_progress is not None:
            on_progress(dataclasses.replace(progress, elapsed_s=time.monotonic() - start))

    def on_message(message: dict[str, Any]) -> None:
        report(ModelProgress.from_dict(message))

    warnings: list[str] = []
    if check == "here":
        from dyad_core.models.measuring.preflight import preflight_model  # imports transformers, which takes seconds

        warnings = preflight_model(spec)
    if cancel is not None and cancel.is_set():
        raise BenchmarkCancelled("the measurement was cancelled before it started")
    report(ModelProgress("starting", 0, 1, 0.0, "starting the measuring process", 0.0))
    request = {"spec": spec.to_dict(), "warnings": warnings, "check": check == "there"}
    work = Work(COMMAND, request, name="measurement", process_name="measuring process")
    return model_run_from_dict(run_work(work, on_message=on_message, cancel=cancel, timeout_s=timeout_s))
