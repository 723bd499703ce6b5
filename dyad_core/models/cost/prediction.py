"""The time of a step foretold from measured times of its parts, with Amdahl's law written out.

A :class:`~dyad_core.models.records.PartTime` is the time of one piece of work by itself. The parts of a pass, by name:

| part | variant | count | what is timed, once |
| --- | --- | --- | --- |
| ``feed_forward`` | ``"dense"`` or a variant | blocks | one block's replaced layers with the activation between them |
| ``rest_of_block`` | None | blocks | everything else in a block: attention, norms, layers that stay |
| ``embedding`` | None | 1 | from token numbers to the input of the first block |
| ``head_and_loss`` | None | 1 | last norm, head and (training) the loss |
| ``optimizer`` | ``"dense"`` or a variant | 1 | the optimizer's step on the parameters of all replaced layers together |
| ``optimizer_rest`` | None | 1 | its step on all other parameters |

In a ``train_step`` each time is of forward and backward together, and only there the optimizer has parts; ``prefill`` and
``decode`` are without gradients. A model whose blocks differ has a part for each kind of block (``feed_forward.wide``): what
stands before the dot says what it is. Further names may be added; the arithmetic asks only this of them:

* a part with ``variant=None`` is in the dense step and in every candidate's;
* a part with ``variant="dense"`` (``n_blocks`` and ``mode`` None) is replaced, and each candidate has a part of the same name and
  pass with its own variant, n_blocks and mode.

With those, dense = Σ count × median of ``None`` and ``"dense"`` parts, and predicted = Σ count × median of ``None`` parts and the
candidate's. f is the share of the ``"dense"`` parts in the dense sum and s their time over the candidate's, so that
predicted = dense · ((1 - f) + f / s) is the same sum (Amdahl 1967). Parts are timed apart, so what the whole does beside them
(the interpreter between modules, caches that one part empties for the next) is left out: the measured step says how much.
"""

from __future__ import annotations

from collections.abc import Sequence

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import Variant
from dyad_core.models.records import PartTime, Prediction
from dyad_core.models.spec import MODEL_PASSES, Mode, ModelPass

__all__ = ["DENSE", "predict", "predictions"]

DENSE = "dense"

PASS_WORDS: dict[str, str] = {
    "train_step": "training step",
    "prefill": "prefill",
    "decode": "step of decode",
}
PART_WORDS: dict[str, str] = {"feed_forward": "feed-forward", "optimizer": "their optimizer step"}


def predict(parts: Sequence[PartTime], pass_: ModelPass, variant: Variant, n_blocks: int, mode: Mode) -> Prediction:
    """Foretell one pass of one candidate from the times of its parts.

    Args:
        parts: of any passes and candidates; those that do not belong here are left aside.
        pass_: the pass.
        variant: of the candidate.
        n_blocks: of the candidate.
        mode: of the candidate.

    Raises:
        SpecError: a replaced part has no time for this candidate, nothing is replaced, or a time is not above 0.
    """
    here = [part for part in parts if part.pass_ == pass_]
    stays = [part for part in here if part.variant is None]
    dense = [part for part in here if part.variant == DENSE]
    mine = [part for part in here if (part.variant, part.n_blocks, part.mode) == (variant, n_blocks, mode)]
    _check(here, dense, mine, f"{variant} n={n_blocks} ({mode})")
    kept_ms, dense_ms, own_ms = (sum(_total(part) for part in each) for each in (stays, dense, mine))
    before, after = kept_ms + dense_ms, kept_ms + own_ms
    share, gain = dense_ms / before, dense_ms / own_ms
    ceiling = before / kept_ms if kept_ms else float(before / own_ms)
    return Prediction(
        pass_=pass_,
        dense_ms=before,
        predicted_ms=after,
        replaced_share=share,
        replaced_speedup=gain,
        speedup=before / after,
        ceiling=ceiling,
        words=_words(
            pass_, dense, before, after, share, gain, f"{variant.upper()}, n = {n_blocks}", bounded=kept_ms > 0
        ),
    )


def predictions(
    parts: Sequence[PartTime] | None, variant: Variant, n_blocks: int, mode: Mode
) -> tuple[Prediction, ...]:
    """Foretell every pass that has the times for this candidate; empty where none has."""
    found = []
    for pass_ in MODEL_PASSES:
        own = (variant, n_blocks, mode)
        if any(part.pass_ == pass_ and (part.variant, part.n_blocks, part.mode) == own for part in parts or ()):
            found.append(predict(parts or (), pass_, variant, n_blocks, mode))
    return tuple(found)


def _check(here: list[PartTime], dense: list[PartTime], mine: list[PartTime], candidate: str) -> None:
    problems = []
    replaced, own = ([part.part for part in each] for each in (dense, mine))
    if not replaced:
        problems.append(
            Problem("parts", "must hold the dense time of what is replaced", sorted({p.part for p in here}))
        )
    if missing := sorted(set(replaced) - set(own)):
        problems.append(
            Problem("parts", f"must hold the time of {', '.join(missing)} with {candidate}", sorted(set(own)))
        )
    if extra := sorted(set(own) - set(replaced)):
        problems.append(Problem("parts", f"must hold the dense time of {', '.join(extra)} too", sorted(set(replaced))))
    if twice := sorted({name for names in (replaced, own) for name in names if names.count(name) > 1}):
        problems.append(Problem("parts", "must name each part once for a pass and a candidate", twice))
    problems += [
        Problem(f"parts.{part.part}", "must have a time above 0 and happen at least once", (part.count, part.median_ms))
        for part in here
        if not (part.median_ms > 0 and part.count > 0)
    ]
    if problems:
        raise SpecError(problems)


def _total(part: PartTime) -> float:
    return part.count * part.median_ms


def _words(
    pass_: str,
    dense: list[PartTime],
    before: float,
    after: float,
    share: float,
    gain: float,
    candidate: str,
    *,
    bounded: bool,
) -> str:
    """The law with its numbers in it, as one sentence."""
    pieces = [f"{part.count} × {part.median_ms:.3g} ms {_part_words(part.part)}" for part in dense]
    replaced = " and ".join([", ".join(pieces[:-1]), pieces[-1]] if len(pieces) > 1 else pieces)
    formula = f"1 / ({1 - share:.3f} + {share:.3f} / {gain:.2f}) = {before / after:.2f}x"
    limit = f"; layers that cost nothing would give 1 / {1 - share:.3f} = {1 / (1 - share):.2f}x" if bounded else ""
    return (
        f"What is replaced ({replaced}) takes f = {share:.1%} of the dense {PASS_WORDS[pass_]} of {before:.4g} ms and is "
        f"s = {gain:.2f}x as fast with {candidate}, so the whole is {formula} as fast, {after:.4g} ms{limit}"
    )


def _part_words(part: str) -> str:
    name, _, which = part.partition(".")
    words = PART_WORDS.get(name, name.replace("_", " "))
    return f"{words} ({which})" if which else words
