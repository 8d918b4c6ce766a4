"""The reads that complete an account's stream."""

from collections.abc import Callable

from dydx_console.domain.events import Fact, FillsRead, MessageRejected, ReadFailed, Resynced
from dydx_console.ports.clock import Clock
from dydx_console.venue.indexer.rest import IndexerRest

__all__ = ["PAGE", "AccountReader"]

PAGE = 1000
"""Rows of a page: the most that the Indexer gives (dydxprotocol/v4-chain comlink API_LIMIT_V4)."""
OVERLAP = 100
"""Fills that are read again behind the newest one known."""
MOST_PAGES = 20
WORKING = "OPEN,UNTRIGGERED,BEST_EFFORT_OPENED"


class AccountReader:
    """Reads an account whole after its subscription, because updates between snapshot and registration are lost.

    Args:
        rest: the client.
        address: the account.
        parent: its parent subaccount.
        sink: takes every fact as it is read.
        known_fills: tells how many fills, counted in the venue's order, are known from an earlier run; asked once,
            before the first are read.
    """

    def __init__(
        self,
        rest: IndexerRest,
        address: str,
        parent: int,
        sink: Callable[[Fact], None],
        known_fills: Callable[[], int] = int,
    ) -> None:
        self._rest = rest
        self._address = address
        self._parent = parent
        self._sink = sink
        self._known_fills = known_fills
        self._fills_read: int | None = None

    async def resync(self, connection: int, clock: Clock) -> bool:
        """Read everything again. Returns whether all of it came, and only then says `Resynced`."""
        whole = await self._account(connection)
        whole &= await self._orders(connection)
        whole &= await self._fills(connection)
        whole &= await self.flows(connection)
        if whole:
            self._sink(Resynced(connection, clock.monotonic()))
        return whole

    async def flows(self, connection: int) -> bool:
        """Read funding payments and transfers."""
        funding = await self._take("/fundingPayments/parentSubaccount", connection, limit=PAGE)
        transfers = await self._take("/transfers/parentSubaccountNumber", connection, limit=PAGE)
        return funding and transfers

    async def settled(self, connection: int) -> bool:
        """Read subaccounts and funding again, as after a full hour."""
        return await self._account(connection) and await self.flows(connection)

    async def _account(self, connection: int) -> bool:
        path = f"/addresses/{self._address}"
        # how many parents there are is told where it can be, and holds nothing up
        self._pass_on(await self._rest.read(path, connection))
        return self._pass_on(await self._rest.read(f"{path}/parentSubaccountNumber/{self._parent}", connection))

    async def working(self, connection: int) -> tuple[Fact, ...]:
        """Return the working orders, up to a page of them, and pass nothing on."""
        path = "/orders/parentSubaccountNumber"
        return await self._rest.read(path, connection, **self._of_account(), status=WORKING, limit=PAGE)

    async def _orders(self, connection: int) -> bool:
        path = "/orders/parentSubaccountNumber"
        working = await self._take(path, connection, status=WORKING, limit=PAGE)
        return working and await self._take(path, connection, limit=200)

    async def _fills(self, connection: int) -> bool:
        """Read the fills that may be missing, by pages: these are sorted by event, oldest first."""
        path = "/fills/parentSubaccountNumber"
        known = self._known_fills() if self._fills_read is None else self._fills_read
        page = max(known - OVERLAP, 0) // PAGE + 1
        facts = await self._rest.read(path, connection, **self._of_account(), limit=PAGE, page=page)
        total = _total_of(facts)
        if total is None:
            return self._pass_on(facts)
        if page > 1 and total < known - OVERLAP:
            # far fewer than are known: the venue counts anew, so what is known says nothing of its pages
            self._known_fills, self._fills_read = int, 0
            return await self._fills(connection)
        last = -(-total // PAGE)
        if known == 0 and last > MOST_PAGES:
            page = last - MOST_PAGES
        else:
            self._pass_on(facts)
        whole = True
        for number in range(page + 1, last + 1):
            whole &= await self._take(path, connection, limit=PAGE, page=number)
        if whole:
            self._fills_read = total
        return whole

    async def _take(self, path: str, connection: int, **query: str | int) -> bool:
        return self._pass_on(await self._rest.read(path, connection, **self._of_account(), **query))

    def _of_account(self) -> dict[str, str | int]:
        return {"address": self._address, "parentSubaccountNumber": self._parent}

    def _pass_on(self, facts: tuple[Fact, ...]) -> bool:
        """Pass facts on; returns whether an answer came that could be read, if perhaps not every row of it."""
        for fact in facts:
            self._sink(fact)
        return any(not isinstance(fact, ReadFailed | MessageRejected) for fact in facts)


def _total_of(facts: tuple[Fact, ...]) -> int | None:
    return next((fact.total for fact in facts if isinstance(fact, FillsRead)), None)
