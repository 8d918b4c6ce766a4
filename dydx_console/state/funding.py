"""Funding by subaccount and market: payments read by REST, and what the stream has moved since.

A position row's `net_funding` by REST counts settled and unsettled funding, on the stream settled alone; the movement
since a read is therefore counted from the row's figure at that read (dydxprotocol/v4-chain indexer/services/comlink/
src/lib/helpers.ts, indexer/services/ender/src/helpers/kafka-helper.ts). A payment of a later block than that read
comes back in the stream's figures when it is settled, so where these have moved they stand for it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, localcontext

from dydx_console.domain.enums import PositionStatus
from dydx_console.domain.flows import FundingPayment
from dydx_console.domain.ids import PositionKey, StreamVersion
from dydx_console.domain.numbers import MATH, ZERO
from dydx_console.domain.position import ChildState, Position
from dydx_console.state.accounting import SUMS
from dydx_console.state.pnl_days import DayBook

__all__ = ["Funding", "PaidBefore"]


@dataclass(frozen=True, slots=True)
class Row:
    """The newest stream figure of a position row, and whether the row has ended."""

    version: StreamVersion
    place: int
    figure: Decimal
    has_ended: bool
    height: int | None


@dataclass(frozen=True, slots=True)
class Base:
    """A position row's figure by REST: the block it knows funding up to, and when the row began."""

    figure: Decimal = ZERO
    height: int | None = None
    opened: int | datetime | None = None


@dataclass(slots=True)
class PaidBefore:
    """Payments that are not held one by one: their sum and newest block by subaccount and market, and by day."""

    days: DayBook
    totals: dict[PositionKey, Decimal] = field(default_factory=dict)
    newest: dict[PositionKey, int] = field(default_factory=dict)

    def take(self, payments: Iterable[FundingPayment]) -> None:
        """Add payments."""
        with localcontext(SUMS):
            for payment in payments:
                key = PositionKey(payment.subaccount, payment.market)
                self.totals[key] = self.totals.get(key, ZERO) + payment.payment
                self.newest[key] = max(self.newest.get(key, 0), payment.height)
                self.days.pay(payment)


@dataclass(slots=True)
class Line:
    """One subaccount and market. `carried` is what moved between the last payments read and the base, `before` the sum
    of the payments up to the block `floor`, which are not held.
    """

    before: Decimal = ZERO
    floor: int = -1
    payments: dict[int, FundingPayment] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    base: Base = field(default_factory=Base)
    carried: Decimal = ZERO
    paid: Decimal = ZERO
    paid_to_base: Decimal = ZERO

    def add_up(self) -> None:
        """Sum the payments anew."""
        height = self.base.height
        self.paid = sum((p.payment for p in self.payments.values()), start=self.before)
        told = (p.payment for p in self.payments.values() if height is None or p.height <= height)
        self.paid_to_base = sum(told, start=self.before)

    def total(self) -> Decimal:
        """Return payments and movement."""
        if not self.rows:
            return self.paid + self.carried
        figures = sum((row.figure for row in self.rows.values()), start=ZERO)
        return self.paid_to_base + self.carried + figures - self.base.figure

    def moved_to(self, position: Position | None, base: Base) -> Decimal:
        """Return what moved from the held base to a newer REST row, `position`, whose base is given."""
        figures = [row.figure for row in self.rows.values() if row.has_ended or position is None]
        if position is None:
            return sum(figures, start=ZERO) - self.base.figure if figures else ZERO
        is_same = bool(self.rows) or self.base.opened is None or self.base.opened == base.opened
        return sum(figures, start=ZERO) + base.figure - (self.base.figure if is_same else ZERO)


class Funding:
    """What funding has brought (positive) or cost, in USDC.

    Args:
        days: where the payments are added up by day.
    """

    def __init__(self, days: DayBook | None = None) -> None:
        self._days = DayBook(UTC) if days is None else days
        self._before: PaidBefore | None = None
        self.revision = 0
        """Grows with every payment that is new or another."""
        self._lines: dict[PositionKey, Line] = {}
        self._known = False

    @property
    def payments(self) -> tuple[FundingPayment, ...]:
        """Known payments, newest first."""
        found = (payment for line in self._lines.values() for payment in line.payments.values())
        return tuple(sorted(found, key=lambda p: (p.height, p.subaccount, p.market), reverse=True))

    @property
    def is_known(self) -> bool:
        """Whether the payments have been read."""
        return self._known

    def of(self, key: PositionKey) -> tuple[FundingPayment, ...]:
        """Return the known payments of a subaccount and market, oldest first."""
        line = self._lines.get(key)
        return () if line is None else tuple(line.payments[height] for height in sorted(line.payments))

    def held(self, key: PositionKey) -> Decimal | None:
        """Return the total less the payments that are not held one by one, None while payments have not been read."""
        total, line = self.total(key), self._lines.get(key)
        with localcontext(MATH):
            return total if total is None or line is None else total - line.before

    def floor(self, key: PositionKey) -> int:
        """Return the block up to which payments are not held one by one, −1 where all are."""
        line = self._lines.get(key)
        return -1 if line is None else line.floor

    def keys(self) -> set[PositionKey]:
        """Return every subaccount and market with funding."""
        lines = self._lines.items()
        return {key for key, line in lines if line.payments or line.rows or line.carried or line.floor >= 0}

    def recall(self, payments: Iterable[FundingPayment]) -> tuple[FundingPayment, ...]:
        """Add payments that an earlier run knew, which say nothing of what came since; returns those not held."""
        with localcontext(MATH):
            new = self._put(payments)
            for line in self._lines.values():
                line.add_up()
        return new

    def _put(self, payments: Iterable[FundingPayment]) -> tuple[FundingPayment, ...]:
        new: list[FundingPayment] = []
        for payment in payments:
            line = self._lines.setdefault(PositionKey(payment.subaccount, payment.market), Line())
            held = line.payments.get(payment.height)
            if held == payment or payment.height <= line.floor:
                continue
            line.payments[payment.height] = payment
            new.append(payment)
            if held is None:
                self._days.pay(payment)
            else:
                self._days.amend(held, payment)
        self.revision += len(new)
        return tuple(new)

    def begin_after(self, before: PaidBefore) -> None:
        """Count payments as known that are not held one by one; those held of the same blocks are dropped."""
        with localcontext(MATH):
            if self._before is not None:
                self._days.release(self._before.days)
            self._before = before
            self._days.absorb(before.days)
            for key in before.totals:
                self._lines.setdefault(key, Line())
            for key, line in self._lines.items():
                line.before, line.floor = before.totals.get(key, ZERO), before.newest.get(key, -1)
                for height in [height for height in line.payments if height <= line.floor]:
                    gone = DayBook(self._days.zone)
                    gone.pay(line.payments.pop(height))
                    self._days.release(gone)
                line.add_up()
        self.revision += 1

    def take_payments(
        self, payments: Iterable[FundingPayment], subaccount: int | None = None
    ) -> tuple[FundingPayment, ...]:
        """Add payments read by REST, of one subaccount or of all; they count for what has moved until now.

        Returns those that were not held.
        """
        with localcontext(MATH):
            new = self._put(payments)
            for key, line in self._lines.items():
                if subaccount is None or key.subaccount == subaccount:
                    line.carried = ZERO
                    line.add_up()
        self._known = True
        return new

    def rebase(self, child: ChildState, mark: StreamVersion | None) -> None:
        """Count the stream's movement of a subaccount from its rows, just read again.

        `mark` is the version of a snapshot, None for a REST answer: rows sent after it, or of later blocks, stay.
        """
        given = {PositionKey(child.subaccount, position.market): position for position in child.positions}
        held = {key for key in self._lines if key.subaccount == child.subaccount}
        with localcontext(MATH):
            for key in held | set(given):
                self._rebase(self._lines.setdefault(key, Line()), given.get(key), child, mark)

    def _rebase(self, line: Line, position: Position | None, child: ChildState, mark: StreamVersion | None) -> None:
        height = child.read_at_height
        base = Base(height=height)
        if position is not None:
            opened = position.opened_at_height if position.opened_at_height is not None else position.opened_at
            base = Base(position.net_funding or ZERO, height, opened)
        later = {name: row for name, row in line.rows.items() if _stands(row, child.height, mark)}
        line.rows = {name: row for name, row in line.rows.items() if name not in later}
        if self._known:
            line.carried += line.moved_to(position, base)
        line.rows, line.base = later, base
        line.add_up()

    def take_rows(self, positions: Iterable[Position], version: StreamVersion) -> None:
        """Note the settled funding of position rows; a row that ends keeps its last figure."""
        for place, position in enumerate(positions):
            if position.net_funding is None:
                continue
            line = self._lines.setdefault(PositionKey(position.subaccount, position.market), Line())
            name = position.position_id or ""
            held = line.rows.get(name)
            if held is None or (version, place) >= (held.version, held.place):
                has_ended = position.status != PositionStatus.OPEN
                line.rows[name] = Row(version, place, position.net_funding, has_ended, position.height)

    def total(self, key: PositionKey) -> Decimal | None:
        """Return the funding of a subaccount and market, None while its payments have not been read."""
        if not self._known:
            return None
        line = self._lines.get(key)
        with localcontext(MATH):
            return ZERO if line is None else line.total()


def _stands(row: Row, height: int | None, mark: StreamVersion | None) -> bool:
    if mark is not None and row.version > mark:
        return True
    return height is not None and row.height is not None and row.height > height
