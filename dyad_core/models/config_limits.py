"""What a ``config.json`` may ask for: checked before any class of transformers sees it, so that a stranger's costs nothing.

A config is data. One that names code or weights to fetch is refused, and so are sizes beyond any model, which would fill
the memory or build modules for hours. Every problem is reported at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dyad_core.errors import Problem

__all__ = ["MAX_LAYERS", "MAX_SIZE", "MAX_VOCABULARY", "config_problems", "without_choices"]

MAX_LAYERS = 1024
MAX_EXPERTS = 2**15
MAX_LAYER_EXPERTS = 2**20
MAX_SIZE = 2**20
MAX_VOCABULARY = 2**24
MAX_POSITIONS = 2**24
MAX_NUMBER = 2**40
MAX_DEPTH = 8
MAX_ENTRIES = 2**16
LONGEST_TEXT = 4096

# Largest value by what the name of an integer says; the first that fits counts.
_LIMITS: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"theta|freq|rotary_emb_base|transformers_version|eps"), MAX_NUMBER),
    (re.compile(r"token|_id$|_ids$|vocab|index"), MAX_VOCABULARY),
    (re.compile(r"position|seq|ctx|context|window|length|chunk"), MAX_POSITIONS),
    (re.compile(r"(size|dim)$"), MAX_SIZE),
    (re.compile(r"expert"), MAX_EXPERTS),
    (re.compile(r"layer|depth|num_blocks|n_blocks|num_stages"), MAX_LAYERS),
)

FETCHING = frozenset(
    {
        "auto_map",
        "backbone",
        "custom_generate",
        "custom_pipelines",
        "fusion_config",
        "kernel_config",
        "trust_remote_code",
        "use_kernels",
        "use_pretrained_backbone",
        "use_timm_backbone",
    }
)
"""Keys that make transformers run or fetch what the file names."""

CHOICES = frozenset(
    {
        "_attn_implementation",
        "_attn_implementation_internal",
        "_commit_hash",
        "_experts_implementation",
        "_experts_implementation_internal",
        "_name_or_path",
        "attn_implementation",
        "distributed_config",
        "dtype",
        "experts_implementation",
        "name_or_path",
        "torch_dtype",
        "transformers_version",
        "transformers_weights",
    }
)
"""Keys that say how to run a model or where it came from, not what it is: left out."""


def without_choices(values: Mapping[str, Any]) -> dict[str, Any]:
    """A deep copy of a config without the keys of :data:`CHOICES`, nested ones included."""
    return {
        key: without_choices(value) if isinstance(value, Mapping) else _copy(value)
        for key, value in values.items()
        if key not in CHOICES
    }


def _copy(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [without_choices(item) if isinstance(item, Mapping) else _copy(item) for item in value]
    return value


def config_problems(values: Mapping[str, Any]) -> list[Problem]:
    """Everything in the object of a ``config.json`` that is refused, by its dotted name below ``config``."""
    problems = []
    for entries, (path, key, value) in enumerate(_walk(values, "config", "", 0)):
        if entries == MAX_ENTRIES:
            return [Problem("config", f"must have at most {MAX_ENTRIES} entries", f"more than {MAX_ENTRIES}")]
        if (problem := _entry_problem(path, key, value)) is not None:
            problems.append(problem)
    problems += _quantised(values)
    # What is nested too deep is among the problems already, and is not walked again.
    return problems or _layer_experts(values)


def _walk(value: Any, path: str, key: str, depth: int) -> Iterator[tuple[str, str, Any]]:
    """Yield (dotted path, name that it goes by, value) of every value; what is nested too deep is yielded as it is."""
    if depth > MAX_DEPTH or not isinstance(value, Mapping | list | tuple):
        yield path, key, value
        return
    if isinstance(value, Mapping):
        for name, item in value.items():
            if not isinstance(name, str) or name in FETCHING:
                yield f"{path}.{name}", str(name), item
            elif name not in CHOICES:
                yield from _walk(item, f"{path}.{name}", name, depth + 1)
        return
    if len(value) > MAX_LAYERS and "layer" in key:
        yield path, key, value
        return
    for place, item in enumerate(value):
        yield from _walk(item, f"{path}.{place}", key, depth + 1)


def _entry_problem(path: str, key: str, value: Any) -> Problem | None:
    if key in FETCHING:
        if value is None or value is False:
            return None
        rule = "is refused: a config is data, and this names code or weights to fetch"
        return Problem(path, rule, _short(value), "leave it out; the classes of transformers itself are used")
    if isinstance(value, list | tuple):
        return Problem(path, f"must have at most {MAX_LAYERS} entries, nested {MAX_DEPTH} deep at most", len(value))
    if isinstance(value, bool) or value is None or isinstance(value, float):
        return None
    if isinstance(value, str):
        if len(value) <= LONGEST_TEXT:
            return None
        return Problem(path, f"must have at most {LONGEST_TEXT} characters", _short(value))
    if isinstance(value, int):
        most = next((limit for pattern, limit in _LIMITS if pattern.search(key)), MAX_SIZE)
        return None if abs(value) <= most else Problem(path, f"must be at most {most:,}", _short(value))
    rule = f"must be a value of JSON, nested {MAX_DEPTH} deep at most"
    return Problem(path, rule, type(value).__name__)


def _quantised(values: Mapping[str, Any]) -> list[Problem]:
    problems = []
    for name in ("quantization_config", "compression_config"):
        found = values.get(name)
        if not found:
            continue
        method = found.get("quant_method") if isinstance(found, Mapping) else found
        if method == "dyad":
            rule = "is of a model that has DYAD layers already; a dense one is expected"
            hint = "load that model with from_pretrained after `import dyad_core.models`, or leave this key out"
        else:
            rule = "is of a quantised model, whose linear layers cannot be replaced; a dense one is expected"
            hint = "take the config of the model that was quantised, or leave this key out"
        problems.append(Problem(f"config.{name}", rule, _short(method), hint))
    return problems


def _layer_experts(values: Mapping[str, Any]) -> list[Problem]:
    """Experts may be a module each, so layers times experts is bounded as well; sub-configs one by one."""
    counts = {"layer": 0, "expert": 0}
    problems = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            problems += _layer_experts(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            for word in counts:
                if word in key and not re.search(r"(size|dim)", key):
                    counts[word] = max(counts[word], min(value, MAX_NUMBER))
    product = counts["layer"] * counts["expert"]
    if product > MAX_LAYER_EXPERTS:
        rule = f"layers times experts must be at most {MAX_LAYER_EXPERTS:,}"
        problems.append(Problem("config", rule, product))
    return problems


def _short(value: Any) -> Any:
    """A value to be quoted; long ones are cut. Integers of thousands of digits cannot be printed at all."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**64:
        return f"an integer of {value.bit_length()} bits"
    text = value if isinstance(value, str) else repr(value)
    return value if len(text) <= 200 else text[:200] + " …"
