"""``DyadQuantizer``: what ``from_pretrained`` calls to put DYAD layers into the empty model before it loads the weights.

Importing this module enters it into transformers' registry, in the middle of the import of transformers if need be: so it asks
transformers for what stands before the models. Nothing is quantised: afterwards the model is an ordinary one, which trains, changes its
dtype and compiles like any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers.quantizers.auto import (
    AUTO_QUANTIZATION_CONFIG_MAPPING,
    register_quantization_config,
    register_quantizer,
)
from transformers.quantizers.base import HfQuantizer

from dyad_core.errors import Problem, SpecError
from dyad_core.layers import DyadLinear
from dyad_core.models.persistence.attaching import restore_layers
from dyad_core.models.persistence.config import QUANT_METHOD, DyadConfig

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["DyadQuantizer"]


class DyadQuantizer(HfQuantizer):
    """Puts the layers of a :class:`DyadConfig` into a model whose weights are about to be loaded."""

    quantization_config: DyadConfig

    def validate_environment(self, *_args: Any, **_kwargs: Any) -> None:
        """Refuse to be used as a way of converting a dense checkpoint, which would be lossy without a word.

        Raises:
            SpecError: the checkpoint is dense.
        """
        if not self.pre_quantized:
            rule = "is for models that were saved with DYAD layers, and this checkpoint is dense"
            hint = "load it without quantization_config, then dyad_core.models.swap(model, weights='projected')"
            raise SpecError([Problem("quantization_config", rule, QUANT_METHOD, hint)])

    def _process_model_before_weight_loading(self, model: PreTrainedModel, **_kwargs: Any) -> PreTrainedModel:
        restore_layers(model, self.quantization_config.settings)
        # transformers writes this one into the model's config in the end; names in it fit this model now.
        self.quantization_config = model.config.quantization_config
        return model

    def _process_model_after_weight_loading(self, model: PreTrainedModel, **_kwargs: Any) -> PreTrainedModel:
        _require_loaded(model)
        # transformers forbids much of what a quantised model cannot do, changing the dtype for one; this one can.
        for name in ("hf_quantizer", "quantization_method", "is_quantized"):
            model.__dict__.pop(name, None)
        for module in model.modules():
            if hasattr(module, "config") and hasattr(module.config, "_is_quantized"):
                module.config._is_quantized = False
        return model

    def is_serializable(self) -> bool:
        """``save_pretrained`` writes all there is."""
        return True

    @property
    def is_trainable(self) -> bool:
        """All of it trains."""
        return True

    @property
    def is_qat_trainable(self) -> bool:
        """All of it trains, adapters or not."""
        return True

    @property
    def is_compileable(self) -> bool:
        """``torch.compile`` takes it."""
        return True


def _require_loaded(model: PreTrainedModel) -> None:
    """Refuse a checkpoint without some weight of a DYAD layer: transformers would leave it as the memory was.

    Raises:
        SpecError: with the names of all that are missing.
    """
    problems = [
        Problem(
            f"{name}.{parameter}", "must be in the checkpoint, which has DYAD settings for this layer", "no such tensor"
        )
        for name, module in model.named_modules()
        if isinstance(module, DyadLinear)
        for parameter, value in module.named_parameters(recurse=False)
        # What is offloaded is on meta here; transformers flags every other tensor that it loaded.
        if not value.is_meta and not getattr(value, "_is_hf_initialized", False)
    ]
    if problems:
        raise SpecError(problems)


if QUANT_METHOD not in AUTO_QUANTIZATION_CONFIG_MAPPING:
    register_quantization_config(QUANT_METHOD)(DyadConfig)
    register_quantizer(QUANT_METHOD)(DyadQuantizer)
