"""Facts that wait to be committed, by kind."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from dydx_console.domain.faults import FaultCount
from dydx_console.domain.fill import Fill
from dydx_console.domain.flows import FundingPayment, Reward, Transfer
from dydx_console.ports.journal import (
    BooksNote,
    Cursor,
    EquityPoint,
    FillBooking,
    FundingBooked,
    JournalFact,
    LivesForgotten,
    OrderNote,
    PlacedFill,
    PositionLife,
    PositionNote,
)

__all__ = ["Pending"]

_LifeName = tuple[int, str, str | None]


@dataclass(slots=True)
class Pending:
    """Facts taken and not committed.

    Where only the newest of a name counts (positions, lives, books, failures, cursors) it replaces the one before, so
    these never grow beyond what there is; `count` is that of all the others.
    """

    fills: list[PlacedFill] = field(default_factory=list)
    orders: list[OrderNote] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    funding: list[FundingPayment] = field(default_factory=list)
    rewards: list[Reward] = field(default_factory=list)
    equity: list[EquityPoint] = field(default_factory=list)
    positions: dict[tuple[int, str], PositionNote] = field(default_factory=dict)
    forgotten: dict[tuple[int, str], LivesForgotten] = field(default_factory=dict)
    lives: dict[_LifeName, PositionLife] = field(default_factory=dict)
    bookings: list[FillBooking] = field(default_factory=list)
    funded: list[FundingBooked] = field(default_factory=list)
    books: dict[tuple[int, str], BooksNote] = field(default_factory=dict)
    faults: dict[tuple[str, str, str], FaultCount] = field(default_factory=dict)
    cursors: dict[str, Cursor] = field(default_factory=dict)
    count: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        named = self.positions or self.forgotten or self.lives or self.books or self.faults or self.cursors
        return not self.count and not named

    @property
    def is_single(self) -> bool:
        """Whether one fact waits at most."""
        return len(list(islice(self.facts(), 2))) < 2

    def add(self, fact: JournalFact) -> None:
        """Take one fact. Raises TypeError for what is none."""
        match fact:
            case Fill():
                self.fills.append(PlacedFill(fact))
            case PlacedFill():
                self.fills.append(fact)
            case OrderNote():
                self.orders.append(fact)
            case Transfer():
                self.transfers.append(fact)
            case FundingPayment():
                self.funding.append(fact)
            case Reward():
                self.rewards.append(fact)
            case EquityPoint():
                self.equity.append(fact)
            case FillBooking():
                self.bookings.append(fact)
            case FundingBooked():
                self.funded.append(fact)
            case _:
                self._add_named(fact)
                return
        self.count += 1

    def _add_named(self, fact: PositionNote | PositionLife | LivesForgotten | BooksNote | FaultCount | Cursor) -> None:
        match fact:
            case PositionNote():
                name = (fact.position.subaccount, fact.position.market)
                held = self.positions.get(name)
                if held is None or fact.revision >= held.revision:
                    self.positions[name] = fact
            case PositionLife():
                self.lives[fact.subaccount, fact.market, fact.opened_by] = fact
            case LivesForgotten():
                self._forget(fact)
            case BooksNote():
                self.books[fact.subaccount, fact.market] = fact
            case FaultCount():
                counter = (fact.kind, fact.source, fact.endpoint)
                counted = self.faults.get(counter)
                if counted is None or fact.count >= counted.count:
                    self.faults[counter] = fact
            case Cursor():
                self.cursors[fact.source] = fact
            case _:
                raise TypeError(f"no fact of the journal: {type(fact).__name__}")

    def _forget(self, fact: LivesForgotten) -> None:
        name = (fact.subaccount, fact.market)
        held = self.forgotten.get(name)
        is_wider = held is None or fact.since is None or (held.since is not None and fact.since < held.since)
        self.forgotten[name] = fact if held is None or is_wider else held
        self.lives = {
            each: life for each, life in self.lives.items() if each[:2] != name or not _is_forgotten(life, fact.since)
        }

    def facts(self) -> Iterator[JournalFact]:
        """Return everything in an order that may be cut anywhere: what counts rows comes after them."""
        yield from self.fills
        yield from self.orders
        yield from self.transfers
        yield from self.funding
        yield from self.rewards
        yield from self.equity
        yield from self.positions.values()
        yield from self.bookings
        yield from self.forgotten.values()
        yield from self.lives.values()
        yield from self.funded
        yield from self.books.values()
        yield from self.faults.values()
        yield from self.cursors.values()

    def absorb(self, later: "Pending") -> None:
        """Take everything of `later`, which was taken after all of this."""
        for fact in later.facts():
            self.add(fact)

    def halves(self) -> tuple["Pending", "Pending"]:
        """Return the same facts in two parts, the first to be written first."""
        every = list(self.facts())
        middle = len(every) // 2
        return _of(every[:middle]), _of(every[middle:])


def _is_forgotten(life: PositionLife, since: datetime | None) -> bool:
    return since is None or life.closed_at is None or life.closed_at >= since


def _of(facts: list[JournalFact]) -> Pending:
    pending = Pending()
    for fact in facts:
        pending.add(fact)
    return pending
