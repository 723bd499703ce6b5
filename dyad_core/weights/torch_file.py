"""A state dict written by ``torch.save``: vetted first, then read by torch's own restricted reader, mapped.

Such a file is a zip archive with a pickle of the names and shapes. Three gates keep it from doing anything:
the archive's directory is checked (:mod:`.zip_directory`); the pickle's instructions are read, not run, and may
name only what a dictionary of tensors needs; then ``torch.load(weights_only=True)`` reads it, which has an allow-list too.
"""

from __future__ import annotations

import io
import pickletools
import warnings
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from dyad_core.weights.entries import MAX_TENSORS, Contents, TensorEntry
from dyad_core.weights.source import Source, readable_bytes, refuse
from dyad_core.weights.zip_directory import zip_records

__all__ = ["torch_contents"]

MAX_PICKLE_BYTES = 4 * 2**20
"""Longest pickle of names and shapes; about 20 000 tensors."""

MAX_INSTRUCTIONS = 1_000_000
"""Most instructions of that pickle; a tensor takes about 35. One byte can make an object of a hundred in memory."""

MAX_DEPTH = 16
"""Deepest nesting of dictionaries that is looked into."""

STORAGES = ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool", "Untyped")

ALLOWED = frozenset(
    [
        "collections OrderedDict",
        "torch Size",
        "torch device",
        "torch.nn.parameter Parameter",
        *(f"torch._utils _rebuild_{name}" for name in ("tensor", "tensor_v2", "tensor_v3", "parameter")),
        *(f"torch {name}Storage" for name in STORAGES),
        "torch.storage UntypedStorage",
        *(f"torch {name}" for name in dir(torch) if isinstance(getattr(torch, name), torch.dtype)),
    ]
)
"""What the pickle of a dictionary of plain tensors names; nothing here runs code or allocates by itself."""

STRANGE = frozenset(["STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4", "EMPTY_SET", "FROZENSET"])
"""Instructions that name an object in a way ``torch.save`` does not use, or make one that no state dict holds."""

SAVE_AGAIN = "save the tensors alone: torch.save(model.state_dict(), path), or as .safetensors"


def torch_contents(source: Source) -> Contents:
    """Read the names and shapes of a state dict; values stay in the file until asked for.

    Raises:
        SpecError: for an archive that is none of torch's, a pickle that names anything but tensors, or a lying size.
    """
    records = zip_records(source)
    _check_records(source, records)
    try:
        loaded = torch.load(
            io.BytesIO(source.read(0, source.size)) if source.path is None else str(source.path),
            map_location="cpu",
            weights_only=True,
            mmap=source.path is not None,
        )
    except Exception as error:  # noqa: BLE001 - hostile bytes can raise anything; whatever it is becomes a sentence
        reason = str(error).partition("\n")[0][:200]
        refuse(
            "file",
            f"must be a state dict that torch can read: {type(error).__name__}, {reason}",
            source.label,
            SAVE_AGAIN,
        )
    sizes = {size for _, size in records.values()}
    tensors: dict[str, Tensor] = {}
    for name, tensor in _flatten(loaded, "", 0, set()):
        if len(tensors) == MAX_TENSORS:
            refuse("file", f"must hold at most {MAX_TENSORS:,} tensors", "more")
        if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
            continue
        if tensor.untyped_storage().nbytes() not in sizes:
            rule = f"tensor {name[:80]!r} must be as large as its record in the archive"
            refuse("file", rule, readable_bytes(tensor.untyped_storage().nbytes()), SAVE_AGAIN)
        tensors[name] = tensor.detach()
    entries = tuple(
        TensorEntry(
            name, str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape), tensor.numel() * tensor.itemsize
        )
        for name, tensor in tensors.items()
    )
    return Contents("torch", entries, lambda entry: tensors[entry.name])


def _check_records(source: Source, records: dict[str, tuple[int, int]]) -> None:
    """The archive is torch's, not too large where it is read whole, and its pickle names tensors alone."""
    if any(name.endswith(".npy") for name in records):
        refuse("file", "is an .npz archive of several arrays", source.label, "save the one array with numpy.save")
    pickles = [name for name in records if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        refuse("file", "is a zip archive, but none that torch.save wrote", source.label, SAVE_AGAIN)
    prefix = pickles[0].removesuffix("data.pkl")
    if any(name.startswith((f"{prefix}code/", f"{prefix}constants.pkl")) for name in records):
        refuse("file", "is a TorchScript program, no state dict; it is not opened", source.label, SAVE_AGAIN)
    order = records.get(f"{prefix}byteorder")
    if order and source.read(*order)[:16] != b"little":
        refuse("file", "must be little-endian", "big-endian", "save it again on the usual kind of machine")
    start, size = records[pickles[0]]
    if size > MAX_PICKLE_BYTES:
        rule = f"its list of names and shapes must have at most {readable_bytes(MAX_PICKLE_BYTES)}"
        refuse("file", rule, readable_bytes(size), "save the tensor that is wanted in a file of its own")
    _check_pickle(source.read(start, size))


def _check_pickle(data: bytes) -> None:
    """Read the instructions, run none."""
    foreign: str | None = None
    instructions = pickletools.genops(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # odd escapes in texts that torch.save never writes
            foreign = next(filter(None, map(_foreign_name, islice(instructions, MAX_INSTRUCTIONS))), None)
            too_many = foreign is None and next(instructions, None) is not None
    except (ValueError, IndexError, OverflowError) as error:
        refuse("file", f"its pickle is damaged: {str(error)[:120]}", "data.pkl", SAVE_AGAIN)
    if too_many:
        rule = f"its list of names and shapes must have at most {MAX_INSTRUCTIONS:,} instructions"
        refuse("file", rule, "more", "save the tensor that is wanted in a file of its own")
    if foreign is not None:
        rule = "must be a dictionary of plain tensors; its pickle asks for something else, so it is not opened"
        refuse("file", rule, foreign[:80], SAVE_AGAIN)


def _foreign_name(instruction: tuple[pickletools.OpcodeInfo, Any, int | None]) -> str | None:
    """What an instruction asks for, if it is not allowed."""
    code, argument, _ = instruction
    if code.name in STRANGE:
        return code.name
    return str(argument).replace(" ", ".") if code.name == "GLOBAL" and argument not in ALLOWED else None


def _flatten(value: Any, name: str, depth: int, seen: set[int]) -> Iterator[tuple[str, Tensor]]:
    """Tensors by dotted name; a dictionary that contains itself or comes twice is visited once."""
    if isinstance(value, Tensor):
        yield name or "tensor", value
    elif isinstance(value, Mapping) and depth < MAX_DEPTH and id(value) not in seen:
        seen.add(id(value))
        for key, item in value.items():
            yield from _flatten(item, f"{name}.{key}" if name else str(key), depth + 1, seen)
