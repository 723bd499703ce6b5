"""How a job is asked for, beside what is asked: who asks, how urgent it is, its limits, and a key that makes asking twice harmless."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Query, Request

from dyad_core.errors import Problem, SpecError

__all__ = ["DeviceKind", "Submission", "SubmissionDep"]

LONGEST_CLIENT = 80
KEY = re.compile(r"[!-~]{1,255}", re.ASCII)
DeviceKind = Annotated[
    str | None,
    Query(
        max_length=64,
        pattern=r"^[A-Za-z0-9._:-]+$",
        description="Kind of device in a cluster, for example H200; GET /api/v1/system lists them.",
    ),
]


@dataclass(frozen=True)
class Submission:
    """What goes with a request.

    Attributes:
        client: who asks; the queue is fair between clients.
        priority: -10 to 10; higher goes first.
        attempts: how often the job may be started where its machine goes away; None takes what its kind says.
        time_limit_s: it is ended when it takes longer; None takes the service's own limit.
        memory_limit_bytes: of each of its processes; None takes the service's own limit.
        device_kind: kind of device in a cluster; None takes what the request says.
        key: the same key and request again are answered with the first job.
    """

    client: str = ""
    priority: int = 0
    attempts: int | None = None
    time_limit_s: float | None = None
    memory_limit_bytes: int | None = None
    device_kind: str | None = None
    key: str | None = None


def read_submission(
    request: Request,
    priority: Annotated[int, Query(ge=-10, le=10, description="Higher goes first.")] = 0,
    attempts: Annotated[
        int | None,
        Query(ge=1, le=5, description="Most starts, where the server or machine goes away; a sweep has 3, others 1."),
    ] = None,
    time_limit_s: Annotated[
        float | None, Query(gt=0, le=30 * 86400, description="The job is ended when it takes longer.")
    ] = None,
    memory_limit_bytes: Annotated[
        int | None, Query(ge=2**20, le=2**62, description="Resident memory that a process of the job may hold.")
    ] = None,
    device_kind: DeviceKind = None,
    idempotency_key: Annotated[
        str | None,
        Header(description="1 to 255 visible ASCII characters; the same key and request again queue nothing new."),
    ] = None,
    x_dyad_client: Annotated[
        str | None, Header(description="Who asks, at most 80 printable characters; a token's name takes its place.")
    ] = None,
) -> Submission:
    """Read query and headers.

    Raises:
        SpecError: a header breaks its rule.
    """
    problems = []
    if idempotency_key is not None and not KEY.fullmatch(idempotency_key):
        problems.append(Problem("Idempotency-Key", "must be 1 to 255 visible ASCII characters", idempotency_key))
    if x_dyad_client is not None and not (0 < len(x_dyad_client) <= LONGEST_CLIENT and x_dyad_client.isprintable()):
        rule = f"must be 1 to {LONGEST_CLIENT} printable characters"
        problems.append(Problem("X-Dyad-Client", rule, x_dyad_client))
    if problems:
        raise SpecError(problems)
    known: str | None = getattr(request.state, "client", None)
    address = "" if request.client is None else request.client.host
    return Submission(
        client=(known or x_dyad_client or address)[:LONGEST_CLIENT],
        priority=priority,
        attempts=attempts,
        time_limit_s=time_limit_s,
        memory_limit_bytes=memory_limit_bytes,
        device_kind=device_kind,
        key=idempotency_key,
    )


SubmissionDep = Annotated[Submission, Depends(read_submission)]
"""A route's parameter: what goes with a request that queues a job."""
