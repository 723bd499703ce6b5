"""Saving and loading models with DYAD layers by transformers' own ``save_pretrained`` and ``from_pretrained``.

The structure of each layer travels in ``config.json`` under ``quantization_config``, with ``quant_method: "dyad"``: transformers'
registry of quantizers is the one place where a library may change the modules of a model before its weights are loaded. The
``model_type`` stays, so every tool still knows the architecture. :mod:`~dyad_core.models.persistence.registration` enters our
name into that registry; :mod:`~dyad_core.models.persistence.marker` makes loading fail where nobody did.
"""
