"""What the tests of trading share: rigs that are closed when their test ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest_asyncio
from trading_rig import Rig

Begin = Callable[..., Awaitable[Rig]]


@pytest_asyncio.fixture
async def begin(tmp_path: Path) -> AsyncIterator[Begin]:
    """Begins rigs, each in a folder of its own: `await begin(tape, ...)`."""
    rigs: list[Rig] = []

    async def made(tape: Any, **rest: Any) -> Rig:
        rig = await Rig.begin(tmp_path / f"account{len(rigs)}", tape, **rest)
        rigs.append(rig)
        return rig

    yield made
    for rig in rigs:
        await rig.close()
