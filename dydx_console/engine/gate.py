"""The door between an engine and its network: shut until the policy's decision runs."""

import asyncio
from collections.abc import Callable
from functools import partial
from threading import Lock

from dydx_console.ports.network import Confirmation
from dydx_console.safety.policy import Decision, Outcome, confirmed_by, not_confirmed

__all__ = ["Gate"]


class Gate:
    """Holds the decision about a network, and those who wait for it. Callable from any thread.

    Args:
        decision: what the policy said; one that waits for confirmation shuts the gate.
        confirmation: what a person is to read before typing the chain id.
    """

    def __init__(self, decision: Decision, confirmation: Confirmation | None = None) -> None:
        self._decision = decision
        self._confirmation = confirmation
        self._lock = Lock()
        self._wakers: list[Callable[[], object]] = []

    @property
    def decision(self) -> Decision:
        """The decision as it stands."""
        return self._decision

    def confirmation(self) -> Confirmation | None:
        """Return what a person has to confirm, None where nothing waits for that."""
        return self._confirmation if self._decision.outcome is Outcome.NEEDS_CONFIRMATION else None

    def confirm(self, typed: str) -> bool:
        """Try what a person typed; returns whether the network may be used. A wrong text shuts the gate for good."""
        return self._settle(lambda decision: confirmed_by(decision, typed))

    def refuse(self, why: str) -> None:
        """Shut the gate for good where it still waits for confirmation."""
        self._settle(lambda decision: not_confirmed(decision, why))

    async def passed(self) -> None:
        """Wait until the network may be used; for ever, where it may not."""
        opened = asyncio.Event()
        wake = partial(asyncio.get_running_loop().call_soon_threadsafe, opened.set)
        with self._lock:
            if self._decision.runs:
                return
            self._wakers.append(wake)
        try:
            await opened.wait()
        finally:
            with self._lock:
                self._wakers.remove(wake)

    def _settle(self, settled: Callable[[Decision], Decision]) -> bool:
        # Under the lock, because of two answers at once a refusal must not be overtaken, and nobody may be woken in a
        # loop that has ended: who waits there takes its waker back first.
        with self._lock:
            decision = self._decision = settled(self._decision)
            for wake in self._wakers if decision.runs else ():
                wake()
        return decision.runs
