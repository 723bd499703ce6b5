"""Compiled forms of the layer: made once, checked once against the index definition, then kept.

One form serves one (variant, grain, block sizes, dtype, device, thread count) and every token count: the token
dimension is dynamic, one token is a form of its own. It is checked anew at each power of two of the
token count, at the sizes it will run with. A form that is wrong is refused, now and later in the process.

Freezing and autotuning are switched off whatever the process's settings say: together they gave wrong results.
Nothing is compiled, and the compiler is not even imported, before the first call.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import sys
import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dyad_core.errors import ImplementationError
from dyad_core.geometry import DyadGeometry, Variant
from dyad_core.ops.agreement import Backward, Forward, backward_disagreement, forward_disagreement
from dyad_core.ops.backward import gradients
from dyad_core.ops.plain import linear_plain

__all__ = ["backward_form", "forward_form", "unavailable"]

OPTIONS: dict[str, Any] = {
    "freezing": False,
    "max_autotune": False,
    "max_autotune_gemm": False,
    "max_autotune_pointwise": False,
}

_lock = threading.RLock()
_compiled: dict[Any, Callable[..., Any]] = {}
_offered: dict[Any, Callable[..., Any]] = {}
_refused: dict[Any, str] = {}


def forward_form(input: Tensor, weight: Tensor, bias: Tensor | None, variant: Variant, grain: int) -> Forward:
    """The checked forward for operands like these; ``input`` (T, in_features), ``weight`` (n, block_out, block_in).

    Raises:
        ImplementationError: it does not compile, or is wrong.
    """
    setting = (variant, grain, weight.shape, input.dtype, input.device, torch.get_num_threads(), bias is None)
    tokens = input.shape[0]
    form = _offered.get((setting, tokens.bit_length()))
    if form is not None:
        return form

    def make(name: str) -> Callable[..., Any]:
        def forward(*tensors: Tensor) -> Tensor:
            return linear_plain(*tensors, variant, grain)  # type: ignore[call-arg,arg-type] # four tensors come

        return _compile(forward, name, dynamic=tokens > 1)

    def wrong(candidate: Forward) -> str | None:
        geometry = _geometry(weight, variant, grain)
        return forward_disagreement(candidate, geometry, tokens, input.dtype, input.device, bias=bias is not None)

    found: Forward = _offer(setting, tokens, make, wrong)
    return found


def backward_form(input: Tensor, weight: Tensor, wanted: tuple[bool, ...], variant: Variant, grain: int) -> Backward:
    """The checked gradients that are ``wanted`` (of input, both weights, bias), as :func:`forward_form`."""
    setting = (variant, grain, weight.shape, input.dtype, input.device, torch.get_num_threads(), wanted)
    tokens = input.shape[0]
    form = _offered.get((setting, tokens.bit_length()))
    if form is not None:
        return form

    def make(name: str) -> Callable[..., Any]:
        twins = _coincide(weight, variant, grain)
        computed = (wanted[0], wanted[1] or wanted[2], False, False) if twins else (*wanted[:3], False)

        def backward(*tensors: Tensor) -> list[Tensor | None]:
            return gradients(linear_plain, tensors[0], tensors[1:], variant, grain, computed)

        form = _compile(backward, name, dynamic=tokens > 1)

        def complete(*tensors: Tensor) -> list[Tensor | None]:
            found: list[Tensor | None] = form(*tensors)
            if twins:
                found[1:3] = _for_both(found[1], wanted)
            # The compiler's loop adds one token after another: more than twice the rounding of torch's own sum.
            found[3] = tensors[0].sum(0) if wanted[3] else None
            return found

        return complete

    def wrong(candidate: Backward) -> str | None:
        geometry = _geometry(weight, variant, grain)
        return backward_disagreement(candidate, geometry, tokens, input.dtype, input.device, wanted)

    found: Backward = _offer(setting, tokens, make, wrong)
    return found


def _coincide(weight: Tensor, variant: Variant, grain: int) -> bool:
    """Whether both components hold the same entries, so that their gradients are the same numbers.

    The compiler would store one sum twice, which in 16-bit types declares a C++ variable twice (torch 2.13).
    """
    n, block_out, block_in = weight.shape
    dealt = {"it": (block_in,), "ot": (block_out,), "dt": (block_in, block_out), "bd": ()}[variant]
    return variant != "bd" and (n == 1 or all(block == grain for block in dealt))


def _for_both(gradient: Tensor | None, wanted: tuple[bool, ...]) -> tuple[Tensor | None, Tensor | None]:
    """The gradient of two components that coincide, in memory of its own for each that wants it."""
    second = gradient.clone() if wanted[1] and gradient is not None else gradient
    return gradient if wanted[1] else None, second if wanted[2] else None


def _geometry(weight: Tensor, variant: Variant, grain: int) -> DyadGeometry:
    n, block_out, block_in = weight.shape
    return DyadGeometry(n * block_in, n * block_out, n, variant, grain)


def _offer(
    setting: Any, tokens: int, make: Callable[[str], Callable[..., Any]], wrong: Callable[[Any], str | None]
) -> Any:
    """Make the form if it is not there yet, check it at this size, and keep what came of it."""
    checked = (setting, tokens.bit_length())
    with _lock:
        if checked in _offered:
            return _offered[checked]
        if checked in _refused:
            raise ImplementationError(_refused[checked])
        key = (setting, tokens > 1)
        form = _compiled.get(key) or make(f"dyad_form_{len(_compiled)}")
        try:
            with torch.inference_mode(False), torch.no_grad():
                found = wrong(form)
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, OSError, ImportError, SyntaxError) as error:
            msg = f"implementation 'compiled' failed to compile for {_words(setting)}: {_said(error)}; use 'eager'"
            raise ImplementationError(msg) from error
        _compiled[key] = form
        if found is not None:
            msg = (
                f"implementation 'compiled' computes wrong values here, for {_words(setting)} at {tokens} tokens: "
                f"{found}. Use 'eager', and report this with the versions of torch and of the compiler"
            )
            _refused[checked] = msg
            raise ImplementationError(msg)
        _offered[checked] = form
        return form


def _compile(function: Callable[..., Any], name: str, *, dynamic: bool) -> Callable[..., Any]:
    """Compile a function of tensors whose first dimension of the activations may vary."""
    # The compiler counts recompilations per code object and gives up after eight, so each form gets its own.
    function.__code__ = function.__code__.replace(co_name=name)
    compiled = torch.compile(function, fullgraph=True, options=OPTIONS)
    marked = False

    def form(*tensors: Tensor | None) -> Any:
        nonlocal marked
        present = [None if tensor is None else tensor.detach().contiguous() for tensor in tensors]
        if dynamic and not marked:
            # The activations are the matrices: (T, features); the weights have three dimensions, the bias one.
            for tensor in present:
                if tensor is not None and tensor.dim() == 2:
                    torch._dynamo.mark_dynamic(tensor, 0)
            marked = True
        with torch.no_grad():  # the compiler makes a form for each grad mode; the caller differentiates
            return compiled(*present)

    return form


def _words(setting: tuple[Any, ...]) -> str:
    variant, grain, (n, block_out, block_in), dtype, device = setting[:5]
    sizes = f"{n * block_in} → {n * block_out}"
    return f"{sizes}, variant {variant!r}, n_blocks={n}, grain={grain}, {dtype} on {device}"


def _said(error: BaseException) -> str:
    """What the compiler said, on one line of bounded length and without its traceback and advice on its settings."""
    text = re.split(r"from user code:|Set TORCHDYNAMO_VERBOSE", str(error))[0]
    return f"{type(error).__name__}: {' '.join(text.split())[:600]}"


def unavailable(device: torch.device, dtype: torch.dtype) -> str | None:
    """Why nothing can be compiled for this device and dtype, and what would help; None when it can."""
    if torch.compiler.is_compiling():
        return None  # plain operations for whatever compiles around them
    if dtype.is_complex:
        return "the compiler makes no code for complex numbers; use 'eager'"
    if not dtype.is_floating_point:
        return "compiled code is checked with drawn numbers before it is used, and integers have none; use 'eager'"
    return _missing_tools(device.type)


@functools.lru_cache
def _missing_tools(device_type: str) -> str | None:
    if os.environ.get("TORCHDYNAMO_DISABLE") == "1" or os.environ.get("TORCH_COMPILE_DISABLE") == "1":
        return "torch.compile is switched off by TORCHDYNAMO_DISABLE or TORCH_COMPILE_DISABLE; unset it"
    if device_type == "cpu":
        compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
        if shutil.which(compiler) is None:
            return (
                f"torch.compile needs a C++ compiler and {compiler!r} is not on the PATH; install one "
                "(Debian and Ubuntu: apt-get install g++; macOS: xcode-select --install) or name yours in CXX"
            )
    if device_type == "cuda":
        if importlib.util.find_spec("triton") is None:
            return "torch.compile needs triton on a GPU and it is not installed: pip install triton"
        if shutil.which(os.environ.get("CC", "gcc")) is None and shutil.which("clang") is None:
            return "triton needs a C compiler and there is none on the PATH; install gcc or name yours in CC"
    return None
