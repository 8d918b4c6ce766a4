"""What-ifs: trades, transfers, orders reckoned from a book, triggers, and moves of prices."""

from dataclasses import replace
from decimal import Decimal, localcontext

import pytest
from builders import D, at_height, balance, patch, position
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.enums import OrderType, Side
from dydx_console.domain.fees import (
    FIRST_TIER,
    EquityTier,
    FeeDiscount,
    FeeRates,
    FeeTier,
    fee_of,
    fee_rates,
    volume_of,
)
from dydx_console.domain.ids import PositionKey, StreamVersion
from dydx_console.domain.market import ISOLATED, Market
from dydx_console.domain.numbers import MATH
from dydx_console.domain.order import Order
from dydx_console.domain.position import Position
from dydx_console.state.isolated import (
    MOST_SUBACCOUNT,
    AdjustmentProblem,
    Direction,
    adjusted,
    is_traded_isolated,
    subaccount_for,
    unopened_isolated,
)
from dydx_console.state.orders import Orders
from dydx_console.state.ticket import (
    Desk,
    Kind,
    ScaleRange,
    SizeBy,
    Ticket,
    TicketError,
    order_type,
    plan_order,
    scale_orders,
    scale_prices,
)
from dydx_console.state.triggers import Step, TriggerAsked, TriggerBy, plan_trigger
from dydx_console.state.whatif import (
    MOVES,
    AccountPicture,
    Trade,
    Transfer,
    after_emptying,
    after_trade,
    after_transfer,
    liquidation_table,
    whatif,
)

NEAR = Decimal("1e-40")
RATES = FeeRates(D("0.0001"), D("0.0005"))
BTC = Market(
    "BTC-USD",
    oracle_price=D(100),
    initial_margin_fraction=D("0.1"),
    maintenance_margin_fraction=D("0.05"),
    step_size=D("0.01"),
    tick_size=D("0.1"),
)
WIF = replace(BTC, ticker="WIF-USD", market_type=ISOLATED)
MARKETS = {"BTC-USD": BTC, "WIF-USD": WIF}
ASKS = ((D("100.5"), D(1)), (D(101), D(2)), (D(103), D(50)))
BIDS = ((D("99.5"), D(1)), (D(99), D(2)), (D(97), D(50)))
sizes = st.decimals("0.01", "20", places=2)
prices = st.decimals("50", "200", places=1)
sides = st.sampled_from(Side)


def account(*held: Position, usdc: str = "1000", parent: int = 0) -> AccountPicture:
    numbers = {parent, *(p.subaccount for p in held)}
    return AccountPicture(parent, tuple(sorted(numbers)), held, (balance(usdc, subaccount=parent),))


@st.composite
def accounts(draw: st.DrawFn) -> AccountPicture:
    size = draw(st.one_of(st.none(), sizes))
    usdc = str(draw(st.decimals("0", "5000", places=2)))
    if size is None:
        return account(usdc=usdc)
    return account(position(str(size * draw(st.sampled_from((1, -1))))), usdc=usdc)


trades = st.builds(
    Trade,
    subaccount=st.just(0),
    market=st.just("BTC-USD"),
    side=sides,
    size=sizes,
    price=prices,
    fee=st.decimals("-1", "1", places=3),
    reduce_only=st.booleans(),
)


@given(accounts())
def test_a_whatif_of_nothing_changes_nothing(held: AccountPicture) -> None:
    effect = whatif(held, MARKETS, None)
    assert effect.after == effect.before
    assert effect.left is held
    back = whatif(held, MARKETS, None, transfer=Transfer(0, 0, D(7)))
    assert back.after == effect.before


@given(accounts(), trades)
def test_a_trade_moves_equity_by_its_edge_and_its_fee(held: AccountPicture, trade: Trade) -> None:
    effect = whatif(held, MARKETS, trade)
    before, after = effect.before.raw_equity, effect.after.raw_equity
    assert before is not None
    assert after is not None
    if not effect.traded:
        assert effect.left == held
        return
    sign = 1 if trade.side is Side.BUY else -1
    with localcontext(MATH):
        assert after - before == sign * effect.traded * (100 - trade.price) - trade.fee
    size = effect.left.position(0, "BTC-USD")
    was = held.position(0, "BTC-USD")
    net = (Decimal(0) if was is None else was.net_size) + sign * effect.traded
    assert (Decimal(0) if size is None else size.net_size) == net


@given(accounts(), trades, st.decimals("0.1", "0.9", places=1))
def test_a_trade_in_two_parts_is_the_same_trade(held: AccountPicture, trade: Trade, share: Decimal) -> None:
    first = replace(trade, size=trade.size * share, fee=trade.fee * share, reduce_only=False)
    second = replace(first, size=trade.size - first.size, fee=trade.fee - first.fee)
    whole = after_trade(held, replace(trade, reduce_only=False))
    parts = after_trade(after_trade(held, first), second)
    assert parts.usdc(0) == whole.usdc(0)
    one, two = whole.position(0, "BTC-USD"), parts.position(0, "BTC-USD")
    assert (one is None) == (two is None)
    if one is not None and two is not None:
        assert one.net_size == two.net_size
        assert one.entry_price is not None
        assert two.entry_price is not None
        assert abs(one.entry_price - two.entry_price) < NEAR * one.entry_price


@given(accounts(), trades)
def test_a_reduce_only_trade_never_opens_and_never_grows(held: AccountPicture, trade: Trade) -> None:
    left = after_trade(held, replace(trade, reduce_only=True))
    was, now = held.position(0, "BTC-USD"), left.position(0, "BTC-USD")
    if was is None:
        assert left is held
    elif now is not None:
        assert (now.net_size > 0) == (was.net_size > 0)
        assert abs(now.net_size) <= abs(was.net_size)


@given(accounts(), st.decimals("0", "500", places=2))
def test_a_transfer_and_its_return_leave_everything(held: AccountPicture, amount: Decimal) -> None:
    there = after_transfer(held, Transfer(0, 128, amount))
    assert there.usdc(128) == amount
    assert there.margin(MARKETS, {}).raw_equity == held.margin(MARKETS, {}).raw_equity
    back = after_emptying(there, 128, 0)
    assert (back.usdc(0), back.usdc(128)) == (held.usdc(0), 0)


def test_a_subaccount_with_a_position_or_a_debt_is_not_emptied() -> None:
    held = account(position("1", subaccount=128))
    full = after_transfer(held, Transfer(0, 128, D(50)))
    assert after_emptying(full, 128, 0) is full
    owing = after_transfer(account(), Transfer(128, 0, D(50)))
    assert after_emptying(owing, 128, 0) is owing


def test_what_the_venue_did_not_say_stays_unknown() -> None:
    held = account(position("1", entry_price=None, max_size=None, sum_open=None))
    grown = after_trade(held, Trade(0, "BTC-USD", Side.BUY, D(1), D(90))).position(0, "BTC-USD")
    assert grown is not None
    assert (grown.entry_price, grown.max_size, grown.sum_open) == (None, None, None)
    shrunk = after_trade(held, Trade(0, "BTC-USD", Side.SELL, D("0.5"), D(90))).position(0, "BTC-USD")
    assert shrunk is not None
    assert shrunk.venue_realized_pnl is None


def test_a_flip_opens_afresh_at_the_trades_price() -> None:
    held = account(position("1", venue_realized_pnl=D(9)))
    flipped = after_trade(held, Trade(0, "BTC-USD", Side.SELL, D(3), D(120), D(1))).position(0, "BTC-USD")
    assert flipped is not None
    assert (flipped.net_size, flipped.entry_price, flipped.venue_realized_pnl) == (-2, 120, 0)


@given(accounts())
def test_the_table_is_the_account_at_other_prices(held: AccountPicture) -> None:
    rows = liquidation_table(held, MARKETS)
    assert tuple(row.move for row in rows) == MOVES
    size = held.position(0, "BTC-USD")
    net = Decimal(0) if size is None else size.net_size
    for row in rows:
        equity = row.margin.raw_equity
        assert equity is not None
        assert equity == held.usdc(0) + net * 100 * (1 + row.move)
        child = row.margin.children[0]
        assert child.maintenance_margin == abs(net) * 5 * (1 + row.move)
        assert row.liquidatable == ((0,) if net and equity < child.maintenance_margin else ())


def test_the_moves_are_those_of_a_stress_table() -> None:
    assert [str(move) for move in MOVES if move > 0] == ["0.01", "0.02", "0.05", "0.10", "0.20", "0.30", "0.50"]
    assert sorted(-move for move in MOVES) == list(MOVES)


def test_one_market_alone_can_move_and_one_without_a_price_stays_unknown() -> None:
    markets = {**MARKETS, "ETH-USD": replace(BTC, ticker="ETH-USD")}
    held = account(position("1"), position("-1", "ETH-USD"))
    alone = liquidation_table(held, markets, market="ETH-USD", moves=(D("0.5"),))
    both = liquidation_table(held, markets, moves=(D("0.5"),))
    assert alone[0].margin.equity == 950
    assert both[0].margin.equity == 1000
    blind = {**markets, "ETH-USD": replace(BTC, ticker="ETH-USD", oracle_price=None)}
    assert liquidation_table(held, blind, moves=(D("0.5"),))[0].margin.equity is None


def test_open_interest_scales_margin_with_the_price_that_moves() -> None:
    caps = {"open_interest": D(60), "open_interest_lower_cap": D(6_000), "open_interest_upper_cap": D(12_000)}
    markets = {"BTC-USD": replace(BTC, **caps)}
    now, moved = liquidation_table(account(position("1")), markets, moves=(D(0), D("0.5")))
    assert now.margin.children[0].initial_margin == 10
    assert moved.margin.children[0].initial_margin == 150 * D("0.55")


def desk(held: AccountPicture, **given: object) -> Desk:
    return Desk(held, MARKETS, RATES, BIDS, ASKS, **given)  # type: ignore[arg-type]


def buy(kind: Kind, **given: object) -> Ticket:
    return Ticket("BTC-USD", Side.BUY, kind, D(1), **given)  # type: ignore[arg-type]


def market_ticket(side: Side, amount: str, by: SizeBy = SizeBy.BASE, **given: object) -> Ticket:
    return Ticket("BTC-USD", side, Kind.MARKET, D(amount), by, **given)  # type: ignore[arg-type]


def test_a_market_order_takes_level_by_level() -> None:
    plan = plan_order(market_ticket(Side.BUY, "2.5"), desk(account()))
    cost = plan.cost
    assert (cost.size, cost.worst_price, cost.is_filled) == (D("2.5"), 101, True)
    assert cost.quote == D("100.5") + D("1.5") * 101
    assert cost.fee == cost.quote * RATES.taker
    assert plan.total == -cost.quote - cost.fee
    assert cost.slippage == D("0.01")
    assert cost.oracle_slippage == D("0.01")
    assert cost.sent_price == cost.quote / D("2.5") * D("1.05")


@pytest.mark.parametrize(("amount", "is_filled"), [("3", True), ("3.01", False), ("53", False), ("60", False)])
def test_an_order_that_reaches_into_the_last_level_does_not_count_as_filled(amount: str, is_filled: bool) -> None:
    plan = plan_order(market_ticket(Side.SELL, amount), desk(account()))
    assert plan.cost.size == min(D(amount), D(53))
    assert plan.cost.is_filled is is_filled


@given(sides, st.decimals("1", "4000", places=2))
def test_a_size_in_usdc_spends_no_more_with_its_fee(side: Side, usdc: Decimal) -> None:
    cost = plan_order(market_ticket(side, str(usdc), SizeBy.USDC), desk(account())).cost
    assert cost.quote is not None
    assert cost.fee is not None
    half_a_step = D("0.005") * 104
    assert cost.quote + cost.fee <= usdc + half_a_step
    assert not cost.is_filled or cost.quote + cost.fee >= usdc - half_a_step * 2


@given(accounts(), sides, st.booleans())
def test_all_that_is_available_keeps_the_account_collateralized(
    held: AccountPicture, side: Side, reduce_only: bool
) -> None:
    before = held.margin(MARKETS, {}).children[0]
    plan = plan_order(market_ticket(side, "1", SizeBy.SHARE, reduce_only=reduce_only), desk(held))
    after = plan.effect.after.children[0]
    assert after.raw_free_collateral is not None
    assert before.raw_free_collateral is not None
    was = held.position(0, "BTC-USD")
    if reduce_only and was is not None and (was.net_size > 0) != (side is Side.BUY):
        assert plan.cost.size == min(abs(was.net_size), D(53))
    elif was is None:
        assert after.raw_free_collateral >= min(before.raw_free_collateral, Decimal(0)) - 1


def test_a_share_of_what_is_unknown_is_unknown() -> None:
    blind = {**MARKETS, "BTC-USD": replace(BTC, oracle_price=None)}
    plan = plan_order(market_ticket(Side.BUY, "1", SizeBy.SHARE), replace(desk(account()), markets=blind))
    assert (plan.cost.size, plan.cost.fee, plan.total) == (None, None, None)
    assert plan.effect.left == account()


def test_without_a_book_a_market_order_is_unknown_and_an_empty_side_fills_nothing() -> None:
    unread = plan_order(market_ticket(Side.BUY, "1"), Desk(account(), MARKETS, RATES))
    assert unread.cost.size is None
    empty = plan_order(market_ticket(Side.BUY, "1"), Desk(account(), MARKETS, RATES, BIDS, ()))
    assert (empty.cost.size, empty.cost.average_price, empty.cost.is_filled) == (0, None, False)
    assert empty.effect.after == empty.effect.before


@pytest.mark.parametrize(
    ("ticket", "rate", "reduces"),
    [
        (buy(Kind.LIMIT, limit_price=D(90), reduce_only=True), RATES.maker, False),
        (buy(Kind.LIMIT, limit_price=D(90), rests=False, reduce_only=True), RATES.taker, True),
        (buy(Kind.TRIGGER_LIMIT, limit_price=D(90)), RATES.taker, False),
        (buy(Kind.TRIGGER_LIMIT, limit_price=D(90), post_only=True), RATES.maker, False),
        (buy(Kind.TRIGGER_MARKET, trigger_price=D(120), reduce_only=True), RATES.taker, True),
    ],
    ids=["rests", "takes", "trigger", "post only", "trigger market"],
)  # fmt: skip
def test_fees_and_reduce_only_by_kind(ticket: Ticket, rate: Decimal, reduces: bool) -> None:
    plan = plan_order(ticket, desk(account()))
    assert plan.fee_rate == rate
    assert ticket.reduces_only is reduces
    assert (plan.effect.after == plan.effect.before) is reduces, "there is no position that it could reduce"


def test_a_trigger_at_the_market_adds_the_slippage_of_now() -> None:
    ticket = Ticket("BTC-USD", Side.BUY, Kind.TRIGGER_MARKET, D(2), trigger_price=D(120))
    cost = plan_order(ticket, desk(account())).cost
    assert cost.average_price == 120 * D("1.01")
    assert cost.sent_price == 120 * (1 + (D("100.75") - 100) / 100 + D("0.05"))
    other = plan_order(replace(ticket, market="WIF-USD"), desk(account())).cost
    assert other.sent_price is not None
    assert cost.sent_price is not None
    assert other.sent_price - cost.sent_price == 120 * D("0.05"), "its price moves farther"


def test_margin_for_an_isolated_position_comes_along_and_goes_back() -> None:
    ticket = Ticket("WIF-USD", Side.BUY, Kind.LIMIT, D(5), limit_price=D(100))
    opened = plan_order(ticket, desk(account()))
    assert (opened.subaccount, opened.isolated) == (128, True)
    with localcontext(MATH):
        needed = 500 / (10 * D("0.98")) + 500 * RATES.maker
        assert abs(opened.transfer - needed * D("1.01")) < NEAR
    child = opened.effect.after.child(128)
    assert child is not None
    assert child.raw_free_collateral is not None
    assert child.raw_free_collateral > 0
    closed = plan_order(replace(ticket, side=Side.SELL), Desk(opened.effect.left, MARKETS, RATES))
    assert (closed.closes, closed.reclaims, closed.transfer) == (True, True, 0)
    assert closed.effect.left.usdc(128) == 0
    waiting = plan_order(
        replace(ticket, side=Side.SELL),
        Desk(opened.effect.left, MARKETS, RATES, open_orders=(order("w", 128, "WIF-USD"),)),
    )
    assert waiting.closes
    assert not waiting.reclaims


def order(name: str, subaccount: int, ticker: str) -> Order:
    orders = Orders()
    orders.take_rows((patch(name, subaccount=subaccount, market=ticker),), StreamVersion(1, 1))
    found = orders.get(name)
    assert isinstance(found, Order)
    return found


@pytest.mark.parametrize(
    ("held", "orders", "isolated", "subaccount"),
    [
        ((), (), False, 0),
        ((), (), True, 128),
        ((position("1", subaccount=256), position("1", subaccount=128)), (), False, 128),
        ((position("1", "X", subaccount=128),), (), True, 256),
        ((), (("a", 128, "X"),), True, 256),
        ((), (("a", 384, "BTC-USD"),), False, 384),
        ((position("0", subaccount=128),), (), False, 0),
    ],
    ids=["cross", "first child", "lowest position", "child in use", "child of an order", "order's", "empty position"],
)
def test_the_subaccount_of_an_order(
    held: tuple[Position, ...], orders: tuple[tuple[str, int, str], ...], isolated: bool, subaccount: int
) -> None:
    waiting = [order(*given) for given in orders]
    assert subaccount_for(account(*held), "BTC-USD", waiting, isolated=isolated) == subaccount


def test_children_run_out() -> None:
    full = replace(account(), subaccounts=tuple(range(0, MOST_SUBACCOUNT + 1, 128)))
    assert subaccount_for(full, "BTC-USD", (), isolated=True) is None
    with pytest.raises(TicketError, match="every isolated subaccount"):
        plan_order(Ticket("WIF-USD", Side.BUY, Kind.LIMIT, D(1), limit_price=D(1)), desk(full))


def test_an_order_in_an_unknown_market_is_refused() -> None:
    with pytest.raises(TicketError, match="XRP-USD"):
        plan_order(Ticket("XRP-USD", Side.BUY, Kind.LIMIT, D(1), limit_price=D(1)), desk(account()))


@pytest.mark.parametrize(
    ("held", "waits", "wanted", "isolated"),
    [
        ((), None, None, False),
        ((), None, True, True),
        ((position("1", subaccount=128),), None, False, True),
        ((position("1"),), None, True, False),
        ((), 128, False, True),
    ],
)
def test_position_and_orders_decide_before_what_is_wanted(
    held: tuple[Position, ...], waits: int | None, wanted: bool | None, isolated: bool
) -> None:
    orders = () if waits is None else (order("o", waits, "BTC-USD"),)
    assert is_traded_isolated(account(*held), BTC, orders, wanted=wanted) is isolated
    assert is_traded_isolated(account(*held), WIF, orders, wanted=False) is True


def test_unopened_isolated_positions_know_their_equity() -> None:
    held = after_transfer(account(), Transfer(0, 128, D(20)))
    orders = [order("a", 128, "WIF-USD"), order("b", 256, "X"), order("c", 0, "Y")]
    waiting = unopened_isolated(orders, held.positions, held.margin(MARKETS, {}))
    assert [(one.market, one.subaccount, one.equity) for one in waiting] == [("WIF-USD", 128, 20), ("X", 256, 0)]


ISOLATED_HELD = after_transfer(account(position("5", "WIF-USD", subaccount=128)), Transfer(128, 0, D(400)))
"""Five at 100 with a debt of 400: 100 of equity under 500."""


@given(st.decimals("0", "1", places=3))
def test_margin_that_may_be_removed_leaves_the_leverage_allowed(share: Decimal) -> None:
    moved = adjusted(ISOLATED_HELD, MARKETS, 128, Direction.REMOVE, share=share)
    assert moved.most is not None
    assert moved.effect is not None
    own = moved.effect.after.positions[PositionKey(128, "WIF-USD")]
    assert own.effective_leverage is not None
    assert own.effective_leverage <= 10
    assert set(moved.problems) <= {AdjustmentProblem.AMOUNT_EMPTY}


@pytest.mark.parametrize(
    ("child", "direction", "amount", "problems"),
    [
        (128, Direction.ADD, "1399", []),
        (128, Direction.ADD, "1400", ["MORE_THAN_FREE"]),
        (128, Direction.REMOVE, "60", ["LEVERAGE_TOO_HIGH"]),
        (128, Direction.ADD, "0", ["AMOUNT_EMPTY"]),
        (128, Direction.ADD, "-5", ["AMOUNT_EMPTY"]),
        (256, Direction.ADD, "5", ["NO_POSITION", "MORE_THAN_FREE", "UNKNOWN"]),
        (0, Direction.ADD, "5", ["NOT_A_CHILD", "NO_POSITION", "MORE_THAN_FREE", "UNKNOWN"]),
        (129, Direction.ADD, "5", ["NOT_A_CHILD", "NO_POSITION", "MORE_THAN_FREE", "UNKNOWN"]),
    ],
)
def test_what_is_wrong_with_moving_margin(child: int, direction: Direction, amount: str, problems: list[str]) -> None:
    moved = adjusted(ISOLATED_HELD, MARKETS, child, direction, amount=D(amount))
    assert list(moved.problems) == problems
    assert (moved.transfer is None) == (D(amount) <= 0)


def test_moving_nothing_in_particular_says_how_much_may_be() -> None:
    moved = adjusted(ISOLATED_HELD, MARKETS, 128, Direction.ADD)
    assert (moved.amount, moved.most, moved.effect) == (None, 1399, None)
    assert moved.problems == (AdjustmentProblem.AMOUNT_EMPTY,)


@pytest.mark.parametrize(
    ("kind", "side", "trigger", "expected"),
    [
        (Kind.MARKET, Side.BUY, None, OrderType.MARKET),
        (Kind.SCALE, Side.BUY, None, OrderType.LIMIT),
        (Kind.TRIGGER_MARKET, Side.BUY, "101", OrderType.STOP_MARKET),
        (Kind.TRIGGER_MARKET, Side.BUY, "100", OrderType.TAKE_PROFIT_MARKET),
        (Kind.TRIGGER_LIMIT, Side.SELL, "100", OrderType.STOP_LIMIT),
        (Kind.TRIGGER_LIMIT, Side.SELL, "101", OrderType.TAKE_PROFIT),
        (Kind.TRIGGER_LIMIT, Side.SELL, None, None),
    ],
)
def test_which_type_an_order_is(kind: Kind, side: Side, trigger: str | None, expected: OrderType | None) -> None:
    assert order_type(kind, side, None if trigger is None else D(trigger), D(100)) == expected


@given(prices, prices, st.integers(2, 40), st.decimals("0.1", "10", places=1), sizes)
def test_a_scale_lies_between_its_ends_and_sells_no_more_than_its_size(
    start: Decimal, end: Decimal, orders: int, skew: Decimal, size: Decimal
) -> None:
    scale = ScaleRange(start, end, orders, skew)
    made = scale_prices(scale)
    assert (made[0], len(made)) == (start, orders)
    assert abs(made[-1] - end) < NEAR * 1000
    assert sorted(made) == list(made if start <= end else made[::-1])
    parts = scale_orders(scale, size, D("0.01"))
    assert sum(part.size for part in parts) == size
    assert all(part.size % D("0.01") == 0 for part in parts)


@pytest.mark.parametrize(
    "scale", [ScaleRange(D(1), D(2), 1), ScaleRange(D(1), D(2), 41), ScaleRange(D(1), D(2), 5, D(0))]
)
def test_a_scale_that_is_none(scale: ScaleRange) -> None:
    with pytest.raises(TicketError, match="2 to 40"):
        scale_prices(scale)


def test_a_scale_is_reckoned_at_the_mean_of_its_prices() -> None:
    ticket = Ticket("BTC-USD", Side.BUY, Kind.SCALE, D(3), scale=ScaleRange(D(90), D(99), 3, D(2)))
    plan = plan_order(ticket, desk(account()))
    assert scale_prices(ScaleRange(D(90), D(99), 3, D(2))) == (90, 93, 99)
    assert (plan.cost.average_price, plan.fee_rate) == (94, RATES.maker)


@given(
    st.booleans(),
    st.sampled_from((1, -1)),
    sizes,
    st.decimals("1", "50", places=2),
    st.decimals("0.01", "20", places=2),
)
def test_a_trigger_said_in_money_or_in_a_fraction_is_the_same_trigger(
    is_stop: bool, sign: int, size: Decimal, leverage: Decimal, usdc: Decimal
) -> None:
    held = position(str(sign * size))
    by_money = plan_trigger(TriggerAsked(is_stop, TriggerBy.USDC, usdc), held, leverage)
    assert by_money.trigger_price is not None
    assert by_money.fraction is not None
    above = (sign > 0) != is_stop
    assert (by_money.trigger_price > 100) == above
    assert by_money.side == (Side.SELL if sign > 0 else Side.BUY)
    for asked in (
        TriggerAsked(is_stop, TriggerBy.PRICE, by_money.trigger_price),
        TriggerAsked(is_stop, TriggerBy.FRACTION, by_money.fraction),
    ):
        same = plan_trigger(asked, held, leverage)
        assert same.usdc is not None
        assert abs(same.usdc - usdc) < NEAR


LIMITED = TriggerAsked(True, value=D(90), is_limit=True, limit_price=D(85))
EXISTING = {"size": D(1), "trigger_price": D(90), "price": D(85), "type": "STOP_MARKET"}


@pytest.mark.parametrize(
    ("asked", "existing", "step"),
    [
        (TriggerAsked(True), None, Step.NOTHING),
        (TriggerAsked(True, value=D(90)), None, Step.PLACE),
        (TriggerAsked(True), EXISTING, Step.NOTHING),
        (TriggerAsked(True, value=D(90)), EXISTING, Step.NOTHING),
        (TriggerAsked(True, value=D(91)), EXISTING, Step.REPLACE),
        (TriggerAsked(True, value=D(90), size=D("0.5")), EXISTING, Step.REPLACE),
        (LIMITED, EXISTING, Step.REPLACE),
        (LIMITED, {**EXISTING, "type": "STOP_LIMIT"}, Step.NOTHING),
        (replace(LIMITED, limit_price=D(84)), {**EXISTING, "type": "STOP_LIMIT"}, Step.REPLACE),
        (TriggerAsked(True, removed=True), EXISTING, Step.CANCEL),
    ],
)  # fmt: skip
def test_what_is_done_about_a_trigger(asked: TriggerAsked, existing: dict[str, object] | None, step: Step) -> None:
    there: Order | None = None
    if existing is not None:
        orders = Orders()
        orders.take_rows((patch("t", "UNTRIGGERED", **existing),), StreamVersion(1, 1))
        there = orders.get("t")
    assert plan_trigger(asked, position("1"), D(10), there).step is step


def test_a_trigger_without_an_entry_price_tells_no_gain() -> None:
    plan = plan_trigger(TriggerAsked(True, value=D(90)), position("1", entry_price=None), D(10))
    assert (plan.trigger_price, plan.usdc, plan.fraction) == (90, None, None)
    assert (
        plan_trigger(TriggerAsked(True, TriggerBy.USDC, D(5)), position("1", entry_price=None), D(10)).step
        is Step.NOTHING
    )


def test_fees_of_a_tier() -> None:
    assert fee_rates(FIRST_TIER) == FeeRates(D("0.0001"), D("0.0005"))
    assert fee_rates(FeeTier("9", -110, 250), 100_000) == FeeRates(D("-0.000099"), D("0.000225"))
    assert fee_of(D(1000), RATES.taker) == D("0.5")
    assert fee_of(D(1000), RATES.taker, D(0)) == 0
    assert FeeTier("2", 100, 450, 1_000_000_999_999).volume == 1_000_000
    assert EquityTier(20_000_000, 4).equity == 20
    assert volume_of(123_456_789_012) == D("123456.789012")


def test_a_discount_runs_from_its_start_to_before_its_end() -> None:
    discount = FeeDiscount(500_000, at_height(10), at_height(20))
    assert discount.multiplier(at_height(9)) is None
    assert discount.multiplier(at_height(10)) == D("0.5")
    assert discount.multiplier(at_height(19)) == D("0.5")
    assert discount.multiplier(at_height(20)) is None
