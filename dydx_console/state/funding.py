"""Funding by subaccount and market: payments read by REST, and what the stream has moved since.

A position row's `net_funding` by REST counts settled and unsettled funding, on the stream settled alone; the movement
since a read is therefore counted from the row's figure at that read (dydxprotocol/v4-chain indexer/services/comlink/
src/lib/helpers.ts, indexer/services/ender/src/helpers/kafka-helper.ts).
"""

from collections.abc import Iterable
from decimal import Decimal

from dydx_console.domain.flows import FundingPayment
from dydx_console.domain.ids import PositionKey, StreamVersion
from dydx_console.domain.numbers import ZERO
from dydx_console.domain.position import Position

__all__ = ["Funding"]

_Row = tuple[PositionKey, str]


class Funding:
    """What funding has brought (positive) or cost, in USDC."""

    def __init__(self) -> None:
        self._payments: dict[tuple[int, str, int], FundingPayment] = {}
        self._base: dict[PositionKey, Decimal] = {}
        self._streamed: dict[_Row, tuple[StreamVersion, int, Decimal]] = {}
        self._known = False

    @property
    def payments(self) -> tuple[FundingPayment, ...]:
        """Known payments, newest first."""
        return tuple(sorted(self._payments.values(), key=lambda p: (p.height, p.subaccount, p.market), reverse=True))

    @property
    def is_known(self) -> bool:
        """Whether the payments have been read."""
        return self._known

    def keys(self) -> set[PositionKey]:
        """Return every subaccount and market with funding."""
        paid = {PositionKey(payment.subaccount, payment.market) for payment in self._payments.values()}
        return paid | {key for key, _ in self._streamed}

    def take_payments(self, payments: Iterable[FundingPayment]) -> None:
        """Add payments read by REST."""
        for payment in payments:
            self._payments[(payment.subaccount, payment.market, payment.height)] = payment
        self._known = True

    def rebase(self, subaccount: int, positions: Iterable[Position]) -> None:
        """Count the stream's movement of a subaccount from these rows, just read by REST."""
        self._streamed = {row: entry for row, entry in self._streamed.items() if row[0].subaccount != subaccount}
        self._base = {key: figure for key, figure in self._base.items() if key.subaccount != subaccount}
        for position in positions:
            self._base[PositionKey(subaccount, position.market)] = position.net_funding or ZERO

    def take_rows(self, positions: Iterable[Position], version: StreamVersion) -> None:
        """Note the settled funding of position rows; a row that ends keeps its last figure."""
        for index, position in enumerate(positions):
            if position.net_funding is None:
                continue
            key = PositionKey(position.subaccount, position.market)
            row = (key, position.position_id or "")
            held = self._streamed.get(row)
            if held is None or (version, index) >= held[:2]:
                self._streamed[row] = (version, index, position.net_funding)

    def total(self, key: PositionKey) -> Decimal | None:
        """Return the funding of a subaccount and market, None while its payments have not been read."""
        if not self._known:
            return None
        paid = sum((p.payment for p in self._payments.values() if (p.subaccount, p.market) == tuple(key)), start=ZERO)
        return paid + self._moved(key)

    def _moved(self, key: PositionKey) -> Decimal:
        rows = sorted((entry[:2], entry[2]) for (row_key, _), entry in self._streamed.items() if row_key == key)
        if not rows:
            return ZERO
        return sum((figure for _, figure in rows), start=ZERO) - self._base.get(key, ZERO)
