"""A bare exchange with an Indexer and WebSocket core, and a reader of frames, for the simulator's tests."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

from dydx_console.sim.core.addresses import address_of
from dydx_console.sim.core.exchange import ChainOptions, Exchange
from dydx_console.sim.core.orders import (
    CONDITIONAL,
    LONG_TERM,
    SHORT_TERM,
    Cancel,
    ConditionType,
    Order,
    OrderId,
    Place,
    Side,
    SubaccountId,
    TimeInForce,
    Transfer,
    Tx,
    TxAnswer,
)
from dydx_console.sim.indexer.comlink import Answer, Comlink, Request
from dydx_console.sim.indexer.service import Indexer
from dydx_console.sim.indexer.session import Session, Text
from dydx_console.sim.indexer.socks import Socks, SocksOptions

NOW = 1_795_219_200_000
ALICE = SubaccountId(address_of("alice"), 0)
BOB = SubaccountId(address_of("bob"), 0)
BUY, SELL = Side.BUY, Side.SELL
USDC = 1_000_000


@dataclass
class Desk:
    """Two funded traders on an empty venue, one block per `block()`, no actors."""

    options: ChainOptions = field(default_factory=ChainOptions)
    now: int = NOW

    def __post_init__(self) -> None:
        self.exchange = Exchange(self.options, self.now)
        self.indexer = Indexer(self.options.markets, self.exchange.height, self.now, self.options.funding_speedup)
        self.comlink = Comlink(self.indexer.store)
        self.socks = Socks(self.comlink, Random(1), SocksOptions((1, 1), (1, 1)))
        self.indexer.outlet.watched = self.socks.watched
        self.indexer.outlet.sink = self.socks.publish
        self.btc, self.eth = self.exchange.market("BTC-USD"), self.exchange.market("ETH-USD")
        self.isolated = self.exchange.market("EIGEN-USD")
        self.clients = 0
        for who in (ALICE, BOB):
            self.send(Transfer(address_of("bank"), who, 1_000_000 * USDC))
        self.block()

    def send(self, tx: Tx) -> TxAnswer:
        answer = self.exchange.submit(tx, self.now)
        self.indexer.consume(self.exchange.drain(), self.now)
        return answer

    def block(self, count: int = 1) -> None:
        for _ in range(count):
            self.now += self.exchange.block_ms
            self.exchange.advance(self.now)
            self.indexer.consume(self.exchange.drain(), self.now)
            self.socks.advance(self.now)
            for session in self.socks.sessions:
                self.socks.pong(session)

    def order(
        self,
        who: SubaccountId,
        side: Side,
        size: int,
        price: int,
        *,
        client: int | None = None,
        flags: int = SHORT_TERM,
        life: int = 20,
        tif: TimeInForce = TimeInForce.UNSPECIFIED,
        market: Any = None,
        reduce_only: bool = False,
        trigger: int | None = None,
        condition: ConditionType = ConditionType.STOP_LOSS,
    ) -> Order:
        """`size` in steps of the market, `price` (and `trigger`) in ticks."""
        market = market or self.btc
        self.clients += 1
        order_id = OrderId(who, self.clients if client is None else client, flags, market.clob_pair_id)
        stateful = flags != SHORT_TERM
        return Order(
            id=order_id,
            side=side,
            quantums=size * market.step_base_quantums,
            subticks=price * market.subticks_per_tick,
            good_til_block=None if stateful else self.exchange.height + life,
            good_til_block_time_s=self.exchange.time_ms // 1000 + 60 * life if stateful else None,
            time_in_force=tif,
            reduce_only=reduce_only,
            condition=condition if flags == CONDITIONAL else ConditionType.UNSPECIFIED,
            trigger_subticks=0 if trigger is None else trigger * market.subticks_per_tick,
        )

    def place(self, who: SubaccountId, side: Side, size: int, price: int, **kwargs: Any) -> Order:
        order = self.order(who, side, size, price, **kwargs)
        answer = self.send(Place(order))
        assert answer.ok, answer
        return order

    def cancel(self, order: Order, life: int = 20) -> TxAnswer:
        if order.id.short_term:
            return self.send(Cancel(order.id, good_til_block=self.exchange.height + life))
        return self.send(Cancel(order.id, good_til_block_time_s=order.good_til_block_time_s))

    def get(self, path: str, **query: str) -> Any:
        """The body of a 200 answer to an unlimited GET."""
        answer = self.request(path, **query)
        assert answer.status == 200, answer
        return answer.json()

    def request(self, path: str, client: str | None = None, **query: str) -> Answer:
        return self.comlink.answer(Request("GET", path, query, client), self.now)

    def watch(self, *subscriptions: dict[str, Any]) -> Watcher:
        """A connection whose subscriptions are registered."""
        watcher = Watcher(self, self.socks.connect(self.now))
        for subscription in subscriptions:
            watcher.say({"type": "subscribe", **subscription})
        self.socks.advance(self.now + 10)
        watcher.read()
        return watcher

    def watch_account(self, who: SubaccountId = ALICE) -> Watcher:
        return self.watch({"channel": "v4_subaccounts", "id": f"{who.owner}/{who.number}"})


@dataclass
class Watcher:
    """One client of the WebSocket core."""

    desk: Desk
    session: Session
    frames: list[dict[str, Any]] = field(default_factory=list)

    def say(self, message: Any) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        self.desk.socks.receive(self.session, text, self.desk.now)

    def read(self) -> list[dict[str, Any]]:
        """New text frames, decoded."""
        fresh = [json.loads(f.text) for f in self.session.take() if isinstance(f, Text)]
        self.frames += fresh
        return fresh

    def contents(self) -> list[dict[str, Any]]:
        """Contents of the new updates, batches flattened."""
        found: list[dict[str, Any]] = []
        for frame in self.read():
            if frame["type"] == "channel_data":
                found.append(frame["contents"])
            elif frame["type"] == "channel_batch_data":
                found += frame["contents"]
        return found

    def orders(self) -> list[dict[str, Any]]:
        """Order objects of the new updates."""
        return [order for contents in self.contents() for order in contents.get("orders", [])]

    def stories(self) -> list[tuple[str, str]]:
        """(status, removal reason) of each new order object."""
        return [
            (order["status"], order.get("removalReason", "").removeprefix("ORDER_REMOVAL_REASON_"))
            for order in self.orders()
        ]


def stop(desk: Desk, who: SubaccountId, side: Side, size: int, price: int, trigger: int, **kwargs: Any) -> Order:
    """A placed stop order."""
    return desk.place(who, side, size, price, flags=CONDITIONAL, trigger=trigger, **kwargs)


def long_term(desk: Desk, who: SubaccountId, side: Side, size: int, price: int, **kwargs: Any) -> Order:
    """A placed long-term order."""
    return desk.place(who, side, size, price, flags=LONG_TERM, **kwargs)
