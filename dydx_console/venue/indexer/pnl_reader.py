"""The reads that bring the Indexer's own word on PNL, for comparison with ours."""

from collections.abc import Callable

from dydx_console.domain.events import Fact, MessageRejected, ReadFailed
from dydx_console.domain.venue_pnl import TradeHistoryRead
from dydx_console.venue.indexer.rest import IndexerRest

__all__ = ["PnlReader"]

PAGE = 1000
"""Rows of a page: the most that the Indexer gives (dydxprotocol/v4-chain comlink API_LIMIT_V4)."""
MOST_PAGES = 20


class PnlReader:
    """Reads trade history, `/pnl` and `/historical-pnl` of a parent; they rank behind every read of the account.

    The Indexer refuses the trade history of accounts with more than 100,000 fills (HTTP 500): that is a failed read
    like any other, and the rest is read all the same.

    Args:
        rest: the client.
        address: the account.
        parent: its parent subaccount.
        sink: takes every fact as it is read.
        most_pages: how much of the trade history is read at most, the newest first.
    """

    def __init__(
        self,
        rest: IndexerRest,
        address: str,
        parent: int,
        sink: Callable[[Fact], None],
        *,
        most_pages: int = MOST_PAGES,
    ) -> None:
        self._rest = rest
        self._query: dict[str, str | int] = {"address": address, "parentSubaccountNumber": parent, "limit": PAGE}
        self._sink = sink
        self._most_pages = most_pages

    async def read(self, connection: int) -> bool:
        """Read all of it; returns whether every part came."""
        whole = await self._trades(connection)
        for path in ("/pnl", "/historical-pnl"):
            whole &= await self._take(f"{path}/parentSubaccountNumber", connection) is not None
        return whole

    async def _trades(self, connection: int) -> bool:
        """Read the trade history by pages; rows that are added meanwhile shift it, and come twice at worst."""
        for page in range(1, self._most_pages + 1):
            facts = await self._take("/tradeHistory/parentSubaccountNumber", connection, page=page)
            if facts is None:
                return False
            read = next((fact for fact in facts if isinstance(fact, TradeHistoryRead)), None)
            if read is None or read.total is None or page * PAGE >= read.total:
                return True
        return True

    async def _take(self, path: str, connection: int, **query: int) -> tuple[Fact, ...] | None:
        """Pass an answer on; returns it, or None where none came that could be read."""
        facts = await self._rest.read(path, connection, **self._query, **query)
        for fact in facts:
            self._sink(fact)
        is_read = any(not isinstance(fact, ReadFailed | MessageRejected) for fact in facts)
        return facts if is_read else None
