"""Known vulnerabilities of what is installed, by pip-audit; where the service cannot be reached, it is said and is no failure.

python .ci/audit_deps.py FOLDER    # of an environment for pip-audit itself, made when it is needed
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from importlib.metadata import version
from pathlib import Path


def audits(tool: Path) -> bool:
    """Whether the service that pip-audit asks knows of one package, before it is asked for every one."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as one:
        one.write(f"pip=={version('pip')}\n")
        one.flush()
        command = [tool, "-r", one.name, "--no-deps", "--disable-pip", "--format", "json", "--timeout", "10"]
        told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout
    try:
        return all("vulns" in found for found in json.loads(told)["dependencies"])
    except (ValueError, KeyError, TypeError):
        return False


def main(folder: str) -> int:
    home = Path(folder)
    tool = home / "bin" / "pip-audit"
    if not tool.exists():
        venv.create(home, with_pip=True)
        subprocess.run(
            [home / "bin" / "python", "-m", "pip", "install", "--quiet", "--only-binary", ":all:", "pip-audit"],
            check=True,
        )
    if not audits(tool):
        print("audit-deps: the service that knows of vulnerabilities cannot be reached from here; nothing was audited")
        return 0
    environment = {**os.environ, "PIPAPI_PYTHON_LOCATION": sys.executable}
    command = [tool, "--skip-editable", "--progress-spinner", "off", "--timeout", "10"]
    return subprocess.run(command, env=environment, check=False, timeout=300).returncode


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
