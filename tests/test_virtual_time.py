"""The virtual loop itself: it uses what asyncio keeps to itself, so that each Python is tried."""

import asyncio
import time

import pytest
from virtual_time import clock_of_loop, run_virtually


def test_hours_pass_at_once_and_in_order() -> None:
    heard: list[tuple[str, float]] = []

    async def one(name: str, wait_s: float, times: int) -> None:
        for _ in range(times):
            await asyncio.sleep(wait_s)
            heard.append((name, clock_of_loop().monotonic()))

    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(one("a", 3_600.0, 3))
            tasks.create_task(one("b", 5_000.0, 2))

    began = time.monotonic()
    run_virtually(main())
    assert heard == [("a", 3_600), ("b", 5_000), ("a", 7_200), ("b", 10_000), ("a", 10_800)]
    assert time.monotonic() - began < 10.0


def test_a_timer_that_was_cancelled_moves_nothing() -> None:
    async def main() -> float:
        for _ in range(200):
            async with asyncio.timeout(1_000.0):
                await asyncio.sleep(0.5)
        return clock_of_loop().monotonic()

    assert run_virtually(main()) == pytest.approx(100.0)


def test_a_wait_without_end_is_an_error_and_not_a_hang() -> None:
    with pytest.raises(RuntimeError, match="never come"):
        run_virtually(asyncio.Event().wait())
