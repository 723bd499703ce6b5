"""The one place that imports models and configs of transformers, for the parts of this package that need them.

Whoever imports this module where transformers is not installed gets a sentence with the command that installs it. The quantizer
of :mod:`dyad_core.models.persistence` is imported in the middle of transformers' own import, so it asks for less.
"""

from __future__ import annotations

from dyad_core.errors import ImplementationError

try:
    from huggingface_hub import constants as hub_constants
    from huggingface_hub import hf_hub_url
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, PreTrainedConfig, PreTrainedModel
    from transformers.initialization import no_init_weights
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )
    from transformers.utils.hub import cached_file
except ModuleNotFoundError as error:
    raise ImplementationError(
        f"whole models need transformers and what comes with it, and {error.name} is not installed: "
        "pip install 'dyad-explorer[models]'"
    ) from error

__all__ = [
    "CONFIG_MAPPING",
    "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
    "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
    "AutoModelForCausalLM",
    "AutoModelForMaskedLM",
    "PreTrainedConfig",
    "PreTrainedModel",
    "StrictDataclassError",
    "cached_file",
    "hf_hub_url",
    "hub_constants",
    "no_init_weights",
]
