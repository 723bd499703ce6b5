"""``/api/v1/uploads``: weights that the service is to look at, streamed to its disk and checked before they are kept."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from backend.bodies import media_type_of
from backend.deps import Limit, Offset, UploadsDep
from backend.problems import Refusal
from backend.uploads import NoSpace, TooLarge, Upload, Uploads
from dyad_core.errors import Problem

__all__ = ["router"]

router = APIRouter(prefix="/uploads", tags=["uploads"])

MEDIA_TYPE = "application/octet-stream"
PIECE = 2**20
UNNAMED = "upload"
_BODY = {
    "requestBody": {
        "required": True,
        "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        "description": "A .npy or .safetensors file, or a state dict written by torch.save; no pickle is ever run.",
    }
}


class Tensor(BaseModel):
    """One tensor of a file, told without its values; ``reason`` says why it cannot be projected."""

    name: str
    shape: list[int]
    dtype: str
    bytes: int
    projectable: bool
    reason: str | None


class UploadSummary(BaseModel):
    """A kept file in a list."""

    id: str
    name: str
    format: str
    bytes: int
    created_at: str
    tensor_count: int
    projectable_count: int


class UploadRecord(UploadSummary):
    """A kept file with its tensors."""

    tensors: list[Tensor]


class UploadPage(BaseModel):
    """One page of kept files; ``total`` counts all."""

    items: list[UploadSummary]
    total: int
    limit: int
    offset: int


@router.post("", status_code=201, response_model=UploadRecord, openapi_extra=_BODY)
async def upload(
    request: Request,
    uploads: UploadsDep,
    name: Annotated[str, Query(max_length=200, description="Shown beside the upload; never used as a path.")] = UNNAMED,
) -> Response:
    """Send a file as the raw body. Its header is checked against its size; a refused one is not kept."""
    if (media_type := media_type_of(request, MEDIA_TYPE)) != MEDIA_TYPE:
        problem = Problem("Content-Type", f"must be {MEDIA_TYPE}", media_type, "send the file itself as the body")
        raise Refusal(415, "The body must be the file itself.", problem)
    shown = "".join(character for character in name if character.isprintable()).strip() or UNNAMED
    try:
        kept = await _receive(request, uploads, shown)
    except TooLarge as error:
        raise Refusal(413, str(error)) from error
    except NoSpace as error:
        raise Refusal(507, str(error)) from error
    except ClientDisconnect as error:
        raise Refusal(400, "The upload was broken off; nothing was kept.") from error
    return JSONResponse(kept.to_dict(), 201, headers={"Location": f"/api/v1/uploads/{kept.id}"})


async def _receive(request: Request, uploads: Uploads, name: str) -> Upload:
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit():
        uploads.check_declared(int(declared[:20]))
    with uploads.incoming() as incoming:
        pending = bytearray()
        async for chunk in request.stream():
            pending += chunk
            if len(pending) >= PIECE:
                await run_in_threadpool(incoming.write, bytes(pending))
                pending.clear()
        await run_in_threadpool(incoming.write, bytes(pending))
        return await run_in_threadpool(uploads.keep, incoming, name)


@router.get("", response_model=UploadPage)
def list_uploads(uploads: UploadsDep, limit: Limit = 50, offset: Offset = 0) -> Response:
    """One page of kept files, newest first, without their tensors."""
    found, total = uploads.page(limit=limit, offset=offset)
    page: dict[str, Any] = {"items": [one.summary() for one in found], "total": total}
    return JSONResponse({**page, "limit": limit, "offset": offset})


@router.get("/{upload_id}", response_model=UploadRecord)
def look(upload_id: str, uploads: UploadsDep) -> Response:
    """One kept file and its tensors: names, shapes, types, and which can be projected."""
    return JSONResponse(uploads.get(upload_id).to_dict())


@router.delete("/{upload_id}", status_code=204, response_class=Response)
def delete(upload_id: str, uploads: UploadsDep) -> Response:
    """Forget a file. A projection of it that is running goes on; one that waits will fail and say so."""
    uploads.delete(upload_id)
    return Response(status_code=204)
