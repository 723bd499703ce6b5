"""``dyad model``: what a whole model costs with DYAD in it, its layers, the lines that swap them, and its measured step.

Run ``dyad model estimate opt-125m --blocks 4 8``, ``dyad model layers gpt2``, ``dyad model lines llama-small`` or
``dyad model presets``. The model is a preset, a ``config.json`` (``--config``), or the id of one on a hub that answers. Needs
typer, rich and the extra ``models``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from dyad_core.cli.arguments import MultiValueCommand
from dyad_core.cli.model_choice import chosen, model_sentence
from dyad_core.cli.model_cost_tables import candidate_table, kind_table, layer_table, preset_table, refusals
from dyad_core.cli.model_measure import measure
from dyad_core.cli.saying import FAILED, WRONG_INPUT, stop
from dyad_core.errors import ImplementationError, SpecError
from dyad_core.models.presets import PRESETS
from dyad_core.models.spec import EstimateSpec

__all__ = ["app", "estimate", "layers", "lines", "measure", "presets"]

app = typer.Typer(add_completion=False, no_args_is_help=True, help=(__doc__ or "").splitlines()[0])
app.command("measure", cls=MultiValueCommand)(measure)

Model = Annotated[str | None, typer.Argument(help="A preset (opt-125m, gpt2, …) or the id of a model on a hub.")]
Config = Annotated[Path | None, typer.Option(help="A config.json, or its folder, in place of a preset.")]
Blocks = Annotated[list[int], typer.Option("--blocks", help="Block counts n, one or more.")]
Variants = Annotated[list[str], typer.Option(help="it, ot, dt, bd: one or more.")]
Modes = Annotated[list[str], typer.Option(help="layers, feed_forward: one or both.")]
Names = Annotated[list[str], typer.Option(help="Patterns of the layers to replace; default: the feed-forward.")]
Grain = Annotated[int, typer.Option(help="Run length of the interleave; 1 is the paper.")]
Batch = Annotated[int, typer.Option(help="Sequences per step.")]
Sequence = Annotated[int, typer.Option(help="Tokens per sequence; in decoding those in the cache.")]
Dtype = Annotated[str, typer.Option(help="float32, float64, bfloat16 or float16.")]
Optimizer = Annotated[str, typer.Option(help="adamw, sgd or none.")]
Checkpointing = Annotated[bool, typer.Option(help="Gradient checkpointing of each block.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@app.command("estimate", cls=MultiValueCommand)
def estimate(
    model: Model = None,
    config: Config = None,
    blocks: Blocks = [4, 8],  # noqa: B006
    variants: Variants = ["it"],  # noqa: B006
    modes: Modes = ["layers"],  # noqa: B006
    names: Names = [],  # noqa: B006
    grain: Grain = 1,
    batch: Batch = 1,
    sequence: Sequence = 256,
    dtype: Dtype = "float32",
    optimizer: Optimizer = "adamw",
    checkpointing: Checkpointing = False,
    as_json: AsJson = False,
) -> None:
    """Parameters, FLOPs and memory of a model, dense and with DYAD. Nothing of its size is built."""
    with said():
        from dyad_core.models.cost.estimate import answer

        values = {"n_blocks": blocks, "variants": variants, "modes": modes, "names": names, "grain": grain}
        work = {"batch": batch, "sequence": sequence, "dtype": dtype, "optimizer": optimizer}
        found = answer(
            EstimateSpec.from_dict({"config": chosen(model, config), **values, **work, "checkpointing": checkpointing})
        )
    if as_json:
        print_json(found.to_dict())
        return
    console = Console()
    console.print(candidate_table(found))
    console.print(kind_table(found))
    console.print(found.reading, highlight=False, markup=False)
    for refusal in refusals(found):
        console.print(f"{refusal}.", highlight=False, markup=False, style="yellow")
    for note in found.warnings:
        console.print(f"Note: {note}.", highlight=False, markup=False, style="yellow")


@app.command("layers", cls=MultiValueCommand)
def layers(model: Model = None, config: Config = None, names: Names = [], as_json: AsJson = False) -> None:  # noqa: B006
    """The linear layers of a model: which would be replaced, and why the others not."""
    with said():
        from dyad_core.models.building import build
        from dyad_core.models.layers import linear_layers

        rows = linear_layers(build(chosen(model, config)), names)
    if as_json:
        print_json([asdict(row) for row in rows])
    else:
        Console().print(layer_table(rows))


@app.command("lines", cls=MultiValueCommand)
def lines(
    model: Model = None,
    config: Config = None,
    blocks: Annotated[int, typer.Option("--blocks", help="Block count n.")] = 4,
    variant: Annotated[str, typer.Option(help="it, ot, dt or bd.")] = "it",
    mode: Annotated[str, typer.Option(help="layers or feed_forward.")] = "layers",
    names: Names = [],  # noqa: B006
    grain: Grain = 1,
    dtype: Dtype = "float32",
    optimizer: Optimizer = "adamw",
    checkpointing: Checkpointing = False,
) -> None:
    """The Python lines that do the swap in your own code, save the model and load it again."""
    with said():
        from dyad_core.models.cost.estimate import answer

        structure = {"n_blocks": [blocks], "variants": [variant], "modes": [mode], "names": names, "grain": grain}
        work = {"sequence": 1, "dtype": dtype, "optimizer": optimizer, "checkpointing": checkpointing}
        (candidate,) = answer(EstimateSpec.from_dict({"config": chosen(model, config), **structure, **work})).candidates
    if candidate.cost is None:
        stop("\n".join(candidate.problems), WRONG_INPUT)
    typer.echo(candidate.lines, nl=False)


@app.command("presets")
def presets(as_json: AsJson = False) -> None:
    """The models that are known by name."""
    if as_json:
        print_json([{**asdict(preset), "model_type": preset.model_type} for preset in PRESETS.values()])
    else:
        Console().print(preset_table(PRESETS.values()))


@contextmanager
def said() -> Iterator[None]:
    """Leave with sentences where the ``with`` block refuses: 2 for wrong input, 1 for a package that is missing."""
    try:
        yield
    except SpecError as error:
        stop("\n".join(model_sentence(problem) for problem in error.problems), WRONG_INPUT)
    except ImplementationError as error:
        stop(str(error), FAILED)


def print_json(values: Any) -> None:
    """Print values as JSON."""
    typer.echo(json.dumps(values, ensure_ascii=False, indent=2))
