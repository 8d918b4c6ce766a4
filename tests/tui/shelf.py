"""A history in memory, and a desk that answers from it when the test wants it to."""

import re
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from dydx_console.domain.flows import FundingPayment, Transfer
from dydx_console.ports.history import NO_PROGRESS, FetchState, HistoryProgress
from dydx_console.ports.journal import (
    EquityPoint,
    History,
    HistoryPort,
    HistoryQuery,
    JournalUnavailableError,
    OrderHop,
    OrderRecord,
    Page,
    PageMark,
    PositionLife,
)

NOT_THERE = "there is no journal in this test"


def _values(row: Any) -> dict[str, Any]:
    """Return what filters look at."""
    inner = getattr(row, "order", None) or getattr(row, "fill", None) or row
    is_life = isinstance(row, PositionLife)
    status = getattr(row, "shown", None)
    return {
        "markets": getattr(inner, "market", None),
        "subaccounts": getattr(inner, "parent", None) if isinstance(row, EquityPoint) else getattr(
            inner, "subaccount", None),
        "sides": getattr(inner, "side", None),
        "statuses": ("OPEN" if row.closed_at is None else "CLOSED") if is_life else status,
        "types": getattr(inner, "type", None),
    }  # fmt: skip


def _at(row: Any) -> datetime:
    for name in ("placed_at", "opened_at", "at", "created_at"):
        if hasattr(row, name):
            found: datetime = getattr(row, name)
            return found
    return row.fill.created_at  # type: ignore[no-any-return]


def _key(row: Any) -> str:
    inner = getattr(row, "order", None) or getattr(row, "fill", None) or row
    return str(getattr(inner, "id", None) or repr(row))


@dataclass
class Shelf:
    """A `HistoryPort` over lists: rows are filtered and paged as the journal does it."""

    rows: dict[History, Sequence[Any]] = field(default_factory=dict)
    hops: dict[str, tuple[OrderHop, ...]] = field(default_factory=dict)

    async def orders(self, query: HistoryQuery) -> Page[OrderRecord]:
        return self._page(History.ORDERS, query)

    async def fills(self, query: HistoryQuery) -> Page[Any]:
        return self._page(History.FILLS, query)

    async def booked_fills(self, query: HistoryQuery) -> Page[Any]:
        return self._page(History.FILLS, query)

    async def funding(self, query: HistoryQuery) -> Page[FundingPayment]:
        return self._page(History.FUNDING, query)

    async def transfers(self, query: HistoryQuery) -> Page[Transfer]:
        return self._page(History.TRANSFERS, query)

    async def lives(self, query: HistoryQuery) -> Page[PositionLife]:
        return self._page(History.LIVES, query)

    async def equity(self, query: HistoryQuery) -> Page[EquityPoint]:
        return self._page(History.EQUITY, query)

    async def count(self, kind: History, query: HistoryQuery) -> int:
        return len(self._matching(kind, query))

    async def order(self, order_id: str) -> tuple[OrderRecord, tuple[OrderHop, ...]] | None:
        found = [record for record in self.rows.get(History.ORDERS, ()) if record.order.id == order_id]
        return (found[0], self.hops.get(order_id, ())) if found else None

    def _matching(self, kind: History, query: HistoryQuery) -> list[Any]:
        return [row for row in self.rows.get(kind, ()) if self._holds(row, query)]

    @staticmethod
    def _holds(row: Any, query: HistoryQuery) -> bool:
        values = _values(row)
        return (
            all(not getattr(query, name) or value in getattr(query, name) for name, value in values.items())
            and (query.order_id is None or row.fill.order_id == query.order_id)
            and (query.since is None or _at(row) >= query.since)
            and (query.until is None or _at(row) < query.until)
            and re.search(re.escape(query.text), repr(row), re.IGNORECASE) is not None
        )

    def _page(self, kind: History, query: HistoryQuery) -> Page[Any]:
        rows = sorted(
            self._matching(kind, query), key=lambda row: (_at(row), _key(row)), reverse=not query.oldest_first
        )
        if query.after is not None:
            mark = tuple(query.after)
            rows = [row for row in rows if ((_at(row), _key(row)) > mark) == query.oldest_first
                    and (_at(row), _key(row)) != mark]  # fmt: skip
        shown = rows[: query.limit]
        more = PageMark(_at(shown[-1]), _key(shown[-1])) if len(rows) > query.limit else None
        return Page(tuple(shown), more)


@dataclass
class FakeDesk:
    """A `HistoryDesk`: answers at once, with `is_held` on `release`. Without a shelf there is no journal.

    `fetches` and `interrupts` count what was asked for; `questions` counts questions.
    """

    shelf: Shelf | None = None
    progress: HistoryProgress = NO_PROGRESS
    is_held: bool = False
    fetches: int = 0
    interrupts: int = 0
    questions: int = 0
    _held: list[tuple["Future[Any]", Callable[[Any], Coroutine[Any, Any, Any]]]] = field(default_factory=list)

    def fetch(self) -> None:
        self.fetches += 1
        self.progress = replace(self.progress, state=FetchState.RUNNING)

    def interrupt(self) -> None:
        self.interrupts += 1
        self.progress = replace(self.progress, state=FetchState.INTERRUPTED)

    def ask(self, question: Callable[[HistoryPort], Coroutine[Any, Any, Any]]) -> "Future[Any]":
        self.questions += 1
        future: Future[Any] = Future()
        if self.is_held:
            self._held.append((future, question))
        else:
            self._answer(future, question)
        return future

    def release(self) -> None:
        """Answer what waits, the newest first: a late answer must not count."""
        held, self._held = self._held, []
        for future, question in reversed(held):
            if not future.cancelled():
                self._answer(future, question)

    def _answer(self, future: "Future[Any]", question: Callable[[Any], Coroutine[Any, Any, Any]]) -> None:
        if self.shelf is None:
            future.set_exception(JournalUnavailableError(NOT_THERE))
            return
        running = question(self.shelf)
        try:
            running.send(None)
        except StopIteration as done:
            future.set_result(done.value)
        except (ValueError, JournalUnavailableError) as error:
            future.set_exception(error)
        else:
            raise AssertionError("a shelf never waits")
