"""Who gets into the queue: a checked request, on a device that exists, once for each key, as long as there is room."""

from __future__ import annotations

import dataclasses
import threading

from backend.executors.base import SERVER, Executor, Needs, NoSuchDevice
from backend.jobs.kind import Request
from backend.settings import Settings
from backend.store.models import Job
from backend.store.queue import Queue
from backend.store.store import KeyUsed, NewJob, Store
from backend.submission import Submission
from dyad_core.errors import DyadError, Problem, SpecError

__all__ = ["Admission", "KeyReused", "QueueFull"]

COME_BACK_S, LONGEST_COME_BACK_S = 30, 600
CPU = "cpu"


class QueueFull(DyadError):  # noqa: N818 - the event, as the library's family names it
    """As many jobs wait as may; ``retry_after_s`` is when one is likely to have ended."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        """Say how many, and when to come back."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class KeyReused(DyadError):  # noqa: N818 - the event, as the library's family names it
    """An idempotency key came again with another request."""


class Admission:
    """Lets jobs into the queue of one database.

    Args:
        store: where jobs are kept.
        executor: knows which devices there are.
        settings: how many jobs may wait, and the limits of one that brings none.
    """

    def __init__(self, store: Store, executor: Executor, settings: Settings) -> None:
        """Nothing waits for it."""
        self._store, self._executor, self._settings = store, executor, settings
        self._queue = Queue(store.engine)
        self._adding = threading.Lock()

    def admit(self, kind: str, request: Request, submission: Submission) -> tuple[Job, bool]:
        """Queue a request; the job, and whether its key came before and this is the job that it queued then.

        Raises:
            SpecError: no machine has the device that it names, or the device is of another sort than the request's.
            QueueFull: no more jobs may wait.
            KeyReused: its key belongs to another request.
        """
        new = NewJob(
            kind=kind,
            spec=request.spec,
            spec_digest=request.digest,
            warnings=request.warnings,
            needs=self._checked_needs(request.needs, submission.device_kind),
            client=submission.client,
            priority=submission.priority,
            attempts=submission.attempts or request.attempts,
            time_limit_s=submission.time_limit_s or self._settings.job_time_limit_s,
            memory_limit_bytes=submission.memory_limit_bytes or self._settings.job_memory_limit_bytes,
            idempotency_key=submission.key,
        )
        with self._adding:  # counting and adding belong together
            if (known := self._known(new)) is not None:
                return known, True
            self._refuse_when_full(new.client)
            try:
                return self._store.add(new), False
            except KeyUsed:  # another server on the same database was quicker
                if (known := self._known(new)) is None:
                    raise
                return known, True

    def _checked_needs(self, needs: Needs, device_kind: str | None) -> Needs:
        if device_kind is not None and needs.device != SERVER:
            if (problem := _mismatch(needs.device, device_kind)) is not None:
                raise SpecError([problem])
            needs = dataclasses.replace(needs, device=device_kind)
        try:
            self._executor.check(needs)
        except NoSuchDevice as error:
            field = "device" if device_kind is None else "device_kind"
            problem = Problem(field, str(error), needs.device, "GET /api/v1/system lists the devices")
            raise SpecError([problem]) from error
        return needs

    def _known(self, new: NewJob) -> Job | None:
        if new.idempotency_key is None:
            return None
        job = self._store.find_key(new.client, new.idempotency_key)
        if job is not None and (job.kind, job.spec_digest) != (new.kind, new.spec_digest):
            raise KeyReused("This Idempotency-Key belongs to another request of this client.")
        return job

    def _refuse_when_full(self, client: str) -> None:
        limit, of_client = self._settings.queue_limit, self._settings.client_queue_limit
        if self._queue.length() >= limit:
            raise QueueFull(f"{limit} jobs are waiting already, and no more may.", self._come_back_s())
        if of_client is not None and self._queue.length(client) >= of_client:
            sentence = f"{of_client} jobs of this client are waiting already, and no more may."
            raise QueueFull(sentence, self._come_back_s())

    def _come_back_s(self) -> int:
        """When the first job that runs is likely to end."""
        left = [job.progress["eta_s"] for job in self._store.running() if job.progress and job.progress.get("eta_s")]
        return max(1, min(LONGEST_COME_BACK_S, round(min(left, default=COME_BACK_S))))


def _mismatch(device: str, device_kind: str) -> Problem | None:
    """What is wrong where a request computes on one sort of device and asks for a place on another; None when nothing is.

    A job that computes on a processor and holds a GPU would keep it from others and be filed under the wrong kind, and one that
    computes on a GPU would find none in a place that is a processor.
    """
    kind = device_kind.lower()
    if device == CPU:
        if kind == CPU:
            return None
        rule = "must be cpu or left out where the request's device is cpu"
        return Problem("device_kind", rule, device_kind, 'leave device_kind out, or ask for "device": "cuda"')
    if kind == CPU:
        rule = f"must be a kind of GPU or left out where the request's device is {device}"
        return Problem("device_kind", rule, device_kind, 'leave device_kind out, or ask for "device": "cpu"')
    if kind.partition(":")[0] == "cuda":
        if _indexed(kind) == _indexed(device):
            return None
        rule = f"must be the request's own device where it is written as one, and that is {device}"
        return Problem("device_kind", rule, device_kind, "leave device_kind out")
    if _indexed(device) != "cuda:0":
        rule = "must be cuda where device_kind says which GPU: the one that work is given is always cuda:0 there"
        return Problem("device", rule, device, 'ask for "device": "cuda"')
    return None


def _indexed(device: str) -> str:
    """``cuda`` is ``cuda:0``."""
    return "cuda:0" if device == "cuda" else device
