"""A projection: from controls to a request and back, its candidates as rows, and words about files and tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from frontend.logic import words
from frontend.logic.request import to_number
from frontend.schemas_weights import ProjectedJson, ProjectionResult, SpectrumJson, TensorJson, UploadJson

__all__ = [
    "DEFAULTS",
    "candidate_label",
    "candidate_records",
    "controls_of",
    "fitting",
    "projectable",
    "request_of",
    "sentences",
    "source_line",
    "spectrum_records",
    "tensor_words",
    "upload_words",
]

DEFAULTS: dict[str, Any] = {
    "transpose": False,
    "variants": ["it", "ot", "dt", "bd"],
    "n_blocks": ["4", "8", "16"],
    "grains": ["1"],
    "low_rank": True,
    "examine": True,
    "examine_variant": "it",
    "examine_n_blocks": 4,
    "examine_grain": 1,
    "residual_spectrum": False,
    "second": None,
    "second_transpose": False,
    "first_variant": "it",
    "second_variant": "it",
    "reorder_n_blocks": 4,
}
"""Every control with the value it starts with. Numbers in lists are texts, as they were typed."""


def request_of(upload: str, tensor: str | None, controls: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request that the controls make; what is not a number is passed on as it was typed."""
    request: dict[str, Any] = {
        "upload": upload,
        "tensor": tensor,
        "transpose": controls["transpose"],
        "variants": list(controls["variants"]),
        "n_blocks": [to_number(text) for text in controls["n_blocks"]],
        "grains": [to_number(text) for text in controls["grains"]],
        "low_rank": controls["low_rank"],
        "examine": None,
        "reorder": None,
    }
    if controls["examine"]:
        request["examine"] = {
            "variant": controls["examine_variant"],
            "n_blocks": controls["examine_n_blocks"],
            "grain": controls["examine_grain"],
            "residual_spectrum": controls["residual_spectrum"],
        }
    if controls["second"] is not None:
        request["reorder"] = {
            "tensor": controls["second"],
            "transpose": controls["second_transpose"],
            "variant": controls["first_variant"],
            "second_variant": controls["second_variant"],
            "n_blocks": controls["reorder_n_blocks"],
        }
    return request


def controls_of(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the controls that make the request ``spec``."""
    found = dict(DEFAULTS)
    for name in ("transpose", "variants", "low_rank"):
        found[name] = spec.get(name, DEFAULTS[name])
    for name in ("n_blocks", "grains"):
        found[name] = [str(number) for number in spec.get(name) or DEFAULTS[name]]
    examine = spec.get("examine")
    found["examine"] = examine is not None
    if examine is not None:
        found |= {f"examine_{name}": examine[name] for name in ("variant", "n_blocks", "grain")}
        found["residual_spectrum"] = examine.get("residual_spectrum", False)
    reorder = spec.get("reorder")
    if reorder is not None:
        found |= {
            "second": reorder["tensor"],
            "second_transpose": reorder.get("transpose", False),
            "first_variant": reorder["variant"],
            "second_variant": reorder.get("second_variant") or reorder["variant"],
            "reorder_n_blocks": reorder["n_blocks"],
        }
    return found


def projectable(upload: UploadJson) -> list[TensorJson]:
    """Return the tensors that can be projected, in the file's order."""
    return [tensor for tensor in upload.get("tensors") or [] if tensor["projectable"]]


def fitting(upload: UploadJson, in_features: int, out_features: int) -> list[TensorJson]:
    """Return the matrices with these sizes, either way round."""
    sizes = ([out_features, in_features], [in_features, out_features])
    return [tensor for tensor in projectable(upload) if tensor["shape"] in sizes]


def tensor_words(tensor: TensorJson) -> str:
    """Write a tensor: ``fc1.weight · 3072 × 768 · float32``."""
    shape = " × ".join(str(size) for size in tensor["shape"]) or "one number"
    return f"{tensor['name']} · {shape} · {tensor['dtype']}"


def upload_words(upload: UploadJson) -> str:
    """Write a kept file: name, size, matrices, day."""
    matrices = "1 matrix" if upload["projectable_count"] == 1 else f"{upload['projectable_count']} matrices"
    return f"{upload['name']} · {words.data_size(upload['bytes'])} · {matrices} · {words.moment(upload['created_at'])}"


def source_line(result: ProjectionResult) -> str:
    """Say what was projected."""
    source = result["source"]
    turned = ", transposed" if source.get("transposed") else ""
    return (
        f"{source.get('file', '')}, {source['name']} ({source['in_features']} → {source['out_features']}{turned}, "
        f"{source['dtype']} in the file)"
    )


def sentences(reading: str) -> list[str]:
    """Return the sentences of a reading, one for each n."""
    return re.split(r"(?<=\.) (?=At n)", reading)


def candidate_label(candidate: ProjectedJson) -> str:
    """Write a structure: ``IT n=4``, with its grain where that is not 1."""
    text = f"{candidate['variant'].upper()} n={candidate['n_blocks']}"
    return text if candidate["grain"] == 1 else f"{text} g={candidate['grain']}"


def candidate_records(candidates: Sequence[ProjectedJson]) -> list[dict[str, Any]]:
    """Return one record per structure, beside what others of at most as many parameters keep; shares in percent."""
    return [
        {
            "structure": candidate_label(one),
            "parameters": one["parameters"],
            "keeps (%)": 100 * one["captured_energy"],
            "by chance (%)": 100 * one["unstructured_energy"],
            "relative error": one["relative_error"],
            "low rank keeps (%)": None if (low := one["low_rank"]) is None else 100 * low["captured_energy"],
            "its rank": None if low is None else low["rank"],
            "its parameters": None if low is None else low["parameters"],
            "block-diagonal keeps (%)": 100 * one["block_diagonal"]["captured_energy"],
            "its blocks": one["block_diagonal"]["n_blocks"],
            "parameters of the blocks": one["block_diagonal"]["parameters"],
        }
        for one in candidates
    ]


def spectrum_records(spectra: Mapping[str, SpectrumJson | None]) -> list[dict[str, Any]]:
    """Return one record per singular value that the service lists."""
    return [
        {"of": name, "index": index, "singular_value": value, "energy_up_to_it": share}
        for name, spectrum in spectra.items()
        if spectrum is not None
        for index, value, share in zip(spectrum["index"], spectrum["values"], spectrum["captured_energy"], strict=True)
    ]
