"""What one node holds: books, order memory, committed stateful orders, and what waits for the next block."""

from __future__ import annotations

from dataclasses import dataclass, field

from dydx_console.sim.core.accounts import Accounts
from dydx_console.sim.core.book import Book
from dydx_console.sim.core.events import ChainEvent, Event, LevelChanged, OrderRemoved
from dydx_console.sim.core.fees import FeeSchedule
from dydx_console.sim.core.insurance import InsuranceFunds
from dydx_console.sim.core.markets import Market
from dydx_console.sim.core.orders import Cancel, Order, OrderId, Place, RemovalReason, Side, Transfer

SHORT_BLOCK_WINDOW = 40
STATEFUL_WINDOW_S = 95 * 24 * 3600


@dataclass(frozen=True, slots=True)
class LiquidationRules:
    """Mainnet's parameters (protocol/testing/mainnet/genesis.json, liquidations_config); money in micro-USDC.

    The two block limits on notional hold for accounts that are not below zero.
    """

    max_fee_ppm: int = 15_000
    min_position_notional: int = 1_000_000_000
    max_position_portion_ppm: int = 100_000
    max_notional: int = 100_000_000_000
    max_insurance_lost: int = 1_000_000_000_000
    bankruptcy_adjustment_ppm: int = 1_000_000
    spread_to_maintenance_ppm: int = 1_500_000


@dataclass(slots=True)
class NodeState:
    """The mutable heart of the exchange. Positions and balances here include matches not yet in a block."""

    markets: dict[int, Market]
    oracle_values: dict[int, int]
    accounts: Accounts
    fees: FeeSchedule
    books: dict[int, Book]
    height: int
    time_ms: int
    insurance: InsuranceFunds
    rules: LiquidationRules
    perpetuals: dict[int, Market]
    filled: dict[OrderId, int] = field(default_factory=dict)
    short_term: dict[OrderId, Order] = field(default_factory=dict)
    expiring: dict[int, dict[OrderId, None]] = field(default_factory=dict)
    cancels: dict[OrderId, int] = field(default_factory=dict)
    stateful: dict[OrderId, Order] = field(default_factory=dict)
    untriggered: dict[OrderId, Order] = field(default_factory=dict)
    pending_transactions: list[Place | Cancel | Transfer] = field(default_factory=list)
    pending_operations: list[ChainEvent] = field(default_factory=list)
    traded_subticks: dict[int, tuple[int, int]] = field(default_factory=dict)
    rewards: dict[str, int] = field(default_factory=dict)
    outbox: list[Event] = field(default_factory=list)

    @property
    def next_height(self) -> int:
        """The height that the next block will have."""
        return self.height + 1

    def emit(self, event: Event) -> None:
        """Tell the Indexer."""
        self.outbox.append(event)

    def emit_level(self, clob_pair_id: int, side: Side, subticks: int, quantums: int) -> None:
        """Tell the Indexer a level's new total."""
        self.outbox.append(LevelChanged(clob_pair_id, side, subticks, quantums))

    def remaining(self, order: Order) -> int:
        """What of an order has not been filled."""
        return order.quantums - self.filled.get(order.id, 0)

    def remember(self, order: Order) -> None:
        """Hold a short-term order in memory until its good-til-block."""
        self.short_term[order.id] = order
        self.expiring.setdefault(order.good_til_block or 0, {})[order.id] = None

    def take_off_book(self, order_id: OrderId) -> bool:
        """Drop a resting order and publish its level; False when it does not rest."""
        book = self.books[order_id.clob_pair_id]
        resting = book.get(order_id)
        if resting is None:
            return False
        order = resting.order
        self.emit_level(order_id.clob_pair_id, order.side, order.subticks, book.remove(resting))
        return True

    def remove(self, order_id: OrderId, order: Order | None, reason: RemovalReason, *, final: bool = False) -> None:
        """Take an order off the book, if it is there, and tell the Indexer that it is gone."""
        self.take_off_book(order_id)
        self.emit(OrderRemoved(order_id, order, reason, self.filled.get(order_id, 0), final))
