"""``/api/v1/system``: the devices and versions of this machine, and what the queue does."""

from __future__ import annotations

import dataclasses
from typing import Any

from fastapi import APIRouter, Response
from starlette.responses import JSONResponse

from backend.deps import ServiceDep
from backend.jobs.records import timestamp
from backend.realised import MAX_REALISED_ENTRIES
from dyad_core.bench.system import system_info

__all__ = ["router"]

router = APIRouter(prefix="/system", tags=["system"])


@router.get("", response_model=dict[str, Any])
def system(service: ServiceDep) -> Response:
    """Devices with their dtypes and memory, processor, versions, notes; jobs; kind of database; limits."""
    store, executor = service.store, service.desk.executor
    running = [job.id for job in store.running()]
    return JSONResponse(
        {
            **system_info().to_dict(),
            "queue": {
                "running": running[0] if running else None,
                "queued": service.desk.queue.length(),
            },
            "running_ids": running,
            "executor": executor.name,
            "device_groups": [dataclasses.asdict(group) for group in executor.groups()],
            "database": store.engine.dialect.name,
            "limits": {
                "max_upload_bytes": service.settings.max_upload_bytes,
                "max_matrix_bytes": service.settings.max_matrix_bytes,
                "max_realised_entries": MAX_REALISED_ENTRIES,
            },
            "server_started_at": timestamp(service.started_at),
        }
    )
