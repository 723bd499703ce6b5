"""Fresh eyes add a kind of job: the example of CONTRIBUTING.md, put into a copy of the service as one file."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from service_tools import ROOT

SCRIPT = """
import sys
from pathlib import Path
from fastapi.testclient import TestClient
from service_tools import ended
from backend.app import create_app
from backend.settings import Settings

settings = Settings(home=Path(sys.argv[1]), reference_runs=False)
with TestClient(create_app(settings)) as client:
    wrong = client.post("/api/v1/jobs", json={"kind": "copying", "request": {"mebibytes": 0}})
    assert wrong.status_code == 422, wrong.text
    assert wrong.json()["errors"][0]["field"] == "request.mebibytes"
    queued = client.post("/api/v1/jobs", json={"kind": "copying", "request": {"mebibytes": 64}})
    assert queued.status_code == 202, queued.text
    done = ended(client, queued.json()["id"])
    assert done["status"] == "succeeded", done
    assert done["result"]["equal"] is True
    assert done["headline"].endswith(" GB/s")
    assert done["device"] == "cpu"
    listed = client.get("/api/v1/jobs", params={"kind": "copying"}).json()
    assert [item["id"] for item in listed["items"]] == [done["id"]]
"""


def example() -> str:
    """The code block of the section, as a reader would copy it."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split("## Adding a kind of job")[1].split("\n## ")[0]
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found.group(1)


def test_one_file_is_a_new_kind_of_job(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "backend", tmp_path / "backend", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "backend/jobs/kinds/copying.py").write_text(example(), encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), str(ROOT / "tests"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, str(tmp_path / "home")],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
