"""The JSON shapes of uploads and of projections; see :mod:`frontend.schemas` for how they are meant."""

from __future__ import annotations

from typing import Any, TypedDict

from frontend.schemas import ProgressJson, Status

__all__ = [
    "EnergyJson",
    "ExaminationJson",
    "JobRecord",
    "ProjectedJson",
    "ProjectionResult",
    "ReorderingJson",
    "SpectrumJson",
    "TensorJson",
    "UploadJson",
    "UploadPage",
    "WeightPictureJson",
]


class TensorJson(TypedDict):
    """One tensor of a file."""

    name: str
    shape: list[int]
    dtype: str
    bytes: int
    projectable: bool
    reason: str | None


class UploadJson(TypedDict, total=False):
    """One kept file; a list of files leaves ``tensors`` out."""

    id: str
    name: str
    format: str
    bytes: int
    created_at: str
    tensor_count: int
    projectable_count: int
    tensors: list[TensorJson]


class UploadPage(TypedDict):
    """One page of kept files."""

    items: list[UploadJson]
    total: int
    limit: int
    offset: int


class EnergyJson(TypedDict, total=False):
    """What another structure of at most as many parameters keeps."""

    rank: int
    n_blocks: int
    parameters: int
    captured_energy: float
    relative_error: float


class ProjectedJson(TypedDict):
    """One structure, its nearest weight, and what other structures of equal size keep."""

    variant: str
    n_blocks: int
    grain: int
    parameters: int
    positions: int
    captured_energy: float
    lost_energy: float
    relative_error: float
    unstructured_energy: float
    low_rank: EnergyJson | None
    block_diagonal: EnergyJson


class SpectrumJson(TypedDict):
    """At most 512 singular values, with their index and the energy up to them."""

    count: int
    index: list[int]
    values: list[float]
    captured_energy: list[float]
    precision: str
    floor: float
    effective_rank: float


class WeightPictureJson(TypedDict, total=False):
    """Mean magnitude and sign by cell."""

    source: dict[str, Any]
    part: str
    window: dict[str, int]
    rows: int
    columns: int
    row_edges: list[int]
    column_edges: list[int]
    largest: float
    magnitude: dict[str, str]
    sign: dict[str, str]
    entries: list[list[float]] | None


class ExaminationJson(TypedDict):
    """One structure in detail."""

    candidate: ProjectedJson
    spectra: dict[str, SpectrumJson | None]
    pictures: dict[str, WeightPictureJson]
    notes: list[str]


class ReorderingJson(TypedDict):
    """An order of the hidden units and what it changes."""

    first: dict[str, Any]
    second: dict[str, Any]
    before: dict[str, float]
    after: dict[str, float]
    bound: float
    moved: int
    permutation: list[int]
    reading: str


class ProjectionResult(TypedDict, total=False):
    """A finished projection."""

    source: dict[str, Any]
    matrix: dict[str, float]
    candidates: list[ProjectedJson]
    skipped: list[dict[str, Any]]
    spectrum: SpectrumJson | None
    reading: str
    notes: list[str]
    examination: ExaminationJson | None
    reordering: ReorderingJson | None


class LogLineJson(TypedDict):
    """One line of a job's log; ``attempt`` is the start it belongs to."""

    number: int
    at: str
    attempt: int
    text: str


class JobLogJson(TypedDict):
    """Lines of a job's log."""

    items: list[LogLineJson]
    next: int


class JobRecord(TypedDict, total=False):
    """A projection as the service keeps it."""

    id: str
    kind: str
    status: Status
    spec: dict[str, Any]
    progress: ProgressJson | None
    queue_position: int | None
    warnings: list[str]
    error: dict[str, str] | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    result: ProjectionResult | None
    headline: str | None
