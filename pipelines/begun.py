"""Which unit each process is at, so that one whose data kills its process (a native library that crashes) is found, and it alone.

A note is only believed of a process of this machine that is not there any more.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress

from pipelines import quarantine
from pipelines.ledger import Ledger

SUFFIX = ".begun"


def begin(ledger: Ledger, key: str) -> None:
    """This process is at that unit now. A note that cannot be written costs a second look at other units, no more."""
    with suppress(OSError):
        (ledger.root / "progress" / f"{socket.gethostname()}-{os.getpid()}{SUFFIX}").write_text(key, "ascii")


def left(ledger: Ledger) -> list[str]:
    """Keys of units that processes were at when they died, and that nothing is known of."""
    noted = quarantine.noted(ledger)
    found = set()
    for path in (ledger.root / "progress").glob(f"*{SUFFIX}"):
        host, _, process = path.name.removesuffix(SUFFIX).rpartition("-")
        if host == socket.gethostname() and not _runs(int(process)):
            found.add(path.read_text("ascii"))
    return sorted(key for key in found - noted.keys() if key and ledger.receipt(key) is None)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's
    return True
