"""A made-up machine: the environment and the ceilings that records of tests were measured in."""

from __future__ import annotations

from dyad_core.bench import Environment
from dyad_core.bench.ceilings import Ceilings, Rate

__all__ = ["CEILINGS", "ENVIRONMENT"]

ENVIRONMENT = Environment(
    hostname="box",
    platform="Linux",
    python_version="3.12.1",
    torch_version="2.13.0",
    numpy_version="2.4.0",
    dyad_version="0.1.0",
    device="cpu",
    device_name="AMD EPYC",
    cpu_name="AMD EPYC",
    cpu_cores=2,
    cpu_capability="AVX2",
    threads=2,
    memory_total_bytes=2**34,
    memory_available_bytes=2**33,
    dtype="float32",
    dtype_emulated=False,
    float32_matmul_precision="highest",
    load_average_1min=0.1,
)

CEILINGS = Ceilings(
    device="cpu",
    device_name="AMD EPYC",
    dtype="float32",
    threads=2,
    float32_matmul_precision="highest",
    flops_per_s=Rate(2e11, 1.9e11, 2.1e11),
    bytes_per_s=Rate(2e10, 1.9e10, 2.1e10),
    launch_us=Rate(2.0, 1.9, 2.1),
    matrix_side=2048,
    copy_bytes=2**27,
    others_share=0.0,
    measured_at="2026-01-02T03:04:05+00:00",
    versions={"torch": "2.13.0"},
)
