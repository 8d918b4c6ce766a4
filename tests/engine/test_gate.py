"""The gate: shut until the chain id was typed, and shut for good after anything else."""

import asyncio
import random
import threading

import pytest
from cli.terminals import trap, until, urls_at
from venues import decision_for, network_of

from dydx_console.engine.gate import Gate
from dydx_console.engine.live import LiveSource
from dydx_console.engine.plan import LivePlan
from dydx_console.engine.publish import Publisher
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.mailbox import Mailbox
from dydx_console.ports.network import Confirmation
from dydx_console.safety.networks import Network
from dydx_console.safety.policy import Environment, Outcome
from dydx_console.state.console import ConsoleState

MAINNET = "dydx-mainnet-1"
ASKED = Confirmation("real", MAINNET, ("127.0.0.1",), (), "development", "default", None, 0, 60.0)
LONG_S = 20.0


def network(chain_id: str = MAINNET, place: str = "127.0.0.1:9") -> Network:
    return network_of(urls_at(place, chain_id))


def shut(asked: Network | None = None) -> Gate:
    return Gate(decision_for(asked or network()), ASKED)


async def is_open(gate: Gate) -> bool:
    """Return whether somebody who comes now passes."""
    try:
        async with asyncio.timeout(0.05):
            await gate.passed()
    except TimeoutError:
        return False
    return True


async def test_a_decision_that_runs_lets_everybody_through_and_asks_nothing() -> None:
    gate = Gate(decision_for(network("dydx-testnet-4")), ASKED)
    assert gate.confirmation() is None
    assert await is_open(gate)


async def test_a_refused_decision_never_opens_and_has_nothing_to_ask() -> None:
    gate = Gate(decision_for(network("dydx-testnet-4"), Environment.PRODUCTION), ASKED)
    assert gate.confirmation() is None
    assert not gate.confirm("dydx-testnet-4")
    assert not await is_open(gate)
    assert gate.decision.outcome is Outcome.REFUSED


async def test_it_waits_for_the_chain_id() -> None:
    gate = shut()
    assert gate.confirmation() is ASKED
    assert not await is_open(gate)
    assert gate.confirm(MAINNET)
    assert await is_open(gate)
    assert gate.confirmation() is None


@pytest.mark.parametrize("wrong", ["", "mainnet", "DYDX-MAINNET-1", "dydx-testnet-4", f"{MAINNET}x"])
async def test_a_wrong_text_shuts_it_for_good(wrong: str) -> None:
    gate = shut()
    assert not gate.confirm(wrong)
    assert gate.confirmation() is None
    assert not gate.confirm(MAINNET)
    assert not await is_open(gate)
    assert gate.decision.outcome is Outcome.REFUSED


async def test_who_left_has_refused() -> None:
    gate = shut()
    gate.refuse("it was left")
    assert not gate.confirm(MAINNET)
    assert not await is_open(gate)
    assert "it was left" in "; ".join(gate.decision.reasons)


async def test_a_refusal_after_the_chain_id_takes_nothing_back() -> None:
    gate = shut()
    gate.confirm(MAINNET)
    gate.refuse("too late")
    assert await is_open(gate)


async def test_another_thread_wakes_everybody_who_waits() -> None:
    gate = shut()
    waiting = [asyncio.create_task(gate.passed()) for _ in range(3)]
    await asyncio.sleep(0.05)
    assert not any(task.done() for task in waiting)
    typing = threading.Thread(target=gate.confirm, args=(MAINNET,))
    typing.start()
    async with asyncio.timeout(LONG_S):
        await asyncio.gather(*waiting)
    typing.join()


async def test_a_wrong_text_of_another_thread_wakes_nobody() -> None:
    gate = shut()
    waiting = asyncio.create_task(gate.passed())
    await asyncio.sleep(0.05)
    for typed in ("no", MAINNET):
        typing = threading.Thread(target=gate.confirm, args=(typed,))
        typing.start()
        typing.join()
    await asyncio.sleep(0.1)
    assert not waiting.done()
    waiting.cancel()


def test_who_waited_in_a_loop_that_has_ended_is_no_hindrance() -> None:
    gate = shut()

    async def left() -> None:
        waiting = asyncio.create_task(gate.passed())
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.wait({waiting})

    asyncio.run(left())
    assert gate.confirm(MAINNET)


class Slow(str):
    """The chain id, in which somebody else comes in between while it is compared."""

    __slots__ = ("compared", "may_end")

    def __new__(cls, text: str) -> "Slow":
        made = super().__new__(cls, text)
        made.compared, made.may_end = threading.Event(), threading.Event()
        return made

    def strip(self, chars: str | None = None, /) -> str:
        self.compared.set()
        self.may_end.wait(LONG_S)
        return super().strip(chars)


def test_a_refusal_that_was_given_is_not_overtaken_by_an_answer_under_way() -> None:
    gate, typed = shut(), Slow(MAINNET)
    answering = threading.Thread(target=gate.confirm, args=(typed,))
    leaving = threading.Thread(target=gate.refuse, args=("it was left",))
    answering.start()
    assert typed.compared.wait(LONG_S)
    leaving.start()
    leaving.join(0.3)
    before = gate.decision.outcome
    typed.may_end.set()
    answering.join()
    leaving.join()
    assert (before, gate.decision.outcome) in {
        (Outcome.NEEDS_CONFIRMATION, Outcome.RUNS),
        (Outcome.REFUSED, Outcome.REFUSED),
    }


def live_source(gate: Gate, asked: Network) -> LiveSource:
    clock = SystemClock()
    publisher = Publisher(ConsoleState(None), Mailbox(), clock)
    return LiveSource(LivePlan(asked, None, 0), gate, None, publisher, clock=clock, rng=random.Random(1))


@pytest.mark.parametrize("wrong", [None, "mainnet"])
async def test_the_network_hears_nothing_before_the_gate_is_open(wrong: str | None) -> None:
    with trap() as counting:
        asked = network(place=counting.at)
        gate = shut(asked)
        source = live_source(gate, asked)
        following = asyncio.create_task(source.run())
        try:
            await asyncio.sleep(0.3)
            assert counting.heard == []
            gate.confirm(MAINNET if wrong is None else wrong)
            if wrong is None:
                await asyncio.to_thread(until, lambda: counting.heard)
            else:
                await asyncio.sleep(0.3)
                assert counting.heard == []
        finally:
            following.cancel()
            await asyncio.wait({following})
            await source.close()
