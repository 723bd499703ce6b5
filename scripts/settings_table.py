"""Write the table of settings in docs/operations.md anew, from the docstring and the defaults of ``backend.settings.Settings``.

Run ``python scripts/settings_table.py`` after changing a setting; a test (``--check``) tells when it is needed.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from backend.settings import Settings  # noqa: E402 - found through the line above

PAGE = ROOT / "docs" / "operations.md"
START, END = "<!-- settings: written by scripts/settings_table.py -->\n", "<!-- end of settings -->"


def described() -> dict[str, str]:
    """What the docstring says about each setting."""
    text = (Settings.__doc__ or "").partition("Attributes:")[2]
    found: dict[str, str] = {}
    for match in re.finditer(r"^ {8}(\w[\w, ]*): (.*(?:\n {12}.*)*)", text, flags=re.MULTILINE):
        words = re.sub(r"\s+", " ", match[2]).replace("``", "`")
        words = re.sub(
            r" \((?:`DYAD_\w+`(?:, )?)+(, )?([^)]*)\)", lambda named: f" ({named[2]})" if named[2] else "", words
        )
        found |= dict.fromkeys(match[1].split(", "), words.rstrip(".").replace("|", "\\|"))
    return found


def table() -> str:
    """The table: one line per setting."""
    words = described()
    lines = ["| variable | default | what it is |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        if name not in words:
            raise SystemExit(f"The docstring of Settings says nothing about {name}.")
        default = (
            ""
            if field.default in (None, ())
            else f"`{str(field.default).lower() if field.default is True else field.default}`"
        )
        lines.append(f"| `DYAD_{name.upper()}` | {default} | {words[name]} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page, or with ``--check`` say whether it has to be written."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    written = f"{before}{START}{table()}{END}{after}"
    if "--check" in sys.argv[1:]:
        if written != page:
            raise SystemExit("The settings in docs/operations.md are stale: python scripts/settings_table.py")
        return
    PAGE.write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main()
