"""What a queue starts on a node: ``python -m pipelines.executors.task FOLDER``, one share of the job in that folder."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """The share is the array task's number. Exit code 1 when the job is not there (any more)."""
    from pipelines.executors.job import carry

    try:
        carry(sys.argv[1], int(os.environ["SLURM_ARRAY_TASK_ID"]))
    except (OSError, ValueError, LookupError) as error:
        print(f"corpusmill: the job in {sys.argv[1]} cannot be done here ({type(error).__name__})", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
