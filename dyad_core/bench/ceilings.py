"""The machine's own ceilings, measured: how fast it multiplies matrices, copies memory and starts an operation.

A roofline needs these three, per dtype and number of threads. They are measured once, take a few seconds, and are
kept per machine below ``DYAD_HOME``; ``dyad ceilings`` prints them and ``--again`` measures them anew.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import torch

from dyad_core._version import __version__
from dyad_core.bench.disturbance import DISTURBED_SHARE, now, others_between
from dyad_core.bench.machine import cpu_name, host_memory, last_level_cache_bytes, usable_cpus
from dyad_core.bench.records import read_record
from dyad_core.bench.timer import Call, Clock, clock_for
from dyad_core.errors import Problem, SpecError

__all__ = ["Ceilings", "Rate", "device_name", "full_name", "measure_ceilings"]

# A product is large enough when one call takes this long; larger ones gain little, and where a dtype is emulated they
# would take minutes. The side of the matrices doubles from the first to at most the second.
LONG_ENOUGH_MS = {"cpu": 40.0, "cuda": 5.0}
SIDES = {"cpu": (256, 8192), "cuda": (1024, 16384)}
ASSUMED_CACHE_BYTES = 64 << 20
CACHES_COPIED = 4
LAUNCHES = 2000
REPETITIONS = 9
FEWEST = 3
MOST_S = 0.8
"""Seconds after which no further repetition of a kind begins."""


@dataclass(frozen=True)
class Rate:
    """A figure from several repetitions: median and quartiles."""

    median: float
    q1: float
    q3: float


@dataclass(frozen=True)
class Ceilings:
    """What one device can do at most, in one dtype.

    Attributes:
        device: ``"cpu"`` or ``"cuda:<index>"``.
        device_name: product name.
        dtype: of the matrices.
        threads: CPU threads.
        float32_matmul_precision: the setting of torch under which it was measured; below ``"highest"`` a GPU uses tf32.
        flops_per_s: of one product of square matrices, a multiply-add counted as two.
        bytes_per_s: of a copy between two buffers, bytes read and bytes written together.
        launch_us: one operation on 16 elements, called from Python: all of it is overhead.
        matrix_side: rows and columns of the product's matrices.
        copy_bytes: size of the buffer that was copied.
        others_share: share of the processors that other work kept busy meanwhile, 0 to 1; None when it cannot be read.
        measured_at: ISO 8601, UTC.
        versions: of torch and of this library.
    """

    device: str
    device_name: str
    dtype: str
    threads: int
    float32_matmul_precision: str
    flops_per_s: Rate
    bytes_per_s: Rate
    launch_us: Rate
    matrix_side: int
    copy_bytes: int
    others_share: float | None
    measured_at: str
    versions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no machine has: everything divides by these."""
        rates = {"flops_per_s": self.flops_per_s, "bytes_per_s": self.bytes_per_s, "launch_us": self.launch_us}
        problems = [
            Problem(f"ceilings.{name}.{part}", "must be above 0", value)
            for name, each in rates.items()
            for part, value in dataclasses.asdict(each).items()
            if not value > 0
        ]
        if problems:
            raise SpecError(problems)

    @property
    def disturbed(self) -> bool:
        """Whether other work took a noticeable share of the processors while this was measured."""
        return self.others_share is not None and self.others_share > DISTURBED_SHARE

    @property
    def flops_per_byte(self) -> float:
        """The ridge of the roofline: with fewer operations per byte memory is the limit."""
        return self.flops_per_s.median / self.bytes_per_s.median

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Any, where: str = "ceilings") -> Ceilings:
        """Read what :meth:`to_dict` wrote.

        Raises:
            SpecError: for a missing or unknown field, a wrong type, or a rate that is not positive.
        """
        return read_record(cls, values, where)


def measure_ceilings(device: str, dtype: str, threads: int) -> Ceilings:
    """Measure the ceilings of a device here and now, in about three seconds; on CUDA this initialises CUDA.

    torch's number of threads is put back afterwards.
    """
    where, kind = torch.device(full_name(device)), getattr(torch, dtype)
    clock, cpus = clock_for(where), usable_cpus()
    before = now(cpus)
    with cpu_threads(threads), torch.no_grad():
        side, product = large_product(where, kind, clock)
        flops = rate(product, clock, 1, lambda ms: 2 * side**3 / ms * 1e3)
        size, copy = large_copy(where)
        moved = rate(copy, clock, 1, lambda ms: 2 * size / ms * 1e3)
        few = torch.zeros(16, device=where)
        launch = rate(lambda: few.add_(1.0), clock, LAUNCHES, lambda ms: ms * 1e3)
    after = now(cpus)
    others = None if before is None or after is None else others_between(before, after) / len(cpus)
    return Ceilings(
        device=str(where),
        device_name=device_name(device),
        dtype=dtype,
        threads=threads,
        float32_matmul_precision=torch.get_float32_matmul_precision(),
        flops_per_s=flops,
        bytes_per_s=moved,
        launch_us=launch,
        matrix_side=side,
        copy_bytes=size,
        others_share=others,
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        versions={"torch": str(torch.__version__), "dyad-explorer": __version__},
    )


def large_product(device: torch.device, dtype: torch.dtype, clock: Clock) -> tuple[int, Call]:
    """The smallest product that takes long enough, warm: its side, and the call. Takes a quarter of the memory at most."""
    side, largest = SIDES[device.type]
    most_bytes = free_bytes(device) // 4
    generator = torch.Generator(device).manual_seed(0)
    # Random bits, for a GPU draws less power and runs faster on constant ones; a tile of them, for drawing takes long.
    tile = torch.randn(side, side, generator=generator, device=device, dtype=dtype)
    while True:
        left, right, result = (tile.repeat(side // len(tile), side // len(tile)) for _ in range(3))

        def call(left: torch.Tensor = left, right: torch.Tensor = right, result: torch.Tensor = result) -> object:
            return torch.mm(left, right, out=result)

        clock.sample_ms(call, 1)
        is_last = 2 * side > largest or 4 * 3 * side**2 * dtype.itemsize > most_bytes
        if clock.sample_ms(call, 1) >= LONG_ENOUGH_MS[device.type] or is_last:
            return side, call
        side *= 2


def large_copy(device: torch.device) -> tuple[int, Call]:
    """A copy of several times the last-level cache, but at most an eighth of the memory: its bytes, and the call."""
    if device.type == "cuda":
        cache = int(torch.cuda.get_device_properties(device).L2_cache_size)
    else:
        cache = last_level_cache_bytes() or ASSUMED_CACHE_BYTES
    size = min(max(CACHES_COPIED * cache, ASSUMED_CACHE_BYTES), free_bytes(device) // 8)
    source, target = (torch.ones(size, device=device, dtype=torch.uint8) for _ in range(2))
    target.copy_(source)
    return size, lambda: target.copy_(source)


def free_bytes(device: torch.device) -> int:
    """Memory that is free on a device; where that cannot be read, as much as the largest sizes here need."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return host_memory().available_bytes or 1 << 40


def rate(call: Call, clock: Clock, calls: int, figure: Callable[[float], float]) -> Rate:
    """Repeat a call and return median and quartiles of a figure of its milliseconds."""
    found: list[float] = []
    end = time.perf_counter() + MOST_S
    while len(found) < FEWEST or (len(found) < REPETITIONS and time.perf_counter() < end):
        found.append(figure(clock.sample_ms(call, calls)))
    q1, median, q3 = statistics.quantiles(found, n=4, method="inclusive")
    return Rate(median, q1, q3)


def full_name(device: str) -> str:
    """``"cuda"`` is ``"cuda:0"``."""
    return "cuda:0" if device == "cuda" else device


def device_name(device: str) -> str:
    """Product name; on CUDA this initialises CUDA."""
    where = torch.device(full_name(device))
    return torch.cuda.get_device_name(where) if where.type == "cuda" else cpu_name()


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
