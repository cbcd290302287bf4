"""A preloaded parent for each module of fault tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fault_runs.daemons import Nursery


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as made:
        yield made
