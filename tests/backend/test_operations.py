"""docs/operations.md says what is so: its table of settings is the one that the program has."""

import subprocess
import sys

from service_tools import ROOT


def test_the_table_of_settings_is_the_one_of_this_version() -> None:
    script = ROOT / "scripts" / "settings_table.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
