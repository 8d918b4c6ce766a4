"""The curve of equity and net PNL: read from the journal without waiting, renewed once a minute."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import datetime

from dydx_console.ports.history import HistoryDesk
from dydx_console.ports.journal import EquityPoint, History, HistoryPort, HistoryQuery
from dydx_console.tui.asking import Asking
from dydx_console.views.chart import LONGEST, Sample, Thinner

__all__ = ["RENEW_S", "Curve", "CurveReader", "read_curve"]

RENEW_S = 60.0
"""How old a curve may be; points are written as often."""
PARTS = 480
MOST_POINTS = 60_000
PAGE_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Curve:
    """Standings of equity and net PNL between two moments, oldest first, as many as a screen can show.

    `points` of the journal's stand behind them. Where `is_sampled` there are too many to read them all: of each piece
    of the time only the beginning was looked at.
    """

    start: datetime
    end: datetime
    equity: tuple[Sample, ...] = ()
    net: tuple[Sample, ...] = ()
    points: int = 0
    is_sampled: bool = False


async def read_curve(history: HistoryPort, parent: int, start: datetime | None, end: datetime) -> Curve:
    """Return the curve of a parent subaccount; without `start`, from its first point on."""
    query = HistoryQuery(subaccounts=(parent,), oldest_first=True, until=end, limit=1)
    if start is None:
        first = (await history.equity(query)).rows
        start = first[0].at if first else end
    query = replace(query, since=start)
    count = await history.count(History.EQUITY, query)
    is_sampled = count > MOST_POINTS
    longest = LONGEST + (end - start) / PARTS if is_sampled else LONGEST
    equity, net = Thinner(start, end, PARTS, longest), Thinner(start, end, PARTS, longest)
    async for rows in _sampled(history, query, start, end) if is_sampled else _pages(history, query):
        equity.add(Sample(row.at, row.equity) for row in rows)
        net.add(Sample(row.at, row.net_pnl) for row in rows)
    return Curve(start, end, tuple(equity.samples()), tuple(net.samples()), count, is_sampled)


async def _pages(history: HistoryPort, query: HistoryQuery) -> AsyncIterator[tuple[EquityPoint, ...]]:
    query = replace(query, limit=PAGE_ROWS)
    while True:
        page = await history.equity(query)
        yield page.rows
        if page.next is None:
            return
        query = query.beyond(page.next)


async def _sampled(
    history: HistoryPort, query: HistoryQuery, start: datetime, end: datetime
) -> AsyncIterator[tuple[EquityPoint, ...]]:
    piece = (end - start) / PARTS
    for number in range(PARTS):
        since = start + piece * number
        until = since + piece if number < PARTS - 1 else end
        yield (await history.equity(replace(query, since=since, until=until, limit=MOST_POINTS // PARTS))).rows


class CurveReader:
    """Has the newest curve of one range; another range, or another minute, is asked for by looking.

    Args:
        desk: answers questions to the journal.
        clock: seconds that never go back.
    """

    def __init__(self, desk: HistoryDesk, clock: Callable[[], float]) -> None:
        self._asking: Asking[Curve] = Asking(desk, clock)
        self._clock = clock
        self._wanted: tuple[str, int] | None = None
        self._asked_at = 0.0
        self.curve: Curve | None = None
        """The newest answer for the range, None before it."""

    @property
    def failure(self) -> str | None:
        """Why there is no newer curve, in a sentence."""
        return self._asking.failure

    @property
    def is_waiting(self) -> bool:
        """Whether there is nothing to show for the range yet, but soon."""
        return self._asking.is_waiting and self.curve is None

    def look(self, name: str, parent: int, start: datetime | None, end: datetime) -> bool:
        """Take an answer that came, and ask where none is under way that would do; returns whether the curve is new.

        Args:
            name: what range it is; `start` and `end` move on with the time.
            parent: of which parent subaccount.
            start: where the range begins, None for the first point.
            end: where it ends.
        """
        is_other = (name, parent) != self._wanted
        if is_other:
            self.curve = None
        if is_other or self._clock() - self._asked_at >= RENEW_S:
            self._wanted, self._asked_at = (name, parent), self._clock()
            self._asking.ask(lambda history: read_curve(history, parent, start, end))
        answer = self._asking.take()
        if answer is None:
            return False
        self.curve = answer
        return True

    def close(self) -> None:
        """Wait for no answer any more."""
        self._asking.give_up()
