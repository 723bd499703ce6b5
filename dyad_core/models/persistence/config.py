"""``DyadConfig``: the settings of DYAD layers in the form in which transformers carries them."""

from __future__ import annotations

from typing import Any

from transformers.utils.quantization_config import QuantizationConfigMixin

from dyad_core.models.persistence.settings import LayerSettings

__all__ = ["QUANT_METHOD", "DyadConfig"]

QUANT_METHOD = "dyad"


class DyadConfig(QuantizationConfigMixin):
    """``quantization_config`` of a model with DYAD layers. Nothing is quantised; see the docstring of the package.

    Args:
        settings: the structure of each layer.
    """

    def __init__(self, settings: LayerSettings) -> None:
        """Keep the settings."""
        self.quant_method: Any = QUANT_METHOD
        self.settings = settings

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], return_unused_kwargs: bool = False, **kwargs: Any) -> Any:
        """Read what ``to_dict`` wrote.

        Raises:
            SpecError: a newer format, or values that no layer can have.
        """
        config = cls(LayerSettings.from_dict({k: v for k, v in config_dict.items() if k != "quant_method"}))
        return (config, kwargs) if return_unused_kwargs else config

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values, for ``config.json``."""
        return {"quant_method": QUANT_METHOD, **self.settings.to_dict()}

    def get(self, name: str, default: Any = None) -> Any:
        """A value as of the dictionary: transformers asks a config so, whichever of the two it has."""
        return self.to_dict().get(name, default)

    def __eq__(self, other: object) -> bool:
        """Whether both say the same layers and structures."""
        return isinstance(other, DyadConfig) and self.settings == other.settings

    def __hash__(self) -> int:
        """By the settings."""
        return hash(self.settings)
