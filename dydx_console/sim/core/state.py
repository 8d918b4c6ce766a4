"""What one node holds: books, order memory, committed stateful orders, and what waits for the next block."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from dydx_console.sim.core.accounts import Accounts
from dydx_console.sim.core.authenticators import Authenticators
from dydx_console.sim.core.book import Book
from dydx_console.sim.core.events import ChainEvent, Event, LevelChanged, OrderRemoved
from dydx_console.sim.core.fees import FeeSchedule
from dydx_console.sim.core.insurance import InsuranceFunds
from dydx_console.sim.core.markets import Market
from dydx_console.sim.core.orders import Order, OrderId, RemovalReason, Side
from dydx_console.sim.core.transactions import Bundle

SHORT_BLOCK_WINDOW = 40
SHORT_BLOCK_WINDOW_BEFORE_9_5 = 20
STATEFUL_WINDOW_S = 95 * 24 * 3600


class MarketStatus(StrEnum):
    """What may be traded: everything, passive short-term post-only orders, or nothing."""

    ACTIVE = "ACTIVE"
    INITIALIZING = "INITIALIZING"
    FINAL_SETTLEMENT = "FINAL_SETTLEMENT"


def short_block_window(version: str) -> int:
    """How many blocks beyond the next one a good-til-block may be, by the chain's application version."""
    try:
        parts = tuple(int(part) for part in version.split("-", maxsplit=1)[0].split(".")[:2])
    except ValueError:
        return SHORT_BLOCK_WINDOW
    return SHORT_BLOCK_WINDOW if parts >= (9, 5) else SHORT_BLOCK_WINDOW_BEFORE_9_5


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
    """The mutable heart of the exchange. Positions and balances here include matches not yet in a block.

    `stateful` has the committed orders that are not filled or removed in memory; those that are wait in `leaving` for
    the block that says so. `untriggered` are those that wait for their trigger, or to be cut up. `matched` are the
    orders that the coming block fills. `permitted` tells under which permissions of its owner a short-term order was
    sent. `wallets` are micro-USDC by address.
    """

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
    leaving: dict[OrderId, Order] = field(default_factory=dict)
    matched: dict[OrderId, Order] = field(default_factory=dict)
    permitted: dict[OrderId, tuple[int, ...]] = field(default_factory=dict)
    authenticators: Authenticators = field(default_factory=Authenticators)
    wallets: dict[str, int] = field(default_factory=dict)
    newcomers: list[str] = field(default_factory=list)
    statuses: dict[int, MarketStatus] = field(default_factory=dict)
    short_block_window: int = SHORT_BLOCK_WINDOW
    waiting: list[Bundle] = field(default_factory=list)
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

    def committed_order(self, order_id: OrderId) -> Order | None:
        """A long-term or conditional order that the last block's state has."""
        return self.stateful.get(order_id) or self.untriggered.get(order_id) or self.leaving.get(order_id)

    def leave(self, order_id: OrderId) -> bool:
        """A stateful order is filled or removed in memory; False when it was not held."""
        order = self.stateful.pop(order_id, None)
        if order is not None:
            self.leaving[order_id] = order
        return order is not None

    def permit(self, order_id: OrderId, authenticators: tuple[int, ...]) -> None:
        """Remember under which permissions a short-term order was sent."""
        if authenticators:
            self.permitted[order_id] = authenticators
        else:
            self.permitted.pop(order_id, None)

    def revoked(self, order_id: OrderId) -> bool:
        """Whether a permission that an order was sent under is gone."""
        held = self.permitted.get(order_id)
        if not held:
            return False
        return any(self.authenticators.find(order_id.subaccount.owner, number) is None for number in held)

    def pay(self, address: str, quote_quantums: int) -> None:
        """Change what a wallet holds."""
        self.wallets[address] = self.wallets.get(address, 0) + quote_quantums
        self.newcomers.append(address)

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
