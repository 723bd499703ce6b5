"""Models that must not be swapped as they are: quantised, wrapped by PEFT, spread over processes, or scripted.

All are recognised by the names of their classes and attributes, so none of these packages is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from dyad_core.errors import Problem
from dyad_core.surgery.finding import is_from

__all__ = ["OWN_METHOD", "wrapping_problems"]

OWN_METHOD = "dyad"
"""The ``quant_method`` under which DYAD settings travel in a model's config; it is no quantisation."""

_QUANTISED_MODULES = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.nn.quantized")
_QUANTISED_PACKAGES = ("bitsandbytes", "auto_gptq", "gptqmodel", "awq", "hqq", "eetq", "quanto", "optimum", "torchao")
_DISTRIBUTED = ("DistributedDataParallel", "FullyShardedDataParallel", "FSDPModule", "DataParallel", "DeepSpeedEngine")


def wrapping_problems(model: nn.Module) -> list[Problem]:
    """One problem for each reason why layers of this model must not be replaced; empty where there is none."""
    modules = list(model.named_modules())
    reasons: tuple[tuple[Callable[[nn.Module], bool], str, str], ...] = (
        (_is_quantised, "is quantised", "load it without quantisation, replace layers, and quantise the result"),
        (
            _is_peft,
            "is wrapped by PEFT, whose adapters belong to the layers that would go",
            "replace layers before get_peft_model, or after merge_and_unload()",
        ),
        (
            _is_distributed,
            "is wrapped for several processes, and what wraps it holds the parameters that would go",
            "replace layers first and wrap the result",
        ),
        (
            _is_scripted,
            "is compiled by torch.jit, which fixes its layers",
            "replace layers first and script the result",
        ),
    )
    problems = []
    for applies, rule, suggestion in reasons:
        found = next((f"{type(m).__name__} {name}".strip() for name, m in modules if applies(m)), None)
        if found is not None:
            problems.append(Problem("model", rule, found, suggestion))
    return problems


def _is_quantised(module: nn.Module) -> bool:
    cls = type(module)
    if cls.__module__.startswith(_QUANTISED_MODULES):
        return True
    if isinstance(module, nn.Linear) and any(is_from(cls, package) for package in _QUANTISED_PACKAGES):
        return True
    quantizer = getattr(module, "hf_quantizer", None)
    methods = [
        _method(getattr(getattr(module, "config", None), "quantization_config", None)),
        _method(getattr(quantizer, "quantization_config", None)),
    ]
    return any(method not in (None, OWN_METHOD) for method in methods)


def _method(config: Any) -> str | None:
    """The ``quant_method`` of a quantization config, which is an object or a dictionary; None without one."""
    if config is None:
        return None
    method = config.get("quant_method") if isinstance(config, dict) else getattr(config, "quant_method", None)
    return str(getattr(method, "value", method if method is not None else "unknown"))


def _is_peft(module: nn.Module) -> bool:
    return is_from(type(module), "peft") or (hasattr(module, "base_layer") and hasattr(module, "lora_A"))


def _is_distributed(module: nn.Module) -> bool:
    # fully_shard gives a module a new class, of which FSDPModule is a base.
    return any(
        cls.__name__ in _DISTRIBUTED and (is_from(cls, "torch") or is_from(cls, "deepspeed"))
        for cls in type(module).__mro__
    )


def _is_scripted(module: nn.Module) -> bool:
    return any(cls.__name__ == "ScriptModule" and is_from(cls, "torch") for cls in type(module).__mro__)
