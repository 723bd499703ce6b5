"""``triton`` where there is no GPU: what it says is missing, its kernels interpreted, and compiled for GPUs not here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from dyad_core import DyadLinear, ImplementationError, SpecError
from dyad_core.ops import registry
from dyad_core.ops import triton as implementation

CPU = torch.device("cpu")
needs_triton = pytest.mark.skipif(not implementation.INSTALLED, reason="triton is not installed; Linux on x86-64 only")


def test_without_triton_it_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(implementation, "INSTALLED", False)
    with pytest.raises(ImplementationError, match=r"triton is not installed; pip install 'triton>=3\.6'"):
        registry.choose("triton", CPU, torch.float32)


def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(implementation, "INSTALLED", True)
    monkeypatch.setattr(implementation, "INTERPRETED", False)
    layer = DyadLinear(8, 8, n_blocks=2, implementation="triton")
    with pytest.raises(
        ImplementationError, match=r"needs an NVIDIA GPU and the tensors are on 'cpu'; move them to 'cuda'"
    ):
        layer(torch.randn(2, 8))


@pytest.mark.parametrize(
    ("changes", "dtype", "message"),
    [
        ({"is_available": lambda: False}, torch.float32, "torch finds no CUDA device; .* install a CUDA build"),
        ({"get_device_capability": lambda device: (7, 5)}, torch.float32, r"compute capability 8\.0"),
        ({}, torch.complex64, "float32, float16 and bfloat16; take implementation 'eager'"),
        ({}, torch.float16, "finds none: apt-get install gcc"),
    ],
)
def test_what_else_can_be_missing(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], dtype: torch.dtype, message: str
) -> None:
    there = {"is_available": lambda: True, "get_device_capability": lambda device: (9, 0)}
    for name, function in (there | changes).items():
        monkeypatch.setattr(torch.cuda, name, function)
    monkeypatch.setattr(implementation, "INSTALLED", True)
    monkeypatch.setattr(implementation, "INTERPRETED", False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    implementation._missing_on.cache_clear()
    reason = implementation.unavailable(torch.device("cuda:0"), dtype)
    implementation._missing_on.cache_clear()
    assert reason is not None
    assert re.search(message, reason)


def test_an_unknown_activation_lists_the_known_ones() -> None:
    weight = torch.ones(1, 1, 1)
    with pytest.raises(SpecError, match="activation: must be one of none, relu, gelu, silu; received 'tanh'"):
        implementation.linear_triton(torch.ones(1, 1), weight, None, None, "bd", 1, "tanh")


def test_importing_the_library_imports_neither_triton_nor_cuda() -> None:
    script = (
        "import sys, dyad_core, torch\n"
        "from dyad_core.ops._triton import tune\n"
        "assert 'triton' not in sys.modules and not torch.cuda.is_initialized()\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


@needs_triton
def test_tuning_without_a_gpu_says_what_is_missing() -> None:
    command = [sys.executable, "-m", "dyad_core.ops._triton.tune", "--widths", "64"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if not torch.cuda.is_available():
        assert done.returncode == 1
        assert "torch finds no CUDA device" in done.stderr
        assert "Traceback" not in done.stderr


@needs_triton
@pytest.mark.timeout(600)  # half a minute on a quiet core
def test_the_kernels_in_the_interpreter() -> None:
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(here / "interpreted_triton.py")],
        cwd=here.parents[2],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        timeout=590,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def assembly(tmp: pytest.MonkeyPatch, cache: Path, capability: int, settings: dict[str, Any], **chosen: Any) -> str:
    """PTX of the kernel for a GPU that need not be here; pointers and strides as in a layer of 1024 → 1024, n = 4."""
    import triton
    import triton.language as tl
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from dyad_core.ops._triton.kernel import dyad_kernel

    tmp.setenv("TRITON_CACHE_DIR", str(cache))
    grain = chosen.get("GRAIN", 1)
    constants = {
        "CELL_TILES": 4,
        "BLOCK_IN": 1024,
        "BLOCK_OUT": 1024,
        "N_BLOCKS": 4,
        "GRAIN": 1,
        "DIAG": True,
        "TRANS": True,
        "CELLS": False,
        "INTERLEAVED": False,
        "BIAS": True,
        "ADDEND": False,
        "ACTIVATION": "gelu",
        "TOTAL": tl.float32,
        "PRECISION": "ieee",
        "WIDE": False,
        "GROUP_M": 8,
        "RUN": grain & -grain,
        "BLOCK_M": 128,
        "BLOCK_N": 128,
        "BLOCK_K": 64,
        **{f"{name}_stride": 1 for name in ("x_feature", "groups_feature", "diag_inner", "trans_inner")},
        **chosen,
    }
    element = settings["element"]
    names = dyad_kernel.arg_names
    pointers = names[: names.index("tokens")]
    types = {name: f"*{element}" if name in pointers else "i32" for name in names}
    source = ASTSource(
        dyad_kernel,
        signature={name: "constexpr" if name in constants else types[name] for name in names},
        constexprs={(names.index(name),): value for name, value in constants.items()},
        attrs={(place,): [["tt.divisibility", 16]] for place, name in enumerate(names) if name not in constants},
    )
    options = {"num_warps": 8, "num_stages": 3, "enable_fp_fusion": True}
    compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
    assert compiled.metadata.shared <= 99 * 1024  # what every GPU since Ampere grants a program
    return str(compiled.asm["ptx"])


WAYS = {
    "it, by index": {"GRAIN": 8, "INTERLEAVED": True},
    "ot, one pass": {"CELLS": True, "CELL_TILES": 2},
    "dt, one pass, by index": {"CELLS": True, "CELL_TILES": 2, "GRAIN": 8, "INTERLEAVED": True},
    "ot, second pass": {"TRANS": False, "ADDEND": True},
}


@needs_triton
@pytest.mark.parametrize("way", WAYS)
def test_a_hopper_gpu_reads_16_bytes_at_a_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str) -> None:
    if implementation.INTERPRETED:
        pytest.skip("TRITON_INTERPRET=1 replaces the compiler")
    ptx = assembly(monkeypatch, tmp_path, 90, {"element": "bf16"}, **WAYS[way])
    assert "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16" in ptx
    copies = set(re.findall(r"cp\.async\.c[ag]\.shared\.global \[[^]]*\], \[[^]]*\], (\w+)", ptx))
    assert copies == {"0x10"}
    # A result is written in runs of the grain: 2 bytes at a time is the price of the paper's grain on the output side.
    assert ("st.global.b16" in ptx) == (way == "ot, one pass")


@needs_triton
@pytest.mark.parametrize(
    ("capability", "element", "precision", "instruction"),
    [
        (80, "fp16", "ieee", "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32"),
        (90, "fp32", "tf32", "tf32.tf32"),
        (90, "fp32", "ieee", "fma.rn.f32"),
        (100, "bf16", "ieee", "tcgen05.mma"),
    ],
)
def test_other_gpus_and_dtypes_compile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capability: int, element: str, precision: str, instruction: str
) -> None:
    if implementation.INTERPRETED:
        pytest.skip("TRITON_INTERPRET=1 replaces the compiler")
    block_k = 32 if element == "fp32" else 64
    settings = {"element": element}
    ptx = assembly(monkeypatch, tmp_path, capability, settings, PRECISION=precision, BLOCK_K=block_k)
    assert instruction in ptx
