"""The long form of what each implementation that is slow to test is held against with few examples in ``make test``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = ("test_implementations.py", "test_transforms.py", "test_error_bound.py")
PATIENT = ("--timeout=6000", "--show-capture=no", "--tb=short")  # forty compilations take longer than any other test
pytestmark = [pytest.mark.soak, pytest.mark.timeout(7200)]


def run(*arguments: str, **environment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *PATIENT, *arguments],
        cwd=HERE.parents[2], env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert re.search(r"[1-9]\d* passed", done.stdout), done.stdout


def test_compiled_with_many_examples() -> None:
    run(*(str(HERE / name) for name in FILES), "-k", "compiled", FEW_EXAMPLES="40")


@pytest.mark.skipif(sys.platform != "linux", reason="triton is for Linux")
def test_the_kernels_in_the_interpreter_with_many_examples() -> None:
    pytest.importorskip("triton")
    run(str(HERE / "interpreted_triton.py"), FEW_EXAMPLES="200", TRITON_INTERPRET="1")
