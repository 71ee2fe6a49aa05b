"""The command, as the tests of runs have it."""

import pytest

pytest.register_assert_rewrite("tests.security.support")

from tests.pipelines.conftest import corpusmill, shards  # noqa: E402, F401 (fixtures)
