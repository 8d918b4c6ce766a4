"""What an order would come to: its size and price from the book, its fee, and the margin that it moves.

Sources: dydxprotocol/v4-web src/bonsai/forms/trade/tradeInfo.ts, fields.ts and summary.ts, reckoned in Decimal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal, localcontext
from enum import StrEnum

from dydx_console.domain.enums import OrderType, Side
from dydx_console.domain.fees import FeeRates, fee_of
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.market import ONE, Market, initial_margin_fraction_at, selected_leverage, to_step
from dydx_console.domain.numbers import MATH, ZERO, divide
from dydx_console.domain.order import Order
from dydx_console.domain.position import Position
from dydx_console.domain.tape import Level
from dydx_console.state.bookwalk import Collateral, Taker, Walk, walk_for_most, walk_for_size, walk_for_usdc
from dydx_console.state.isolated import is_traded_isolated, position_in, subaccount_for
from dydx_console.state.margin import AccountMargin, chosen_leverage
from dydx_console.state.whatif import AccountPicture, Effect, Trade, Transfer, whatif

__all__ = [
    "MARKET_SLIPPAGE",
    "Desk",
    "Kind",
    "Plan",
    "ScaleOrder",
    "ScaleRange",
    "SizeBy",
    "Ticket",
    "TicketError",
    "order_type",
    "plan_order",
    "scale_orders",
    "scale_prices",
    "trigger_buffer",
]

MAJOR_MARKETS = frozenset({"BTC-USD", "ETH-USD", "SOL-USD"})
MARKET_SLIPPAGE = Decimal("0.05")
"""How far beyond its average price a market order is sent."""
LEVERAGE_ROOM = Decimal("0.98")
"""Share of the highest leverage that the margin of a new isolated position is reckoned with at most."""
CROSS_SHARE = Decimal("0.98")
ISOLATED_SHARE = Decimal("0.95")
"""Parts of the most that can be traded which count as all that is available."""
DRIFT = Decimal("0.005")
"""By how much fill and oracle price may drift until the margin of a market order has arrived."""
RESTING_ROOM = Decimal("1.01")
"""By how much an order with a price of its own gets more margin than it takes."""
MOST_SCALE = 40
_HALF = Decimal("0.5")


class TicketError(ValueError):
    """An order that cannot be reckoned: the sentence says what is missing or wrong."""


class Kind(StrEnum):
    """Kinds of order that can be asked for."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    TRIGGER_MARKET = "TRIGGER_MARKET"
    TRIGGER_LIMIT = "TRIGGER_LIMIT"
    SCALE = "SCALE"


class SizeBy(StrEnum):
    """What a size is said in: base units, USDC, or a share of what is available (1 is all)."""

    BASE = "BASE"
    USDC = "USDC"
    SHARE = "SHARE"


@dataclass(frozen=True, slots=True)
class ScaleRange:
    """Limit orders between two prices, 2 to 40 of them; `skew` is the ratio of each gap between prices to the last."""

    start: Decimal
    end: Decimal
    orders: int
    skew: Decimal = ONE


@dataclass(frozen=True, slots=True)
class ScaleOrder:
    """One limit order of a scale."""

    price: Decimal
    size: Decimal


@dataclass(frozen=True, slots=True)
class Ticket:
    """An order as it is asked for.

    `rests` is one that waits in the book until its time (GTT); else it takes at once (IOC). Reduce-only counts for
    orders that take at once alone, as on the chain. `isolated` counts where neither the market nor a position nor an
    open order in it decides.
    """

    market: str
    side: Side
    kind: Kind
    amount: Decimal
    by: SizeBy = SizeBy.BASE
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    reduce_only: bool = False
    post_only: bool = False
    rests: bool = True
    isolated: bool | None = None
    scale: ScaleRange | None = None

    @property
    def sign(self) -> int:
        """1 for a buy, −1 for a sale."""
        return 1 if self.side == Side.BUY else -1

    @property
    def takes(self) -> bool:
        """Whether it walks the book when it is sent or triggered."""
        return self.kind in (Kind.MARKET, Kind.TRIGGER_MARKET)

    @property
    def reduces_only(self) -> bool:
        """Whether it may not open a position."""
        return self.reduce_only and (self.takes or not self.rests)

    @property
    def is_maker(self) -> bool:
        """Whether the maker's fee is assumed."""
        if self.kind in (Kind.LIMIT, Kind.SCALE):
            return self.rests
        return self.kind is Kind.TRIGGER_LIMIT and self.post_only


@dataclass(frozen=True, slots=True)
class Desk:
    """What an order is judged by: the account, the markets, the order's own book (best levels first), fees.

    A side of the book that is None has not been read.
    `fee_multiplier` is what a discount of the market leaves of fees; None is no discount. `open_orders` are the
    account's working orders.
    """

    account: AccountPicture
    markets: Mapping[str, Market]
    rates: FeeRates
    bids: tuple[Level, ...] | None = None
    asks: tuple[Level, ...] | None = None
    selected: Mapping[PositionKey, Decimal] = field(default_factory=dict)
    fee_multiplier: Decimal | None = None
    open_orders: tuple[Order, ...] = ()

    @property
    def mid_price(self) -> Decimal | None:
        """Middle of the book, None where a side is empty."""
        return (self.bids[0][0] + self.asks[0][0]) * _HALF if self.bids and self.asks else None


@dataclass(frozen=True, slots=True)
class Cost:
    """What an order is reckoned to take; None is unknown, or does not apply.

    `quote` is size × average price in USDC and `share` the part of what is available that it takes. `sent_price` is
    the price that would stand in the order. `slippage` is how far the worst price is from the book's middle,
    `oracle_slippage` how far it is on the wrong side of the oracle price, as fractions. `is_filled` tells whether the
    book has levels that the order leaves alone.
    """

    size: Decimal | None = None
    quote: Decimal | None = None
    share: Decimal | None = None
    average_price: Decimal | None = None
    worst_price: Decimal | None = None
    sent_price: Decimal | None = None
    slippage: Decimal | None = None
    oracle_slippage: Decimal | None = None
    fee: Decimal | None = None
    is_filled: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """An order reckoned out.

    `total` is what the trade moves in USDC with its fee, negative where it is spent. `transfer` is the USDC that go to
    an isolated position before; `reclaims` tells that what is left of it comes back after, because it `closes`.
    """

    ticket: Ticket
    subaccount: int
    isolated: bool
    cost: Cost
    fee_rate: Decimal
    total: Decimal | None
    closes: bool
    reclaims: bool
    transfer: Decimal
    effect: Effect


@dataclass(frozen=True, slots=True)
class _Setting:
    """A ticket with what it meets."""

    ticket: Ticket
    desk: Desk
    market: Market
    step: Decimal
    margin: AccountMargin
    held: Position | None
    subaccount: int
    isolated: bool
    chosen: Decimal | None

    @property
    def is_away(self) -> bool:
        return self.subaccount != self.desk.account.parent

    @property
    def held_size(self) -> Decimal:
        return ZERO if self.held is None else abs(self.held.net_size)

    @property
    def is_against(self) -> bool:
        return self.held is not None and (self.held.net_size > ZERO) != (self.ticket.side == Side.BUY)

    @property
    def only_reduces(self) -> bool:
        return self.ticket.reduces_only and self.is_against

    @property
    def fee_rate(self) -> Decimal:
        return self.desk.rates.rate(is_maker=self.ticket.is_maker)

    @property
    def most_leverage(self) -> Decimal:
        return self.market.max_leverage or ONE

    @property
    def levels(self) -> tuple[Level, ...] | None:
        return self.desk.asks if self.ticket.side == Side.BUY else self.desk.bids


def plan_order(ticket: Ticket, desk: Desk) -> Plan:
    """Return an order reckoned out on the desk's account.

    Raises TicketError where the market or its step is not known, or every isolated subaccount is in use.
    """
    with localcontext(MATH):
        setting = _setting(ticket, desk)
        cost = _COSTS[ticket.kind](setting)
        closes = setting.is_against and cost.size is not None and abs(cost.size - setting.held_size) * 2 < setting.step
        waits = any(order.market == ticket.market for order in desk.open_orders)
        reclaims = closes and setting.isolated and not waits
        transfer = _transfer(setting, cost)
        return Plan(
            ticket=ticket,
            subaccount=setting.subaccount,
            isolated=setting.isolated,
            cost=cost,
            fee_rate=setting.fee_rate,
            total=None if cost.quote is None else -ticket.sign * cost.quote - (cost.fee or ZERO),
            closes=closes,
            reclaims=reclaims,
            transfer=transfer,
            effect=_effect(setting, cost, transfer, reclaims=reclaims),
        )


def order_type(kind: Kind, side: Side, trigger_price: Decimal | None, oracle_price: Decimal | None) -> OrderType | None:
    """Return the type that the chain would know an order by; None where a price that decides it is unknown.

    A trigger beyond the oracle price in the order's own direction is a stop; every other takes profit.
    """
    if kind is Kind.MARKET:
        return OrderType.MARKET
    if kind in (Kind.LIMIT, Kind.SCALE):
        return OrderType.LIMIT
    if trigger_price is None or oracle_price is None:
        return None
    is_stop = (trigger_price > oracle_price) == (side == Side.BUY)
    if kind is Kind.TRIGGER_MARKET:
        return OrderType.STOP_MARKET if is_stop else OrderType.TAKE_PROFIT_MARKET
    return OrderType.STOP_LIMIT if is_stop else OrderType.TAKE_PROFIT


def trigger_buffer(market: str) -> Decimal:
    """Return how far beyond its trigger price a market order of the trigger is sent, as a fraction."""
    return Decimal("0.05") if market in MAJOR_MARKETS else Decimal("0.1")


def scale_prices(scale: ScaleRange) -> tuple[Decimal, ...]:
    """Return the prices of a scale from start to end; the gaps are a geometric series.

    Raises TicketError for fewer than 2 or more than 40 orders, and for a skew that is not above zero.
    """
    if not 2 <= scale.orders <= MOST_SCALE or scale.skew <= ZERO:
        raise TicketError(f"a scale has 2 to {MOST_SCALE} orders and a skew above 0")
    with localcontext(MATH):
        gaps = [scale.skew**place for place in range(scale.orders - 1)]
        whole = sum(gaps, start=ZERO)
        sums = [sum(gaps[:place], start=ZERO) for place in range(scale.orders)]
        return tuple(scale.start + (scale.end - scale.start) * so_far / whole for so_far in sums)


def scale_orders(scale: ScaleRange, size: Decimal, step: Decimal) -> tuple[ScaleOrder, ...]:
    """Return the orders of a scale: equal sizes rounded down to the step, the last takes what is left.

    Orders without size are left out.
    """
    each = to_step(divide(size, Decimal(scale.orders)) or ZERO, step, ROUND_FLOOR)
    last = to_step(size - each * (scale.orders - 1), step, ROUND_FLOOR)
    prices = scale_prices(scale)
    sizes = [each] * (scale.orders - 1) + [last]
    return tuple(ScaleOrder(price, own) for price, own in zip(prices, sizes, strict=True) if own > ZERO)


def _setting(ticket: Ticket, desk: Desk) -> _Setting:
    market = desk.markets.get(ticket.market)
    if market is None or market.step_size is None or market.step_size <= ZERO:
        raise TicketError(f"{ticket.market} is no market that is known with its step size")
    isolated = is_traded_isolated(desk.account, market, desk.open_orders, wanted=ticket.isolated)
    subaccount = subaccount_for(desk.account, ticket.market, desk.open_orders, isolated=isolated)
    if subaccount is None:
        raise TicketError("every isolated subaccount is in use")
    return _Setting(
        ticket=ticket,
        desk=desk,
        market=market,
        step=market.step_size,
        margin=desk.account.margin(desk.markets, desk.selected),
        held=position_in(desk.account, ticket.market),
        subaccount=subaccount,
        isolated=isolated,
        chosen=chosen_leverage(desk.selected, PositionKey(subaccount, ticket.market)),
    )


def _effect(setting: _Setting, cost: Cost, transfer: Decimal, *, reclaims: bool) -> Effect:
    ticket, desk = setting.ticket, setting.desk
    trade: Trade | None = None
    if cost.size and cost.average_price is not None:
        trade = Trade(
            subaccount=setting.subaccount,
            market=ticket.market,
            side=ticket.side,
            size=cost.size,
            price=cost.average_price,
            fee=cost.fee or ZERO,
            reduce_only=ticket.reduces_only,
        )
    moved = Transfer(desk.account.parent, setting.subaccount, transfer) if transfer else None
    return whatif(desk.account, desk.markets, trade, transfer=moved, reclaims=reclaims, selected=desk.selected)


def _market_cost(setting: _Setting) -> Cost:
    ticket, oracle = setting.ticket, setting.market.oracle_price
    most = _most(setting)
    available = None
    if most is not None:
        available = (most.quote + most.fee) * (ISOLATED_SHARE if setting.is_away else CROSS_SHARE)
    walk = _walk(setting, available)
    if walk is None:
        return Cost()
    average, worst = walk.average_price, walk.worst_price
    if setting.only_reduces:
        share = divide(walk.size, setting.held_size)
    else:
        share = None if available is None else divide(walk.quote + walk.fee, available)
    beyond = None
    if worst is not None and oracle is not None:
        beyond = divide(ticket.sign * (worst - oracle), oracle)
    return Cost(
        size=walk.size,
        quote=walk.quote,
        share=share,
        average_price=average,
        worst_price=worst,
        sent_price=None if average is None else average * (ONE + ticket.sign * MARKET_SLIPPAGE),
        slippage=_from_mid(worst, setting.desk.mid_price),
        oracle_slippage=beyond,
        fee=walk.fee,
        is_filled=walk.is_filled,
    )


def _trigger_market_cost(setting: _Setting) -> Cost:
    """Reckon as if the book of now stood at the trigger price: the slippage of now is added to it.

    A share of what is available is not known for a time to come.
    """
    ticket, trigger = setting.ticket, setting.ticket.trigger_price
    walk = None if ticket.by is SizeBy.SHARE else _walk(setting, None)
    if walk is None or trigger is None:
        return Cost(oracle_slippage=ZERO)
    mid = setting.desk.mid_price
    slippage, usual = _from_mid(walk.worst_price, mid), _from_mid(walk.average_price, mid)
    price = None if slippage is None else trigger * (ONE + ticket.sign * slippage)
    quote = None if price is None else price * walk.size
    sent = None
    if usual is not None:
        sent = trigger * (ONE + ticket.sign * (usual + trigger_buffer(ticket.market)))
    return Cost(
        size=walk.size,
        quote=quote,
        average_price=price,
        worst_price=price,
        sent_price=sent,
        slippage=slippage,
        oracle_slippage=ZERO,
        fee=None if quote is None else fee_of(quote, setting.fee_rate, setting.desk.fee_multiplier),
        is_filled=walk.is_filled,
    )


def _limit_cost(setting: _Setting) -> Cost:
    return _priced_cost(setting, setting.ticket.limit_price)


def _scale_cost(setting: _Setting) -> Cost:
    scale = setting.ticket.scale
    if scale is None:
        return Cost()
    prices = scale_prices(scale)
    return _priced_cost(setting, divide(sum(prices, start=ZERO), Decimal(len(prices))))


def _priced_cost(setting: _Setting, price: Decimal | None) -> Cost:
    """Reckon an order that trades at its own price, all of it."""
    if price is None or price <= ZERO:
        return Cost()
    available = _available_size(setting, price)
    size = to_step(_wanted_size(setting, price, available) or ZERO, setting.step)
    quote = size * price
    return Cost(
        size=size,
        quote=quote,
        share=None if available is None else divide(size, available),
        average_price=price,
        worst_price=price,
        sent_price=price,
        slippage=ZERO,
        oracle_slippage=ZERO,
        fee=fee_of(quote, setting.fee_rate, setting.desk.fee_multiplier),
        is_filled=True,
    )


_COSTS = {
    Kind.MARKET: _market_cost,
    Kind.TRIGGER_MARKET: _trigger_market_cost,
    Kind.LIMIT: _limit_cost,
    Kind.TRIGGER_LIMIT: _limit_cost,
    Kind.SCALE: _scale_cost,
}


def _wanted_size(setting: _Setting, price: Decimal, available: Decimal | None) -> Decimal | None:
    amount = setting.ticket.amount
    if setting.ticket.by is SizeBy.BASE:
        return amount
    if setting.ticket.by is SizeBy.USDC:
        return divide(amount, price)
    return None if available is None else available * amount


def _available_size(setting: _Setting, price: Decimal) -> Decimal | None:
    """Return the size at a price that counts as all: the position where it may only be reduced.

    Otherwise what the parent's free collateral carries at the selected leverage, and the position on top of it where
    that is traded away first. Fees are not in it.
    """
    if setting.only_reduces:
        return setting.held_size
    free = setting.margin.free_collateral
    if free is None:
        return None
    leverage = min(selected_leverage(setting.market, setting.chosen), setting.most_leverage)
    spend = free * leverage / (RESTING_ROOM if setting.is_away else ONE)
    return spend / price + (setting.held_size if setting.is_against else ZERO)


def _taker(setting: _Setting) -> Taker:
    multiplier = setting.desk.fee_multiplier
    rate = setting.fee_rate if multiplier is None else setting.fee_rate * multiplier
    return Taker(setting.ticket.sign, setting.step, rate)


def _walk(setting: _Setting, available: Decimal | None) -> Walk | None:
    """Walk for what is asked; None without a book, and where a share of something unknown is asked for."""
    ticket, levels = setting.ticket, setting.levels
    if levels is None:
        return None
    if ticket.by is SizeBy.BASE:
        return walk_for_size(levels, _taker(setting), ticket.amount)
    if ticket.by is SizeBy.USDC:
        return walk_for_usdc(levels, _taker(setting), ticket.amount)
    if setting.only_reduces:
        return walk_for_size(levels, _taker(setting), setting.held_size * ticket.amount)
    return None if available is None else walk_for_usdc(levels, _taker(setting), available * ticket.amount)


def _most(setting: _Setting) -> Walk | None:
    """Walk for the most that the parent's collateral carries, whichever subaccount the order would use."""
    parent, levels = setting.margin.child(setting.desk.account.parent), setting.levels
    oracle, fraction = setting.market.oracle_price, initial_margin_fraction_at(setting.market, setting.chosen)
    if levels is None or parent is None or oracle is None or fraction is None:
        return None
    if parent.equity is None or parent.free_collateral is None:
        return None
    held = ZERO if setting.held is None else setting.held.net_size
    collateral = Collateral(
        equity=parent.equity,
        free=parent.free_collateral,
        oracle_price=oracle,
        margin_fraction=fraction,
        held=held,
        held_margin=abs(held) * oracle * fraction,
        reduce_only=setting.ticket.reduces_only,
    )
    return walk_for_most(levels, _taker(setting), collateral)


def _from_mid(price: Decimal | None, mid: Decimal | None) -> Decimal | None:
    if price is None or mid is None:
        return None
    return divide(abs(price - mid), mid) if mid > ZERO else ZERO


def _transfer(setting: _Setting, cost: Cost) -> Decimal:
    """Return the USDC that an isolated order brings along for what it adds to the position, never below zero."""
    ticket, size, price = setting.ticket, cost.size, cost.average_price
    if not setting.isolated or not setting.is_away or ticket.reduces_only or not size or price is None:
        return ZERO
    added = max(size - setting.held_size, ZERO) if setting.is_against else size
    at = {Kind.MARKET: setting.market.oracle_price, Kind.TRIGGER_MARKET: ticket.trigger_price}.get(ticket.kind, price)
    if not added or at is None:
        return ZERO
    leverage = min(selected_leverage(setting.market, setting.chosen), setting.most_leverage * LEVERAGE_ROOM)
    drift, room = (DRIFT, ONE) if ticket.takes else (ZERO, RESTING_ROOM)
    margin = added * at * (ONE + drift) / leverage
    fee = (cost.fee or ZERO) * (ONE + drift)
    loss = size * (ticket.sign * (price - at) + drift * (price + at))
    return max((margin + fee + loss) * room, ZERO)
