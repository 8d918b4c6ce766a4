"""An embedded exchange with a load of its own making, and a hand that trades on its account."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from dydx_console.sim.actors.party import beyond, short_term
from dydx_console.sim.core.markets import Market
from dydx_console.sim.core.orders import Order, Place, Side, SubaccountId, TimeInForce, Tx, TxAnswer
from dydx_console.sim.indexer.outlet import MARKETS
from dydx_console.sim.indexer.rows import Message
from dydx_console.sim.venue import Venue, VenueOptions

__all__ = ["BusyVenue", "Hand"]

STEP_MS = 10
ACCOUNT_EVERY = 4


class BusyVenue(Venue):
    """Says `rate` messages a second besides its own: prices that moved a little, and each fourth time the account's
    newest positions or balances once more, so that the account stays what it is.

    `said` counts them. `sink` hears every message when it is published, before anybody receives it.
    """

    def __init__(self, options: VenueOptions, now_ms: int, rate: int) -> None:
        super().__init__(options, now_ms)
        self.said = 0
        self.sink: Callable[[Message], None] = _nowhere
        self._rate = rate
        self._begun_ms = now_ms
        self._next_load_ms = now_ms + STEP_MS
        self._prices: dict[str, dict[str, object]] = {}
        self._account: Message | None = None
        self._publish_on = self.indexer.outlet.sink
        self.indexer.outlet.sink = self._noted

    @property
    def next_due_ms(self) -> int:
        """When `advance` next has something to do."""
        due = super().next_due_ms
        return min(due, self._next_load_ms) if self._rate else due

    def _step(self, due: int) -> None:
        if self._rate and due == self._next_load_ms:
            self._next_load_ms = due + STEP_MS
            while self.said < (due - self._begun_ms) * self._rate // 1_000:
                self._say()
        super()._step(due)

    def _noted(self, message: Message) -> None:
        prices = message.contents.get("oraclePrices")
        if isinstance(prices, dict):
            self._prices.update(prices)
        elif message.address == self.options.account and not {"fills", "orders"} & message.contents.keys():
            self._account = message
        self.sink(message)
        self._publish_on(message)

    def _say(self) -> None:
        self.said += 1
        if self._account is not None and self.said % ACCOUNT_EVERY == 0:
            self._publish_on(self._account)
        elif self._prices:
            ticker = sorted(self._prices)[self.said % len(self._prices)]
            price = self._prices[ticker]
            moved = Decimal(str(price["oraclePrice"])) * (10_000 + self.said % 7) / 10_000
            row = {**price, "oraclePrice": f"{moved:f}", "effectiveAtHeight": str(self.exchange.height)}
            self.indexer.outlet.sink = self._publish_on
            self.indexer.outlet.publish(MARKETS, MARKETS, {"oraclePrices": {ticker: row}})
            self.indexer.outlet.sink = self._noted


class Hand:
    """Trades by hand on the exchange's account, in its loop's thread.

    Args:
        venue: the exchange.
        submit: takes a transaction to its node.
        ticker: the market.
    """

    def __init__(self, venue: Venue, submit: Callable[[Tx], TxAnswer], ticker: str = "BTC-USD") -> None:
        self._submit = submit
        self._exchange = venue.exchange
        self._owner = SubaccountId(venue.options.account, 0)
        self._client_id = 1
        self.market: Market = self._exchange.market(ticker)

    def take(self, size: int) -> bool:
        """Trade so many of the smallest sizes at once, a sale below 0; returns whether the node took the order."""
        side = Side.BUY if size > 0 else Side.SELL
        best = self._exchange.best(self.market, side.opposite)
        if best is None:
            return False
        order = self._order(side, abs(size), beyond(self.market, best, side, 30), TimeInForce.IOC)
        return self._submit(Place(order)).ok

    @property
    def position(self) -> int:
        """What is held, signed, in quantums."""
        return self._exchange.position_quantums(self._owner, self.market)

    def rest(self, ticks_away: int, life: int = 18) -> Order:
        """Leave a bid of the smallest size so many ticks below the best one, for so many blocks.

        Raises RuntimeError where it is refused.
        """
        best = self._exchange.best(self.market, Side.BUY)
        if best is None:
            raise RuntimeError("the book is empty")
        order = self._order(
            Side.BUY, 1, beyond(self.market, best, Side.BUY, -ticks_away), TimeInForce.UNSPECIFIED, life
        )
        answer = self._submit(Place(order))
        if not answer.ok:
            raise RuntimeError(f"the order was refused: {answer}")
        return order

    def _order(self, side: Side, size: int, subticks: int, time_in_force: TimeInForce, life: int = 18) -> Order:
        self._client_id += 1
        return Order(
            id=short_term(self._owner, self.market, self._client_id),
            side=side,
            quantums=size * self.market.step_base_quantums,
            subticks=subticks,
            good_til_block=self._exchange.height + life,
            time_in_force=time_in_force,
        )


def _nowhere(_message: Message) -> None:
    """Nobody listens."""
