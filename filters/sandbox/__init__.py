"""Runs a program that nobody trusts, and lets nothing of it out but its exit code and a bounded output.

Linux alone, by bubblewrap. It knows nothing of records. What is bounded and how each bound is held: see ``limits``; what can be
seen: ``view``; which calls of the system are refused: ``syscalls``. There is no way to run without a sandbox.
"""

from __future__ import annotations

from filters.sandbox.limits import Limits
from filters.sandbox.run import Outcome, Sandbox

__all__ = ["Limits", "Outcome", "Sandbox"]
