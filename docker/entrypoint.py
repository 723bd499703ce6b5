"""Hand the secrets of a container to the program as environment variables, then become that program.

What: each file in /run/secrets is a variable of the file's name (`DYAD_API_TOKEN`, `PGPASSWORD`, `RAY_AUTH_TOKEN`), without the line
end. An empty file is no secret; a variable that is set already stays.
Why: a secret then stands in no image, no compose file and no `docker inspect`.
"""

import os
import re
import sys
from pathlib import Path

SECRETS = Path("/run/secrets")


def main(command: list[str]) -> None:
    """Replace this process by `command`."""
    for file in sorted(SECRETS.iterdir()) if SECRETS.is_dir() else ():
        if not re.fullmatch(r"[A-Z][A-Z0-9_]*", file.name):
            continue
        try:
            value = file.read_text(encoding="utf-8").rstrip("\r\n")
        except PermissionError:
            sys.exit(f"The secret {file.name} cannot be read by user {os.getuid()}: its file must be readable for all (chmod 644) "
                     "in a folder that is not (chmod 700).")  # fmt: skip
        if value:
            os.environ.setdefault(file.name, value)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
