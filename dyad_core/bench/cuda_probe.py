"""Ask for the CUDA devices in a process of its own, once: whoever asks never initialises CUDA.

Run ``python -m dyad_core.bench.cuda_probe``: it prints the devices as JSON.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from typing import Any

import torch

from dyad_core.bench.child import child_environment

__all__ = ["cuda_devices"]

TIMEOUT_S = 60.0


@functools.cache
def cuda_devices() -> tuple[tuple[dict[str, Any], ...], str]:
    """Return the CUDA devices and, when there is none, a sentence that says why.

    Each device: ``index, name, memory_total_bytes, memory_available_bytes, cache_bytes, capability, bfloat16, float16``. The
    answer is kept for the life of the process.
    """
    if torch.version.cuda is None:
        return (), "no CUDA device: this torch is built without CUDA"
    command = [sys.executable, "-m", "dyad_core.bench.cuda_probe"]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True, env=child_environment()
        )
        found = json.loads(answer.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, OSError, ValueError, IndexError) as error:
        return (), f"no CUDA device: asking for it failed ({type(error).__name__})"
    return tuple(found["devices"]), found["note"]


def probe() -> dict[str, Any]:
    """Ask torch; initialises CUDA in this process."""
    if not torch.cuda.is_available():
        return {"devices": [], "note": "no CUDA device: torch finds no usable GPU or driver"}
    devices = []
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        free, total = torch.cuda.mem_get_info(index)
        devices.append(
            {
                "index": index,
                "name": properties.name,
                "memory_total_bytes": total,
                "memory_available_bytes": free,
                "cache_bytes": int(properties.L2_cache_size),
                "capability": f"{properties.major}.{properties.minor}",
                "bfloat16": properties.major >= 8,
                "float16": (properties.major, properties.minor) >= (5, 3),
            }
        )
    return {"devices": devices, "note": ""}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(probe()) + "\n")
