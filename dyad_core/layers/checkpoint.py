"""What a checkpoint says about the structure of its weights, and how a layer of another structure refuses it.

``it``, ``ot`` and ``dt`` have weights of equal shapes, so a checkpoint of one would load into another without a sound.
The state dict therefore carries variant, n and grain in its metadata, beside torch's own version number: no
further key, nothing for safetensors to store. Where the metadata are lost (safetensors, a plain dictionary),
shapes and keys still tell another n, and ``bd``. ``dict(state_dict)`` drops the note for who wants to load all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from dyad_core.geometry import DyadGeometry

__all__ = ["METADATA_KEY", "mismatch", "note"]

METADATA_KEY = "dyad_structure"


def note(destination: Mapping[str, Any], prefix: str, geometry: DyadGeometry) -> None:
    """Write the structure into the metadata of a state dict that is being made."""
    metadata = getattr(destination, "_metadata", None)
    if metadata is not None:
        metadata.setdefault(prefix[:-1], {})[METADATA_KEY] = _structure(geometry)


def mismatch(
    state_dict: Mapping[str, Tensor], prefix: str, metadata: Mapping[str, Any], geometry: DyadGeometry
) -> str | None:
    """Say how the checkpoint's structure differs from ``geometry``, both by value, or return None.

    Args:
        state_dict: of the whole model.
        prefix: of the layer's keys, with its dot.
        metadata: of the layer, as ``load_state_dict`` hands them on.
        geometry: of the layer that loads.
    """
    held = dict(metadata.get(METADATA_KEY) or _guessed(state_dict, prefix))
    own = _structure(geometry)
    if all(own[name] == value for name, value in held.items()):
        return None
    layer = prefix[:-1] or "this layer"
    return f"{layer}: the checkpoint has {_words(held)}; the layer has {_words(own)}. Build the layer as the checkpoint was"


def _structure(geometry: DyadGeometry) -> dict[str, Any]:
    return {"n_blocks": geometry.n_blocks, "variant": geometry.variant, "grain": geometry.grain}


def _guessed(state_dict: Mapping[str, Tensor], prefix: str) -> dict[str, Any]:
    """What keys and shapes tell: n, and ``bd``, which has no second component."""
    blockdiag = state_dict.get(f"{prefix}weight_blockdiag")
    if blockdiag is None or blockdiag.dim() != 3:
        return {}
    guessed: dict[str, Any] = {"n_blocks": blockdiag.shape[0]}
    if f"{prefix}weight_blocktrans" not in state_dict:
        guessed["variant"] = "bd"
    return guessed


def _words(structure: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in structure.items())
