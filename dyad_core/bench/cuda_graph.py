"""A call as a CUDA graph: its kernels are recorded once and replayed without launching them one by one."""

from __future__ import annotations

import torch

from dyad_core.bench.timer import Call

__all__ = ["captured"]

WARM_UPS = 3
"""Calls on a side stream before the capture, as torch's notes on CUDA graphs ask for."""


def captured(call: Call, device: torch.device) -> Call:
    """Capture one call and return its replay. What it reads and writes stays at its place in memory.

    Raises:
        RuntimeError: the call does what a graph cannot hold, for example wait for the device.
    """
    with torch.cuda.device(device):
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                call()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            kept = call()

    def replay() -> object:
        graph.replay()
        return kept

    return replay
