"""``/api/v1/system``: the devices and versions of this machine, and what the queue does."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from starlette.responses import JSONResponse

from backend.deps import ServiceDep
from backend.jobs.records import timestamp
from backend.jobs.states import State
from backend.realised import MAX_REALISED_ENTRIES
from dyad_core.bench.system import system_info

__all__ = ["router"]

router = APIRouter(prefix="/system", tags=["system"])


@router.get("", response_model=dict[str, Any])
def system(service: ServiceDep) -> Response:
    """Devices with their dtypes and memory, processor, versions, notes; jobs; kind of database; limits."""
    store = service.store
    return JSONResponse(
        {
            **system_info().to_dict(),
            "queue": {"running": store.running_id(), "queued": store.counts()[State.QUEUED]},
            "database": store.engine.dialect.name,
            "limits": {
                "max_upload_bytes": service.settings.max_upload_bytes,
                "max_matrix_bytes": service.settings.max_matrix_bytes,
                "max_realised_entries": MAX_REALISED_ENTRIES,
            },
            "server_started_at": timestamp(service.started_at),
        }
    )
