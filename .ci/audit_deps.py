"""Known vulnerabilities of what is installed, by pip-audit; where the service cannot be reached, it is said and is no failure.

python .ci/audit_deps.py FOLDER    # of an environment for pip-audit itself, made when it is needed
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
import venv
from importlib.metadata import version
from pathlib import Path


def audits() -> bool:
    """Whether the service answers as pip-audit needs it: with what is known of one package in one version."""
    try:
        with urllib.request.urlopen(f"https://pypi.org/pypi/pip/{version('pip')}/json", timeout=5) as answer:
            return "vulnerabilities" in json.load(answer)
    except (OSError, ValueError):
        return False


def main(folder: str) -> int:
    # Without this, pip-audit would ask for every package in vain, and then find nothing wrong with any.
    if not audits():
        print("audit-deps: the service that knows of vulnerabilities cannot be reached from here; nothing was audited")
        return 0
    home = Path(folder)
    tool = home / "bin" / "pip-audit"
    if not tool.exists():
        venv.create(home, with_pip=True)
        subprocess.run(
            [home / "bin" / "python", "-m", "pip", "install", "--quiet", "--only-binary", ":all:", "pip-audit"],
            check=True,
        )
    environment = {**os.environ, "PIPAPI_PYTHON_LOCATION": sys.executable}
    command = [tool, "--skip-editable", "--progress-spinner", "off", "--timeout", "10"]
    return subprocess.run(command, env=environment, check=False, timeout=300).returncode


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
