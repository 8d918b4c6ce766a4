"""Our figures against the Indexer's: every difference with its known reasons, or as an alarm.

The Indexer's own booking is done again from the same fills (`state.venue_books`). Where that gives what the Indexer
states, the difference from ours has known reasons; what remains is unexplained, and somebody should look. Between a
block's position and its fill figures differ for a moment, so an alarm counts when it stands at two looks in a row.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from enum import StrEnum

from dydx_console.domain.fill import Fill
from dydx_console.domain.flows import FundingPayment, Transfer
from dydx_console.domain.ids import PositionKey, parent_of
from dydx_console.domain.numbers import MATH, ZERO
from dydx_console.domain.position import Position
from dydx_console.domain.venue_pnl import VenuePnl, VenueTick, VenueTrade
from dydx_console.state.accounting import Booking, Ledger
from dydx_console.state.lives import Life
from dydx_console.state.venue_books import (
    TradeLine,
    VenueRow,
    by_order,
    by_order_and_block,
    trade_lines,
    venue_rows,
)

__all__ = [
    "NO_DRIFT",
    "Difference",
    "Drift",
    "Ours",
    "Source",
    "Stated",
    "Why",
    "pnl_differences",
    "position_differences",
    "reconcile",
    "tick_differences",
    "trade_differences",
]

_CLOSE = Decimal("1e-12")
_MICRO = Decimal("1e-6")
_REALIZED_SINCE = datetime(2025, 10, 15, tzinfo=UTC)
"""Rows from before it have no realized PNL by REST (dydxprotocol/v4-chain, the migration adding totalRealizedPnl)."""


class Source(StrEnum):
    """Which of the Indexer's figures ours are compared with."""

    POSITIONS = "POSITIONS"
    TRADE_HISTORY = "TRADE_HISTORY"
    PNL = "PNL"
    HISTORICAL_PNL = "HISTORICAL_PNL"


class Why(StrEnum):
    """A known reason for a difference."""

    FEES = "FEES"
    BUILDER_FEES = "BUILDER_FEES"
    FUNDING = "FUNDING"
    FLIP = "FLIP"
    INHERITED = "INHERITED"
    FORCED = "FORCED"
    AVERAGE = "AVERAGE"
    GROUPED = "GROUPED"
    CHILDREN = "CHILDREN"
    NOT_KEPT = "NOT_KEPT"
    HISTORY = "HISTORY"

    @property
    def text(self) -> str:
        """The reason in words."""
        return _WORDS[self]


_WORDS: Mapping[Why, str] = {
    Why.FEES: "the Indexer's figure and ours count fees differently",
    Why.BUILDER_FEES: "the Indexer leaves builder fees out",
    Why.FUNDING: "the Indexer's figure contains settled funding",
    Why.FLIP: "the Indexer books a fill through zero whole on the new position",
    Why.INHERITED: "the Indexer's position began with the realized PNL of the one before it",
    Why.FORCED: "the Indexer leaves liquidation and deleveraging fills out",
    Why.AVERAGE: "the Indexer averages all openings of the position, also those that were closed before",
    Why.GROUPED: "the Indexer takes the fills of one order for one trade at their average price",
    Why.CHILDREN: "the Indexer's point of a parent leaves out subaccounts that had no point of their own in that hour",
    Why.NOT_KEPT: "the Indexer keeps no realized PNL of a position that old",
    Why.HISTORY: "fills from before the known ones are missing",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure that is not the same here and there.

    `subaccount` and `market` are None for figures of the whole parent. `unexplained` is what the known reasons `why` do
    not account for, None where they account for all of it. `at` is the moment of the figure where it has one.
    """

    source: Source
    what: str
    subaccount: int | None
    market: str | None
    ours: Decimal | None
    venue: Decimal | None
    why: tuple[Why, ...] = ()
    unexplained: Decimal | None = None
    at: datetime | None = None

    @property
    def is_alarm(self) -> bool:
        """Whether something remains that no known reason accounts for."""
        return self.unexplained is not None

    @property
    def text(self) -> str:
        """The reasons, or that there is none, as a sentence."""
        if self.is_alarm:
            return "unexplained: no known reason accounts for this difference"
        return "; ".join(why.text for why in self.why)


@dataclass(frozen=True, slots=True)
class Drift:
    """A comparison of our figures with the Indexer's: its differences, and when it was made.

    An alarm among them has stood at two looks. `at` is None before the first one; `problem` is why not everything was
    compared, None where it was.
    """

    differences: tuple[Difference, ...] = ()
    at: datetime | None = None
    problem: str | None = None

    @property
    def alarms(self) -> tuple[Difference, ...]:
        """The differences that nothing known accounts for."""
        return tuple(one for one in self.differences if one.is_alarm)


NO_DRIFT = Drift()


@dataclass(slots=True)
class Stated:
    """What the Indexer said of PNL, the newest word of each row. `None` as subaccount is the whole parent."""

    trades: dict[tuple[str, str], VenueTrade] = field(default_factory=dict)
    trades_total: int | None = None
    points: dict[int | None, dict[int, VenuePnl]] = field(default_factory=dict)
    ticks: dict[int | None, dict[int, VenueTick]] = field(default_factory=dict)

    def copy(self) -> "Stated":
        """Return the same rows, which do not grow."""
        points = {number: dict(rows) for number, rows in self.points.items()}
        return Stated(dict(self.trades), self.trades_total, points, {n: dict(rows) for n, rows in self.ticks.items()})

    def take_trades(self, rows: Iterable[VenueTrade], total: int | None) -> None:
        """Take rows of the trade history; `total` counts all that there are."""
        self.trades.update(((row.id, row.action), row) for row in rows)
        self.trades_total = self.trades_total if total is None else total

    def take_points(self, subaccount: int | None, points: Iterable[VenuePnl]) -> None:
        """Take points of `/pnl`."""
        self.points.setdefault(subaccount, {}).update((point.height, point) for point in points)

    def take_ticks(self, subaccount: int | None, ticks: Iterable[VenueTick]) -> None:
        """Take points of `/historical-pnl`."""
        self.ticks.setdefault(subaccount, {}).update((tick.height, tick) for tick in ticks)

    def trades_by_key(self) -> dict[PositionKey, list[VenueTrade]]:
        """Return the known rows by subaccount and market, in no particular order."""
        found: dict[PositionKey, list[VenueTrade]] = {}
        for row in self.trades.values():
            found.setdefault(PositionKey(row.subaccount, row.market), []).append(row)
        return found


@dataclass(frozen=True, slots=True)
class Ours:
    """What the Indexer's word is compared with: the account's own figures.

    `ledger_of`, `bookings_of`, `lives_of` answer for a subaccount and market; `fills_known` says whether all fills
    have been read. `subaccounts` are those under the parent that ever held anything; `equities` unclamped equities of
    the parent by height, where they were taken. `is_cut` tells that the oldest fills are not held any more: then trade
    history and PNL over time, which rest on every single fill, cannot be compared.
    """

    address: str
    parent: int
    positions: Sequence[Position]
    keys: Sequence[PositionKey]
    ledger_of: Callable[[PositionKey], Ledger]
    bookings_of: Callable[[PositionKey], Iterable[Booking]]
    lives_of: Callable[[PositionKey], Sequence[Life]]
    payments: Sequence[FundingPayment]
    transfers: Sequence[Transfer]
    fills_known: bool
    subaccounts: Sequence[int]
    equities: Mapping[int, Decimal] = field(default_factory=dict)
    is_cut: bool = False


def reconcile(ours: Ours, stated: Stated) -> tuple[Difference, ...]:
    """Return every difference between the account's figures and those that the Indexer stated."""
    if not ours.fills_known:
        return ()
    found: list[Difference] = []
    held = {PositionKey(position.subaccount, position.market): position for position in ours.positions}
    booked = {key: list(ours.bookings_of(key)) for key in ours.keys}
    traded = stated.trades_by_key()
    for key, bookings in booked.items():
        ledger = ours.ledger_of(key)
        position = held.get(key)
        if position is not None:
            found += position_differences(position, ledger, bookings)
        rows = () if ours.is_cut else traded.get(key)
        if rows:
            found += trade_differences(rows, bookings, ours.lives_of(key))
    fills = [booking.fill for bookings in booked.values() for booking in bookings]
    for number, points in () if ours.is_cut else stated.points.items():
        scope = Scope(ours.address, ours.parent, number)
        found += pnl_differences(scope, points.values(), fills, ours.payments)
    whole = Scope(ours.address, ours.parent, None)
    ticks = stated.ticks.get(None, {}).values()
    found += tick_differences(whole, ticks, ours.transfers, ours.equities, is_alone=len(ours.subaccounts) < 2)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose figures: those of one subaccount, or of all children of a parent where `subaccount` is None."""

    address: str
    parent: int
    subaccount: int | None

    def holds(self, number: int | None) -> bool:
        """Return whether a subaccount number of the address is within."""
        if number is None:
            return False
        return parent_of(number) == self.parent if self.subaccount is None else number == self.subaccount


# positions


def position_differences(position: Position, ledger: Ledger, bookings: Sequence[Booking]) -> list[Difference]:
    """Compare a position row, by REST or of the stream, with the books of the same subaccount and market."""
    if position.net_size != ledger.net_size or not ledger.is_complete or not _began_flat(bookings):
        return _size_difference(position, ledger)
    rows = venue_rows(bookings)
    if not rows:
        return []
    found = []
    row = rows[-1]
    if position.entry_price is not None and not _same(position.entry_price, ledger.average_cost):
        why = _reasons(row, Why.AVERAGE if row.has_reopened or row.is_flipped else None, Why.FLIP)
        ours, stated = ledger.average_cost, position.entry_price
        found.append(_position_difference(position, "entry_price", ours, stated, expected=row.entry_price, why=why))
    realized = position.venue_realized_pnl
    if realized is not None and not _same(realized, ledger.life_realized):
        found.append(_realized_difference(position, ledger, row, realized))
    return found


def _size_difference(position: Position, ledger: Ledger) -> list[Difference]:
    if position.net_size == ledger.net_size:
        return []
    why = () if ledger.is_complete else (Why.HISTORY,)
    gap = None if why else position.net_size - ledger.net_size
    where = (position.subaccount, position.market)
    return [Difference(Source.POSITIONS, "net_size", *where, ledger.net_size, position.net_size, why, gap)]


def _began_flat(bookings: Sequence[Booking]) -> bool:
    if not bookings:
        return False
    first = bookings[0]
    return not first.closed and abs(first.net_size) == first.opened


def _realized_difference(position: Position, ledger: Ledger, row: VenueRow, stated: Decimal) -> Difference:
    with localcontext(MATH):
        streamed = row.closed_gain + (position.net_funding or ZERO)
    by_stream = _same(stated, streamed) and not _same(stated, row.realized)
    if by_stream:
        why = _reasons(row, Why.FUNDING if position.net_funding else None, Why.FLIP, Why.AVERAGE)
        return _position_difference(position, "realized", ledger.life_realized, stated, expected=streamed, why=why)
    opened = position.opened_at
    if not stated and opened is not None and opened < _REALIZED_SINCE:
        return _position_difference(
            position, "realized", ledger.life_realized, stated, expected=stated, why=(Why.NOT_KEPT,)
        )
    fees = Why.FEES if row.fees else None
    why = _reasons(row, fees, Why.FLIP, Why.INHERITED, Why.FORCED, Why.AVERAGE)
    return _position_difference(position, "realized", ledger.life_realized, stated, expected=row.realized, why=why)


def _reasons(row: VenueRow, *wanted: Why | None) -> tuple[Why, ...]:
    """Return those of the reasons that the row gives occasion for; FEES, FUNDING where they are asked for."""
    there = {
        Why.FLIP: row.is_flipped,
        Why.INHERITED: row.has_inherited,
        Why.FORCED: row.has_forced,
        Why.AVERAGE: row.has_reopened or row.is_flipped,
    }
    return tuple(why for why in wanted if why is not None and there.get(why, True))


def _position_difference(
    position: Position, what: str, ours: Decimal | None, stated: Decimal, *, expected: Decimal, why: tuple[Why, ...]
) -> Difference:
    explained = bool(why) and _same(stated, expected)
    with localcontext(MATH):
        gap = None if explained else stated - expected if why else stated - (ours or ZERO)
    where = (position.subaccount, position.market)
    return Difference(Source.POSITIONS, what, *where, ours, stated, why if explained else (), gap)


# trade history


def trade_differences(
    rows: Sequence[VenueTrade], bookings: Sequence[Booking], lives: Sequence[Life]
) -> list[Difference]:
    """Compare rows of the trade history, of one subaccount and market, with the lives of the same.

    A row that the same fills do not give is an alarm; for the others the sums of each life are compared with ours.
    """
    if not _began_flat(bookings):
        first = rows[0]
        return [Difference(Source.TRADE_HISTORY, "rows", first.subaccount, first.market, None, None, (Why.HISTORY,))]
    fills = [booking.fill for booking in bookings]
    newest = fills[-1].created_at
    told = [row for row in rows if row.at <= newest]
    lines = min(
        (_lines_by_id(fills, name_of) for name_of in (by_order_and_block, by_order)),
        key=lambda known: sum(not _is_told(row, known) for row in told),
    )
    found = [_unexplained_row(row, lines.get(_name(row))) for row in told if not _is_told(row, lines)]
    last: dict[int, tuple[VenueTrade, TradeLine]] = {}
    for row in sorted(told, key=lambda row: row.at):
        line = lines.get(_name(row))
        if line is not None and _is_told(row, lines):
            held = last.get(line.life)
            if held is None or (row.at, line.added_size.copy_abs()) >= (held[0].at, ZERO):
                last[line.life] = (row, line)
    return found + _life_differences(last, lines, lives, fills)


def _lines_by_id(fills: Sequence[Fill], name_of: Callable[[Fill], str]) -> dict[tuple[str, str], TradeLine]:
    return {
        (line.id.removesuffix(":close").removesuffix(":open"), line.action): line
        for line in trade_lines(fills, name_of)
    }


def _name(row: VenueTrade) -> tuple[str, str]:
    return row.id.removesuffix(":close").removesuffix(":open"), row.action


def _is_told(row: VenueTrade, lines: Mapping[tuple[str, str], TradeLine]) -> bool:
    line = lines.get(_name(row))
    return (
        line is not None
        and _same(row.price, line.price)
        and _same(row.net_fee, line.net_fee)
        and _same(row.net_realized, line.net_realized)
        and _same(row.prev_size, line.prev_size)
        and _same(row.added_size.copy_abs(), line.added_size.copy_abs())
        and (row.entry_price is None or _same(row.entry_price, line.entry_price))
    )


def _unexplained_row(row: VenueTrade, line: TradeLine | None) -> Difference:
    expected = None if line is None else line.net_realized
    with localcontext(MATH):
        gap = row.net_realized if expected is None else row.net_realized - expected
    where = (row.subaccount, row.market)
    return Difference(Source.TRADE_HISTORY, "row", *where, expected, row.net_realized, (), gap, row.at)


def _life_differences(
    last: Mapping[int, tuple[VenueTrade, TradeLine]],
    lines: Mapping[tuple[str, str], TradeLine],
    lives: Sequence[Life],
    fills: Sequence[Fill],
) -> list[Difference]:
    """Compare the sums of each life with ours, where a life of the trade history is one of ours."""
    count = 1 + max((line.life for line in lines.values()), default=-1)
    if count != len(lives):
        return _whole_difference(last, lives)
    has_builder_fees = any(fill.builder_fee for fill in fills)
    found = []
    for number, (row, _) in sorted(last.items()):
        life = lives[number]
        is_newest = _is_last_row(row, life)
        if is_newest and not _same(row.net_realized, life.realized):
            found.append(_life_difference("realized", row, life.realized, row.net_realized, (Why.GROUPED,)))
        if is_newest and not _same(row.net_fee, life.fees):
            why = (Why.BUILDER_FEES,) if has_builder_fees else (Why.GROUPED,)
            found.append(_life_difference("fees", row, life.fees, row.net_fee, why))
    return found


def _is_last_row(row: VenueTrade, life: Life) -> bool:
    """Return whether a row is the last of its life: before that, its sums are not those of the life."""
    return life.closed_at is None or row.action in ("CLOSE", "LIQUIDATION_CLOSE")


def _whole_difference(last: Mapping[int, tuple[VenueTrade, TradeLine]], lives: Sequence[Life]) -> list[Difference]:
    """Grouping by order hides lives: then the sums over all of them are compared."""
    if not last or not lives:
        return []
    row = max((row for row, _ in last.values()), key=lambda row: row.at)
    with localcontext(MATH):
        ours = sum((life.realized for life in lives), start=ZERO)
        venue = sum((row.net_realized for row, _ in last.values()), start=ZERO)
    return [] if _same(ours, venue) else [_life_difference("realized", row, ours, venue, (Why.GROUPED,))]


def _life_difference(what: str, row: VenueTrade, ours: Decimal, venue: Decimal, why: tuple[Why, ...]) -> Difference:
    return Difference(Source.TRADE_HISTORY, what, row.subaccount, row.market, ours, venue, why, None, row.at)


# PNL over time


def pnl_differences(
    scope: Scope, points: Iterable[VenuePnl], fills: Iterable[Fill], payments: Iterable[FundingPayment]
) -> list[Difference]:
    """Compare how `/pnl` moved between each two of its points with what fills and payments of that time make.

    A span is compared where the payments at both of its ends tell the value of every position; the oracle price of a
    past block is known from nowhere else.
    """
    walk = _Walk(scope, fills, payments)
    found: list[Difference] = []
    before: tuple[VenuePnl, Decimal | None] | None = None
    with localcontext(MATH):
        for point in sorted(points, key=lambda point: point.height):
            moved, value = walk.to(point.height), walk.value(point.height)
            if before is not None and before[1] is not None and value is not None:
                gained = replace(moved, pnl=moved.pnl + value - before[1])
                found += _span_difference(scope, before[0], point, gained)
            before = point, value
    return found


@dataclass(frozen=True, slots=True)
class Moved:
    """What a span brought by our figures, without builder fees; `fees` and `builder_fees` apart."""

    pnl: Decimal
    fees: Decimal
    builder_fees: Decimal
    fills: int


class _Walk:
    """Goes through fills and payments once, from block to block."""

    def __init__(self, scope: Scope, fills: Iterable[Fill], payments: Iterable[FundingPayment]) -> None:
        self._fills = sorted((fill for fill in fills if scope.holds(fill.subaccount)), key=lambda fill: fill.height)
        self._next = 0
        self._sizes: dict[PositionKey, Decimal] = {}
        self._paid: dict[int, dict[PositionKey, FundingPayment]] = {}
        for payment in payments:
            if scope.holds(payment.subaccount):
                key = PositionKey(payment.subaccount, payment.market)
                self._paid.setdefault(payment.height, {})[key] = payment
        self._funded = sorted(self._paid)
        self._next_funding = 0

    def to(self, height: int) -> Moved:
        """Go on up to a block; returns what the way there brought, without the change of the positions' value."""
        cash = fees = builder = ZERO
        began = self._next
        while self._next < len(self._fills) and self._fills[self._next].height <= height:
            fill = self._fills[self._next]
            self._next += 1
            key = PositionKey(fill.subaccount, fill.market)
            self._sizes[key] = self._sizes.get(key, ZERO) + fill.signed_size
            cash -= fill.signed_size * fill.price
            fees += fill.fee
            builder += fill.builder_fee or ZERO
        return Moved(cash - fees + self._funding_to(height), fees, builder, self._next - began)

    def value(self, height: int) -> Decimal | None:
        """Return Σ size × oracle at a funding block, None where a position's payment there is not known."""
        told = self._paid.get(height, {})
        value = ZERO
        for key, size in self._sizes.items():
            if not size:
                continue
            payment = told.get(key)
            if payment is None or payment.net_size != size:
                return None
            value += size * payment.oracle_price
        return value

    def _funding_to(self, height: int) -> Decimal:
        funding = ZERO
        while self._next_funding < len(self._funded) and self._funded[self._next_funding] <= height:
            funding += sum((p.payment for p in self._paid[self._funded[self._next_funding]].values()), start=ZERO)
            self._next_funding += 1
        return funding


def _span_difference(scope: Scope, first: VenuePnl, last: VenuePnl, moved: Moved) -> list[Difference]:
    stated = last.total_pnl - first.total_pnl
    ours = moved.pnl - moved.builder_fees
    # amounts of fills and payments are cut to a millionth each
    room = _MICRO * (2 + moved.fills)
    if abs(stated - ours) <= room:
        return []
    why: tuple[Why, ...] = ()
    if abs(stated - moved.pnl) <= room:
        why = (Why.BUILDER_FEES,)
    elif abs(stated - moved.pnl - moved.fees) <= room:
        why = (Why.FEES, Why.BUILDER_FEES) if moved.builder_fees else (Why.FEES,)
    gap = None if why else stated - ours
    return [Difference(Source.PNL, "total_pnl", scope.subaccount, None, ours, stated, why, gap, last.at)]


def tick_differences(
    scope: Scope,
    ticks: Iterable[VenueTick],
    transfers: Iterable[Transfer],
    equities: Mapping[int, Decimal],
    *,
    is_alone: bool,
) -> list[Difference]:
    """Compare points of `/historical-pnl` with our transfers, and with our equity where it was taken at their block.

    A point's PNL is its equity less every transfer up to its block, so what lies between the two must be ours. Where
    the account is not one subaccount alone, a point may lack some of its children: then a difference proves nothing.
    """
    why = () if is_alone else (Why.CHILDREN,)
    flows = [(transfer.height, flow) for transfer in transfers if (flow := _flow(scope, transfer))]
    found = []
    with localcontext(MATH):
        for tick in sorted(ticks, key=lambda tick: tick.height):
            ours = sum((flow for height, flow in flows if height <= tick.height), start=ZERO)
            found += _tick_difference(tick, "transfers", ours, tick.equity - tick.total_pnl, why)
            held = equities.get(tick.height)
            if held is not None:
                found += _tick_difference(tick, "equity", held, tick.equity, why)
    return found


def _flow(scope: Scope, transfer: Transfer) -> Decimal:
    """Return what a transfer brought into the scope, in USDC; zero for other assets and between its own children."""
    if transfer.asset != "USDC":
        return ZERO
    into = transfer.recipient == scope.address and scope.holds(transfer.recipient_subaccount)
    out = transfer.sender == scope.address and scope.holds(transfer.sender_subaccount)
    return transfer.size * (into - out)


def _tick_difference(
    tick: VenueTick, what: str, ours: Decimal, venue: Decimal, why: tuple[Why, ...]
) -> list[Difference]:
    # equity and PNL are each cut to a millionth
    if abs(ours - venue) <= 2 * _MICRO:
        return []
    gap = None if why else venue - ours
    return [Difference(Source.HISTORICAL_PNL, what, None, None, ours, venue, why, gap, tick.at)]


def _same(one: Decimal, other: Decimal | None) -> bool:
    """Return whether two figures are equal but for the rounding of divisions."""
    if other is None:
        return False
    with localcontext(MATH):
        return abs(one - other) <= _CLOSE * max(Decimal(1), abs(one))
