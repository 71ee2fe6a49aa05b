"""The shim, compiled, and the environment that asks it for a fault."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("shim.c")


def build(folder: Path) -> Path:
    """Compile it into a folder; skips the test where there is no LD_PRELOAD or no compiler."""
    if sys.platform != "linux":
        pytest.skip("faults are injected by LD_PRELOAD, which is Linux's")
    if not (compiler := shutil.which("cc") or shutil.which("gcc")):
        pytest.skip("no C compiler: the shim that injects faults cannot be built")
    library = folder / "shim.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
    return library
