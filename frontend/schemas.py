"""The JSON shapes of the service, as typed dictionaries.

They describe what comes over the wire and hold no behaviour; only keys that the dashboard reads are listed. Keys may
be added by a newer service at any time, none disappears.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from frontend.schemas_runs import CandidateJson, CeilingsJson, NoiseJson, SamplingJson

__all__ = [
    "TERMINAL",
    "ConnectivityJson",
    "DeviceJson",
    "FeatureSetJson",
    "GeometryJson",
    "HubJson",
    "MachineJson",
    "NeighboursJson",
    "PartnersJson",
    "PatternJson",
    "ProblemEntry",
    "ProgressJson",
    "RunPage",
    "RunRecord",
    "RunResult",
    "SpreadJson",
    "Status",
    "SystemJson",
    "WindowJson",
]

Status = Literal["queued", "running", "succeeded", "failed", "cancelled", "interrupted"]

TERMINAL: frozenset[str] = frozenset({"succeeded", "failed", "cancelled", "interrupted"})
"""States that never change again: polling stops there."""


class ProblemEntry(TypedDict):
    """One wrong field of a request."""

    field: str
    rule: str
    received: Any
    suggestion: str


class ProgressJson(TypedDict, total=False):
    """How far a run is."""

    stage: str
    done: int
    total: int
    fraction: float
    message: str
    elapsed_s: float
    eta_s: float | None
    candidates: list[CandidateJson]


class RunResult(TypedDict, total=False):
    """A finished benchmark: the content of an exported file."""

    spec: dict[str, Any]
    environment: dict[str, Any]
    candidates: list[CandidateJson]
    created_at: str
    duration_s: float
    reading: str
    warnings: list[str]
    schema_version: int
    sampling: list[SamplingJson]
    ceilings: CeilingsJson | None
    noise: NoiseJson | None


class MachineJson(TypedDict, total=False):
    """Where a run was measured; an empty host name was not told."""

    name: str
    hostname: str
    device: str
    threads: int
    torch_version: str


class RunRecord(TypedDict, total=False):
    """One run as the service keeps it."""

    id: str
    kind: str
    status: Status
    spec: dict[str, Any]
    progress: ProgressJson | None
    queue_position: int | None
    warnings: list[str]
    error: dict[str, str] | None
    origin: str
    machine: MachineJson | None
    measured_at: str | None
    client: str
    served_from_store: bool
    imported: list[str]
    existing: list[str]
    created_at: str
    started_at: str | None
    finished_at: str | None
    result: RunResult | None
    headline: str | None


class RunPage(TypedDict):
    """One page of runs; ``total`` counts all that match."""

    items: list[RunRecord]
    total: int
    limit: int
    offset: int


class GeometryJson(TypedDict, total=False):
    """Sizes and structure of one layer."""

    in_features: int
    out_features: int
    n_blocks: int
    variant: str
    grain: int
    block_in: int
    block_out: int


class WindowJson(TypedDict):
    """Half-open ranges of outputs (rows) and inputs (columns)."""

    out_start: int
    out_stop: int
    in_start: int
    in_stop: int


class PatternJson(TypedDict, total=False):
    """Counts of covered positions per cell of a window."""

    geometry: GeometryJson
    window: WindowJson
    rows: int
    columns: int
    row_edges: list[int]
    column_edges: list[int]
    counts: dict[str, str]
    totals: dict[str, float]
    formula: str
    weights: dict[str, Any]


class FeatureSetJson(TypedDict):
    """A set of features, by a description and its first members."""

    description: str
    first: list[int]
    count: int


class HubJson(TypedDict):
    """One of the 2n blocks of a layer, with what it reads and feeds."""

    index: int
    component: str
    block: int
    inputs: FeatureSetJson
    outputs: FeatureSetJson


class SpreadJson(TypedDict):
    """Smallest, largest and mean of a count."""

    min: int
    max: int
    mean: float


class PartnersJson(TypedDict):
    """The features that one component joins to a chosen one."""

    component: str
    block: int
    hub: int
    description: str
    first: list[int]
    count: int


class NeighboursJson(TypedDict):
    """What a chosen input feeds, or what a chosen output reads."""

    side: str
    feature: int
    components: list[PartnersJson]
    count: int


class ConnectivityJson(TypedDict, total=False):
    """Which features meet in which block."""

    geometry: GeometryJson
    hubs: list[HubJson]
    input_hub_shared: list[list[int]] | None
    output_hub_shared: list[list[int]] | None
    reads_per_output: SpreadJson
    feeds_per_input: SpreadJson
    formula: str
    neighbours: NeighboursJson


class DeviceJson(TypedDict, total=False):
    """One device that can measure."""

    name: str
    kind: str
    description: str
    memory_total_bytes: int | None
    memory_available_bytes: int | None
    dtypes: list[str]
    emulated_dtypes: list[str]
    notes: list[str]


class SystemJson(TypedDict, total=False):
    """The machine of the service."""

    devices: list[DeviceJson]
    cpu_name: str
    cpu_cores: int
    memory_total_bytes: int | None
    memory_available_bytes: int | None
    versions: dict[str, str]
    notes: list[str]
    implementations: list[dict[str, str]]
    queue: dict[str, Any]
    database: str
    limits: dict[str, int]
    server_started_at: str
