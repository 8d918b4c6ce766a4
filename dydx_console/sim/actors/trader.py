"""The demo account's trader: a script that shows, within a minute, all that can become of an order.

One turn a block. A bot taker helps where a resting order has to be filled in part or whole. Children: subaccount 0
trades the cross markets, 128 the isolated one. `restart(risky=True)` has it play with fire instead: positions as large
as a small stake carries, held until they are lost, and then again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from dydx_console.sim.actors.party import USDC, WALLET, beyond, deposit, short_term, take
from dydx_console.sim.actors.takers import Takers
from dydx_console.sim.core.exchange import Exchange
from dydx_console.sim.core.markets import Market
from dydx_console.sim.core.orders import (
    CONDITIONAL,
    LONG_TERM,
    Cancel,
    ConditionType,
    Order,
    OrderId,
    Place,
    Side,
    SubaccountId,
    TimeInForce,
    Transfer,
)

FUNDS_USDC = 250_000
CHILD_FUNDS_USDC = 20_000
STAKE_USDC = 5_000
RISKY_PERCENT = 800
MOURNING_TURNS = 20
HOUR_S = 3_600
DAY_S = 24 * HOUR_S


@dataclass(frozen=True, slots=True)
class _Leg:
    """A position worth a multiple of the stake."""

    subaccount: SubaccountId
    market: Market
    leverage: int


class DemoTrader:
    """Plays the script over and over. `restart` begins anew at the next turn."""

    def __init__(self, exchange: Exchange, takers: Takers, random: Random, address: str) -> None:
        self._exchange = exchange
        self._takers = takers
        self._random = random
        self.main = SubaccountId(address, 0)
        self.child = SubaccountId(address, 128)
        self._client_id = random.getrandbits(30)
        self._btc, self._eth, self._sol = (exchange.market(t) for t in ("BTC-USD", "ETH-USD", "SOL-USD"))
        self._isolated = next(market for market in exchange.options.markets if market.isolated)
        self._now_ms = 0
        self._working: list[Order] = []
        self._turns = self._script()

    def fund(self, now_ms: int) -> None:
        """Deposit the account's money; the child gets its share when the script begins."""
        deposit(self._exchange, self.main, FUNDS_USDC, now_ms)

    def turn(self, now_ms: int) -> None:
        """Do the script's next thing."""
        self._now_ms = now_ms
        next(self._turns)

    def restart(self, *, risky: bool = False) -> None:
        """Play from the beginning at the next turn, from then on with fire where that is asked for."""
        self._turns = self._risky_script() if risky else self._script()

    def _script(self) -> Iterator[None]:
        while True:
            yield from self._tidy()
            yield from self._open_positions()
            yield from self._short_term_life()
            yield from self._stateful_life()
            yield from self._resting_fills()
            yield from self._flip_and_close()
            yield from self._isolated_trade()

    def _risky_script(self) -> Iterator[None]:
        legs = (_Leg(self.main, self._btc, 25), _Leg(self.child, self._isolated, 10))
        yield from self._tidy()
        for market in (self._btc, self._eth, self._sol):
            self._close(self.main, market)
            yield
        self._close(self.child, self._isolated)
        yield
        while True:
            for leg in legs:
                yield from self._bet(leg)
            while all(self._held(leg) for leg in legs):
                yield
            for _ in range(MOURNING_TURNS):
                yield

    def _held(self, leg: _Leg) -> int:
        return self._exchange.position_quantums(leg.subaccount, leg.market)

    def _bet(self, leg: _Leg) -> Iterator[None]:
        """Bring a flat account to the stake, then buy until the position is worth its multiple."""
        if self._held(leg):
            return
        self._stake(leg.subaccount)
        yield
        yield
        value = self._exchange.oracle_value(leg.market)
        wanted = leg.market.quantums_worth(value, STAKE_USDC * leg.leverage * USDC)
        step = leg.market.step_base_quantums
        while (missing := (wanted - self._held(leg)) // step * step) > 0:
            quantums = min(missing, self._quantums(leg.market, RISKY_PERCENT))
            self._ioc(leg.market, Side.BUY, quantums, 30, subaccount=leg.subaccount)
            yield

    def _stake(self, subaccount: SubaccountId) -> None:
        account = self._exchange.state.accounts.get(subaccount)
        surplus = (account.usdc_quantums if account else 0) - STAKE_USDC * USDC
        if surplus > 0:
            self._exchange.submit(Transfer(subaccount, WALLET, surplus), self._now_ms)
        else:
            self._exchange.submit(Transfer(WALLET, subaccount, -surplus), self._now_ms)

    def _tidy(self) -> Iterator[None]:
        for order in self._working:
            self._cancel(order)
        self._working = []
        self._transfer_to_child()
        yield

    def _open_positions(self) -> Iterator[None]:
        self._market_order(self._eth, Side.BUY if self._random.randrange(2) else Side.SELL, 150)
        yield
        self._market_order(self._btc, Side.BUY, 60)
        yield

    def _short_term_life(self) -> Iterator[None]:
        resting = self._limit(self._btc, Side.BUY, ticks_away=60, percent=100, life=20)
        expiring = self._limit(self._sol, Side.SELL, ticks_away=40, percent=50, life=4)
        yield
        self._partial_ioc(self._eth)
        yield
        self._unfilled_ioc(self._btc)
        yield
        replaced = self._replace(resting, ticks=15)
        yield
        self._post_only_cross(self._sol)
        yield
        yield
        self._cancel(replaced)
        yield
        self._cancel(self._limit(self._eth, Side.SELL, ticks_away=80, percent=70, life=20, post_only=True))
        self._working.append(expiring)
        yield

    def _stateful_life(self) -> Iterator[None]:
        long_term = self._long_term(self._btc, Side.BUY, ticks_away=300, percent=80)
        stop = self._conditional(self._btc, Side.SELL, ConditionType.STOP_LOSS, ticks=-900, percent=50)
        yield
        yield
        near = self._conditional(self._btc, Side.SELL, ConditionType.STOP_LOSS, ticks=-4, percent=10)
        yield
        yield
        self._cancel(long_term)
        yield
        yield
        self._cancel(stop)
        yield
        met = self._conditional(self._btc, Side.SELL, ConditionType.STOP_LOSS, ticks=4, percent=10)
        self._working += [near, met]
        yield

    def _resting_fills(self) -> Iterator[None]:
        bid = self._join(self._sol, Side.BUY, percent=300)
        yield
        self._hit(bid, percent=30)
        yield
        self._hit(bid, percent=15)
        yield
        self._cancel(bid)
        yield
        ask = self._join(self._sol, Side.SELL, percent=60)
        yield
        self._hit(ask, percent=120)
        yield

    def _flip_and_close(self) -> Iterator[None]:
        held = self._exchange.position_quantums(self.main, self._btc)
        side = Side.SELL if held > 0 else Side.BUY
        self._ioc(self._btc, side, abs(held) * 2 + self._btc.step_base_quantums * 300, bound_ticks=40)
        yield
        yield
        self._close(self.main, self._btc)
        yield
        self._close(self.main, self._sol)
        yield
        yield
        self._close(self.main, self._eth)
        yield

    def _isolated_trade(self) -> Iterator[None]:
        held = self._exchange.position_quantums(self.child, self._isolated)
        if held:
            self._close(self.child, self._isolated)
            yield
        self._market_order(self._isolated, Side.SELL if held > 0 else Side.BUY, 120, subaccount=self.child)
        yield

    def _transfer_to_child(self) -> None:
        account = self._exchange.state.accounts.get(self.child)
        main = self._exchange.state.accounts.get(self.main)
        if main is not None and (account is None or account.usdc_quantums < CHILD_FUNDS_USDC * USDC // 2):
            self._exchange.submit(Transfer(self.main, self.child, CHILD_FUNDS_USDC * USDC), self._now_ms)

    def _new_id(self, market: Market, subaccount: SubaccountId, flags: int = 0) -> OrderId:
        self._client_id = (self._client_id + 1) % 2**32
        return OrderId(subaccount, self._client_id, flags, market.clob_pair_id)

    def _quantums(self, market: Market, percent: int) -> int:
        step = market.step_base_quantums
        return max(step, market.quantums(market.quote_size) * percent // 100 // step * step)

    def _touch(self, market: Market, side: Side) -> int:
        oracle = market.oracle_subticks(self._exchange.oracle_value(market))
        return self._exchange.best(market, side) or oracle // market.subticks_per_tick * market.subticks_per_tick

    def _ioc(
        self,
        market: Market,
        side: Side,
        quantums: int,
        bound_ticks: int,
        *,
        subaccount: SubaccountId | None = None,
        reduce_only: bool = False,
    ) -> None:
        bound = beyond(market, self._touch(market, side.opposite), side, bound_ticks)
        order_id = self._new_id(market, subaccount or self.main)
        take(
            self._exchange,
            order_id,
            side,
            quantums=quantums,
            subticks=bound,
            now_ms=self._now_ms,
            reduce_only=reduce_only,
        )

    def _market_order(
        self, market: Market, side: Side, percent: int, *, subaccount: SubaccountId | None = None
    ) -> None:
        self._ioc(market, side, self._quantums(market, percent), 30, subaccount=subaccount)

    def _close(self, subaccount: SubaccountId, market: Market) -> None:
        held = self._exchange.position_quantums(subaccount, market)
        if held:
            side = Side.SELL if held > 0 else Side.BUY
            self._ioc(market, side, abs(held), 40, subaccount=subaccount, reduce_only=True)

    def _partial_ioc(self, market: Market) -> None:
        """Twice what the best level holds, at its price: the rest is dropped."""
        book = self._exchange.state.books[market.clob_pair_id]
        level = next(book.asks.levels(), None)
        if level is not None:
            self._ioc(market, Side.BUY, level[1] + self._quantums(market, 40), 0)

    def _unfilled_ioc(self, market: Market) -> None:
        self._ioc(market, Side.BUY, self._quantums(market, 30), -25)

    def _post_only_cross(self, market: Market) -> None:
        order = self._order(market, Side.BUY, self._touch(market, Side.SELL), self._quantums(market, 30), 20)
        self._place(replace(order, time_in_force=TimeInForce.POST_ONLY))

    def _order(self, market: Market, side: Side, subticks: int, quantums: int, life: int) -> Order:
        good_til = self._exchange.height + life
        return Order(self._new_id(market, self.main), side, quantums, subticks, good_til_block=good_til)

    def _place(self, order: Order) -> Order:
        self._exchange.submit(Place(order), self._now_ms)
        return order

    def _limit(
        self, market: Market, side: Side, *, ticks_away: int, percent: int, life: int, post_only: bool = False
    ) -> Order:
        price = beyond(market, self._touch(market, side), side, -ticks_away)
        order = self._order(market, side, price, self._quantums(market, percent), life)
        if post_only:
            order = replace(order, time_in_force=TimeInForce.POST_ONLY)
        return self._place(order)

    def _join(self, market: Market, side: Side, *, percent: int) -> Order:
        """Rest in front of the best price where there is room, else at it."""
        ahead = beyond(market, self._touch(market, side), side, 1)
        inside = ahead if ahead != self._touch(market, side.opposite) else self._touch(market, side)
        return self._place(self._order(market, side, inside, self._quantums(market, percent), 20))

    def _hit(self, order: Order, *, percent: int) -> None:
        """A bot takes part of one of our resting orders (and of whatever stands before it)."""
        market = self._exchange.state.markets[order.id.clob_pair_id]
        step = market.step_base_quantums
        levels = self._exchange.state.books[market.clob_pair_id].side(order.side).levels()
        before = sum(q for price, q in levels if (order.subticks - price) * order.side.sign < 0)
        quantums = max(step, order.quantums * percent // 100 // step * step) + before
        bot = self._takers.subaccount(0, market)
        bot_id = short_term(bot, market, 2**31 + self._new_id(market, self.main).client_id % 2**30)
        side = order.side.opposite
        take(self._exchange, bot_id, side, quantums=quantums, subticks=order.subticks, now_ms=self._now_ms)

    def _replace(self, order: Order, *, ticks: int) -> Order:
        market = self._exchange.state.markets[order.id.clob_pair_id]
        price = beyond(market, order.subticks, order.side, ticks)
        return self._place(replace(order, subticks=price, good_til_block=self._exchange.height + 25))

    def _cancel(self, order: Order) -> None:
        if order.id.short_term:
            limit = max(order.good_til_block or 0, self._exchange.height + 1)
            self._exchange.submit(Cancel(order.id, good_til_block=limit), self._now_ms)
        else:
            self._exchange.submit(Cancel(order.id, good_til_block_time_s=order.good_til_block_time_s), self._now_ms)

    def _long_term(self, market: Market, side: Side, *, ticks_away: int, percent: int) -> Order:
        price = beyond(market, self._touch(market, side), side, -ticks_away)
        good_til = self._exchange.time_ms // 1000 + 7 * DAY_S
        order_id = self._new_id(market, self.main, LONG_TERM)
        quantums = self._quantums(market, percent)
        return self._place(Order(order_id, side, quantums, price, good_til_block_time_s=good_til))

    def _conditional(self, market: Market, side: Side, condition: ConditionType, *, ticks: int, percent: int) -> Order:
        """A stop whose trigger is `ticks` above (negative: below) the oracle price."""
        tick = market.subticks_per_tick
        oracle = market.oracle_subticks(self._exchange.oracle_value(market)) // tick * tick
        trigger = oracle + ticks * tick
        order = Order(
            id=self._new_id(market, self.main, CONDITIONAL),
            side=side,
            quantums=self._quantums(market, percent),
            subticks=beyond(market, trigger, side, 200),
            good_til_block_time_s=self._exchange.time_ms // 1000 + 28 * DAY_S,
            time_in_force=TimeInForce.IOC,
            condition=condition,
            trigger_subticks=trigger,
        )
        return self._place(order)
