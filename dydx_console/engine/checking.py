"""Makes the checks of `check-network` beside a running engine: at its start, and whenever somebody asks."""

import asyncio
import logging
from dataclasses import replace

from dydx_console.domain.preflight import Report, Verdict
from dydx_console.engine.gate import Gate
from dydx_console.ports.clock import Clock
from dydx_console.ports.node import NodePort
from dydx_console.ports.probe import IndexerProbe
from dydx_console.preflight.plan import PreflightPlan, policy_judgement
from dydx_console.preflight.run import TIMEOUT_S, run_preflight

__all__ = ["Checking"]

log = logging.getLogger(__name__)


class Checking:
    """Keeps the newest report.

    Args:
        plan: what is configured.
        gate: whose decision the policy's line tells.
        node: the network's nodes, None where it has none.
        indexer: the Indexer.
        clock: measures how long checks take.
    """

    def __init__(
        self,
        plan: PreflightPlan,
        gate: Gate,
        node: NodePort | None,
        indexer: IndexerProbe,
        *,
        clock: Clock,
    ) -> None:
        self._plan = plan
        self._gate = gate
        self._node = node
        self._indexer = indexer
        self._clock = clock
        self._asked = asyncio.Event()
        self.report: Report | None = None
        """The newest report, None before the first."""
        self.made_at = 0.0
        """When it was made, in the clock's monotonic seconds."""

    def ask(self) -> None:
        """Have the checks made again."""
        self._asked.set()

    async def run(self) -> None:
        """Make the checks at once, then whenever they are asked for."""
        while True:
            self._asked.clear()
            await self.make()
            await self._asked.wait()

    async def make(self, timeout_s: float = TIMEOUT_S) -> Report:
        """Make the checks now, within `timeout_s`."""
        plan = replace(self._plan, policy=policy_judgement(self._gate.decision))
        report = self.report = await run_preflight(plan, self._node, self._indexer, self._clock, timeout_s=timeout_s)
        self.made_at = self._clock.monotonic()
        for check in report.checks:
            if check.verdict in (Verdict.FAIL, Verdict.WARN):
                log.warning("check %s: %s %s", check.name, check.verdict, check.text)
        return report

    async def close(self) -> None:
        """Close the connections of the checks; the node's belong to somebody else."""
        await self._indexer.close()
