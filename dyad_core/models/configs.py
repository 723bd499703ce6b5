"""From a name, a ``config.json`` or its object to the config of a model, checked.

No code that a config names is ever run, and nothing is fetched unless the caller asks for a model of the hub.

Run ``python -c "from dyad_core.models import read_config; print(read_config('opt-125m'))"``.
"""

from __future__ import annotations

import copy
import difflib
import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from dyad_core.errors import Problem, SpecError
from dyad_core.models.config_limits import config_problems, without_choices
from dyad_core.models.hugging_face import (
    CONFIG_MAPPING,
    PreTrainedConfig,
    StrictDataclassError,
    cached_file,
    hf_hub_url,
    hub_constants,
)
from dyad_core.models.presets import PRESETS
from dyad_core.surgery.filters import FEED_FORWARD

__all__ = ["BUILD_ERRORS", "read_config"]

LARGEST_FILE_BYTES = 4 * 2**20
HUB_TIMEOUT_S = 10

# What the classes of transformers raise at values that they cannot take, besides their own validation errors.
BUILD_ERRORS: tuple[type[Exception], ...] = (
    StrictDataclassError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
)


def read_config(config: str | dict[str, Any] | Path | PreTrainedConfig, *, outside: bool = False) -> PreTrainedConfig:
    """Return the config of a model.

    Args:
        config: name of a preset; the object of a ``config.json`` with its ``model_type``; a ``Path`` of such a file or of the
            folder that holds it; or a config of transformers, of which a copy is returned.
        outside: whether a string may also be a path, or the id of a model on the hub (``"facebook/opt-6.7b"``). Leave it
            False for strings of strangers: they read no file and reach no hub.

    Raises:
        SpecError: an unknown name or ``model_type``, a missing file, a hub that does not answer, a quantised model, code to
            be fetched, absurd sizes, or what transformers' own validation says; all that hold.
    """
    if isinstance(config, PreTrainedConfig):
        return copy.deepcopy(config)
    if isinstance(config, str):
        config = _named(config, outside=outside)
    if isinstance(config, Path):
        config = _from_file(config)
    if not isinstance(config, dict):
        rule = "must be the name of a preset, or the object of a config.json"
        raise SpecError([Problem("config", rule, type(config).__name__, f"presets: {', '.join(PRESETS)}")])
    return _from_values(config)


def _named(name: str, *, outside: bool) -> dict[str, Any] | Path:
    if name in PRESETS:
        return PRESETS[name].config
    if not outside:
        rule = "must be the name of a preset, or the object of a config.json"
        near = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise SpecError([Problem("config", rule, name[:200], f"{hint}presets: {', '.join(PRESETS)}")])
    path = Path(name)
    return path if path.exists() else _from_hub(name)


def _from_hub(name: str) -> Path:
    try:
        try:
            return Path(str(cached_file(name, "config.json", local_files_only=True)))
        except OSError:
            if not hub_constants.HF_HUB_OFFLINE:
                _reach(hf_hub_url(name, "config.json"))
            return Path(str(cached_file(name, "config.json")))
    except (OSError, ValueError) as error:
        rule = "must be the name of a preset, an existing path, or the id of a model on a hub that answers"
        tried = " ".join(str(error).split())[:300]
        hint = f"tried the hub: {tried}. Offline, give the path of a config.json, or one of: {', '.join(PRESETS)}"
        raise SpecError([Problem("config", rule, name[:200], hint)]) from error


def _reach(address: str) -> None:
    """Ask once, without the retries of half a minute that follow: a hub that is not there is said at once.

    Raises:
        OSError: nobody answers; any answer will do, one that refuses included.
    """
    try:
        with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=HUB_TIMEOUT_S):
            return
    except urllib.error.HTTPError:
        return


def _from_file(path: Path) -> dict[str, Any]:
    file = path / "config.json" if path.is_dir() else path
    try:
        if file.stat().st_size > LARGEST_FILE_BYTES:
            rule = f"must be a config.json of at most {LARGEST_FILE_BYTES:,} bytes"
            raise SpecError([Problem("config", rule, f"{file.name} of {file.stat().st_size:,} bytes")])
        values = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        rule = "must be a config.json that can be read, or the folder that holds it"
        raise SpecError([Problem("config", rule, str(path), error.strerror or "")]) from error
    except (ValueError, RecursionError) as error:
        raise SpecError([Problem("config", "must be a file of JSON", str(path), str(error))]) from error
    if not isinstance(values, dict):
        raise SpecError([Problem("config", "must hold a JSON object", str(path), f"found a {type(values).__name__}")])
    return values


def _from_values(given: dict[str, Any]) -> PreTrainedConfig:
    model_type = given.get("model_type")
    problems = config_problems(given)
    if not isinstance(model_type, str) or model_type not in CONFIG_MAPPING:
        problems.insert(0, _unknown(model_type))
        raise SpecError(problems)
    config_class = CONFIG_MAPPING[model_type]
    problems += [
        Problem(f"config.{name}", "is the name of a method or of transformers' own bookkeeping, not of a value", name)
        for name in given
        if str(name).startswith("__") or callable(getattr(config_class, str(name), None))
    ]
    if problems:
        raise SpecError(problems)
    values = without_choices(given)
    del values["model_type"]
    try:
        config: PreTrainedConfig = config_class(**values)
    except BUILD_ERRORS as error:
        raise SpecError([_said(error)]) from error
    return config


def _unknown(model_type: Any) -> Problem:
    known = ", ".join(sorted(FEED_FORWARD))
    rule = "must be an architecture that transformers knows"
    near = difflib.get_close_matches(model_type, list(CONFIG_MAPPING), n=3) if isinstance(model_type, str) else []
    hint = f"near to it: {', '.join(near)}; " if near else ""
    received = model_type[:200] if isinstance(model_type, str) else model_type
    return Problem(
        "config.model_type", rule, received, f"{hint}those whose feed-forward layers are known here: {known}"
    )


def _said(error: Exception) -> Problem:
    """What transformers says about a value, under the name of the field where it says one."""
    text = " ".join(str(error).split())[:500]
    match = re.match(r"Validation error for field '(\w+)': (\w+: )?(.*)", text)
    if match is not None:
        return Problem(f"config.{match[1]}", "must be what transformers accepts", match[3])
    text = re.sub(r"^Class validation error for validator '\w+': (\w+: )?", "", text)
    return Problem("config", "must be accepted by transformers", text or type(error).__name__)
