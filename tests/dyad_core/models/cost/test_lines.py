"""The Python lines to copy run as printed, in an empty folder, with no hub to be reached."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dyad_core.models.cost.lines import python_lines
from dyad_core.models.spec import EstimateSpec

SIZES = {"vocab_size": 80, "num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32, "pad_token_id": 1}
OPT = {"model_type": "opt", **SIZES, "ffn_dim": 64, "word_embed_proj_dim": 32}
GPT2 = {"model_type": "gpt2", "vocab_size": 80, "n_layer": 2, "n_head": 4, "n_embd": 32, "bos_token_id": 2}
BERT = {"model_type": "bert", **SIZES, "intermediate_size": 64}
LLAMA = {"model_type": "llama", **SIZES, "intermediate_size": 64, "rope_theta": 1e6, "tie_word_embeddings": True}

AFTERWARDS = """
import torch
from dyad_core.layers import DyadLinear
found = [module for module in model.modules() if isinstance(module, DyadLinear)]
assert found and all(module.n_blocks == {n} and module.variant == "{variant}" for module in found), found
print("layers", len(found))
"""


def run_lines(folder: Path, text: str) -> str:
    script = folder / "swap.py"
    script.write_text(text, encoding="utf-8")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hub")}
    ended = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", script.name],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize(
    ("values", "variant", "n", "mode", "layers"),
    [
        ({"config": OPT, "checkpointing": True, "dtype": "bfloat16"}, "it", 4, "layers", 4),
        ({"config": OPT, "optimizer": "none", "grain": 2}, "dt", 2, "feed_forward", 4),
        ({"config": GPT2, "optimizer": "sgd"}, "ot", 8, "layers", 4),
        ({"config": BERT}, "bd", 4, "layers", 4),
        ({"config": LLAMA, "names": ["model.layers.*.self_attn.?_proj", "*.mlp.up_proj"]}, "it", 4, "layers", 10),
    ],
    ids=["opt", "opt as one module", "gpt2", "bert", "llama by names"],
)
def test_lines_run_as_printed(
    tmp_path: Path, values: dict[str, Any], variant: Any, n: int, mode: Any, layers: int
) -> None:
    text = python_lines(EstimateSpec(**values), variant, n, mode)
    output = run_lines(tmp_path, text + AFTERWARDS.format(n=n, variant=variant))
    assert "replaced" in output
    assert f"layers {layers}" in output
    assert {path.name for path in tmp_path.iterdir()} <= {"swap.py", "model-dyad", "hub"}


def test_lines_of_a_preset_name_it_and_are_python() -> None:
    text = python_lines(EstimateSpec(config="opt-125m", sequence=4), "it", 4, "layers")
    compile(text, "lines", "exec")
    assert 'build("opt-125m", device="cpu", dtype="float32")' in text
    assert 'swap(model, n_blocks=4, variant="it")' in text
    assert "opt-125m-dyad" in text
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("text", ['"', "'", "\\", "\n", "*'); import os; ('", "ünïcödé 😀", "{x}", "\x7f"])
def test_texts_of_strangers_stay_texts(text: str) -> None:
    spec = EstimateSpec(config={**OPT, "_name_or_path": text}, names=(f"*{text}*",))
    lines = python_lines(spec, "it", 4, "layers")
    names: dict[str, Any] = {}
    taken = [line for line in lines.split("model = build(")[0].splitlines() if not line.startswith(("from", "import"))]
    exec("\n".join(taken), names)
    assert names["config"]["_name_or_path"] == text
    call = next(line for line in lines.splitlines() if line.startswith("model, report"))
    seen: dict[str, Any] = {}
    exec(call, {"model": None, "swap": lambda _model, **given: (seen.update(given), None)})
    assert seen["names"] == [f"*{text}*"]
