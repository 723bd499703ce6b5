"""What the package needs to be imported, and what it says where something is missing."""

import subprocess
import sys

import pytest

from dyad_core import models


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_every_name_is_there_and_no_other() -> None:
    for name in models.__all__:
        assert getattr(models, name) is not None
        assert name in dir(models)
    with pytest.raises(AttributeError, match="no attribute 'something'"):
        _ = models.something


def test_without_transformers_questions_and_records_work_and_the_rest_says_what_to_install() -> None:
    done = run(
        "import sys; sys.modules['transformers'] = None\n"
        "import dyad_core.models, dyad_core.models.records\n"
        "from dyad_core.models import EstimateSpec, PRESETS, ModelSpec\n"
        "EstimateSpec('opt-125m'); ModelSpec('gpt2')\n"
        "from dyad_core.errors import ImplementationError\n"
        "try:\n"
        "    from dyad_core.models import build\n"
        "except ImplementationError as error:\n"
        "    print(error)\n"
    )

    assert done.stdout == (
        "whole models need transformers and what comes with it, and transformers is not installed: "
        "pip install 'dyad-explorer[models]'\n"
    ), done.stderr


def test_the_registry_of_transformers_learns_of_dyad_when_it_is_imported_and_not_before() -> None:
    # It takes seconds to import, which a service that answers about models need not pay at its start.
    done = run(
        "import sys, dyad_core.models, dyad_core.models.spec\n"
        "print('transformers' in sys.modules)\n"
        "import transformers.quantizers.auto as auto\n"
        "print(auto.AUTO_QUANTIZER_MAPPING['dyad'].__name__, auto.AUTO_QUANTIZATION_CONFIG_MAPPING['dyad'].__name__)\n"
        "import importlib; importlib.reload(dyad_core.models)\n"
        "print(type(auto.__spec__.loader).__module__, [f for f in sys.meta_path if 'dyad_core' in type(f).__module__])\n"
    )

    assert done.stdout.splitlines() == ["False", "DyadQuantizer DyadConfig", "_frozen_importlib_external []"], (
        done.stderr
    )
