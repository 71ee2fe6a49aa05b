"""``python -m pipelines.cli``, for where the command is not on the path."""

from pipelines.cli import main

raise SystemExit(main())
