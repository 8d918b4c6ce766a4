"""Cases of the web front end's calculators about margin, fees, orders not sent yet, triggers and isolated margin.

Where the console decides otherwise, the rule stands here with its reason: OVERRULED for single cases.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from recorded.test_vectors import account_state, cases, patch_of
from shared_data import needs_data

from dydx_console.domain.enums import Side
from dydx_console.domain.fees import EquityTier, FeeRates, FeeTier, fee_rates, of_million, volume_of
from dydx_console.domain.ids import PositionKey, StreamVersion, parent_of
from dydx_console.domain.market import Market, effective_initial_margin_fraction
from dydx_console.domain.numbers import ZERO
from dydx_console.domain.order import Order, display_status, is_done
from dydx_console.domain.tape import Level
from dydx_console.state.isolated import AdjustmentProblem, Direction, adjusted, unopened_isolated
from dydx_console.state.margin import AccountMargin, ChildMargin, PositionMargin, buying_power
from dydx_console.state.orders import Orders
from dydx_console.state.snapshot import snapshot_of
from dydx_console.state.ticket import (
    Desk,
    Kind,
    Plan,
    ScaleRange,
    SizeBy,
    Ticket,
    order_type,
    plan_order,
    scale_orders,
)
from dydx_console.state.triggers import Step, TriggerAsked, TriggerBy, TriggerPlan, entry_margin, plan_trigger
from dydx_console.state.whatif import (
    AccountPicture,
    Effect,
    Trade,
    Transfer,
    after_emptying,
    after_trade,
    after_transfer,
    picture_of,
)

pytestmark = needs_data

CLOSE = Decimal("1e-12")
DOUBLE = Decimal("1e-9")
"""How near a figure comes that the web reckons in doubles."""
LEAST = {CLOSE: Decimal("1e-19"), DOUBLE: Decimal("1e-15")}
"""What the web's own rounding may leave of a figure near zero."""

OVERRULED = {
    "C27": "flooring in doubles loses a step of each order of a scale, which the last may get back; ours loses none",
}
"""Cases where the console keeps its own figure; `check_scale` says how far it may be from the web's."""


@dataclass(frozen=True)
class Given:
    """A case's account and markets."""

    account: AccountPicture
    markets: Mapping[str, Market]
    selected: Mapping[PositionKey, Decimal]

    @property
    def margin(self) -> AccountMargin:
        return self.account.margin(self.markets, self.selected)

    @property
    def blind(self) -> set[int]:
        """Subaccounts with a position whose market has no oracle price: the web reckons with zero, we say unknown."""
        markets = self.markets
        held = [p for p in self.account.positions if p.market in markets]
        return {p.subaccount for p in held if markets[p.market].oracle_price is None}


def number(value: str | float | None) -> Decimal | None:
    """Return a number of a case; None for texts that are none, as the web takes them."""
    if value is None or not str(value).strip():
        return None
    try:
        read = Decimal(str(value))
    except ArithmeticError:
        return None
    return read if read.is_finite() else None


def given(case_input: Mapping[str, Any]) -> Given:
    state = account_state(dict(case_input))
    account = picture_of(snapshot_of(state, 1.0, 1))
    assert account is not None
    chosen = case_input.get("selectedLeverageByMarket") or {}
    selected = {PositionKey(account.parent, market): Decimal(str(value)) for market, value in chosen.items()}
    return Given(account, state.markets.all, selected)


def agrees(got: Decimal | None, want: str | float | None, close: Decimal = CLOSE, what: object = "") -> None:
    expected = number(want)
    if got is None or expected is None:
        assert got is expected, (what, got, want)
        return
    room = max(close * abs(expected), LEAST[close])
    assert abs(got - expected) <= room, (what, got, want)


GROUP = {
    "equity": "equity",
    "free_collateral": "freeCollateral",
    "raw_free_collateral": "rawFreeCollateral",
    "margin_usage": "marginUsage",
    "effective_leverage": "leverage",
}
CHILD = {**GROUP, "initial_margin": "initialRiskTotal", "maintenance_margin": "maintenanceRiskTotal"}


def check_group(margin: AccountMargin, want: Mapping[str, Any], blind: set[int], parent: int) -> None:
    for ours, theirs in GROUP.items():
        unknown = bool(blind) if ours == "equity" else parent in blind
        agrees(getattr(margin, ours), None if unknown else want.get(theirs), what=ours)
    if "parentSubaccountEquity" in want:
        child = margin.child(parent)
        assert child is not None
        agrees(child.equity, None if parent in blind else want["parentSubaccountEquity"])


def check_children(children: Iterable[ChildMargin], want: Mapping[str, Any], blind: set[int]) -> None:
    found = {child.number: child for child in children}
    for name, row in want.items():
        child = found.get(int(name))
        if child is None:  # the web makes an empty subaccount for what changes nothing
            assert (Decimal(row["quoteBalance"]), Decimal(row["notionalTotal"])) == (ZERO, ZERO)
            continue
        agrees(child.usdc, row["quoteBalance"], what=(name, "usdc"))
        for ours, theirs in CHILD.items():
            agrees(getattr(child, ours), None if child.number in blind else row[theirs], what=(name, ours))


def check_position(own: PositionMargin, row: Mapping[str, Any], *, blind: bool) -> None:
    agrees(own.notional, row["notional"], what="notional")
    agrees(own.initial_margin, row["initialRiskFromSelectedLeverage"], what="initial")
    agrees(own.maintenance_margin, row["maintenanceRisk"], what="maintenance")
    agrees(own.selected_leverage, row["effectiveSelectedLeverage"], what="selected")
    agrees(own.max_leverage, row["maxLeverage"], what="max leverage")
    if not blind:
        agrees(own.effective_leverage, row["leverage"], what="leverage")
        agrees(own.liquidation_price, row["liquidationPrice"], what="liquidation")
        agrees(own.margin, row["marginValueInitialFromSelectedLeverage"], what="margin")


def check_account(made: Given, margin: AccountMargin, want: Mapping[str, Any]) -> None:
    blind = made.blind
    check_group(margin, want["group"], blind, made.account.parent)
    check_children(margin.children, want["children"], blind)
    for row in want["positions"]:
        own = margin.positions.get(PositionKey(row["subaccountNumber"], row["market"]))
        market = made.markets.get(row["market"])
        if market is None or market.oracle_price is None:
            assert own is None, "nothing is said of a position without a price"
            continue
        assert own is not None
        check_position(own, row, blind=row["subaccountNumber"] in blind)
        agrees(effective_initial_margin_fraction(market), row["adjustedImf"])
    for ticker, power in want.get("buyingPowerByMarket", {}).items():
        if made.account.parent not in blind and power is not None:
            agrees(buying_power(margin.free_collateral, made.markets[ticker]), power, what=("power", ticker))


@pytest.mark.parametrize("case", cases("accounts"))
def test_account(case: dict[str, Any]) -> None:
    made = given(case["input"])
    check_account(made, made.margin, case["expected"])


def traded(account: AccountPicture, operation: Mapping[str, Any]) -> AccountPicture:
    given_, kind = operation["payload"], operation["operation"]
    if kind == "ApplyTrade":
        size, price, fee = (Decimal(str(given_[key])) for key in ("size", "averagePrice", "fee"))
        trade = Trade(
            given_["subaccountNumber"], given_["marketId"], Side(given_["side"]), size, price, fee, given_["reduceOnly"]
        )
        return after_trade(account, trade)
    if kind == "SubaccountTransfer":
        ends = given_["senderSubaccountNumber"], given_["recipientSubaccountNumber"]
        return after_transfer(account, Transfer(*ends, Decimal(str(given_["amount"]))))
    if kind == "SubaccountTransferFull":
        return after_emptying(account, given_["senderSubaccountNumber"], given_["recipientSubaccountNumber"])
    amount = Decimal(str(given_["amount"])) * (1 if kind == "DepositUsdc" else -1)
    return after_transfer(account, Transfer(-1, given_["subaccountNumber"], amount))


@pytest.mark.parametrize("case", cases("apply_trade"))
def test_applied_operations(case: dict[str, Any]) -> None:
    made, want = given(case["input"]), case["expected"]
    check_account(made, made.margin, want["before"])
    account = made.account
    for operation in case["input"]["operations"]:
        sender = operation["payload"].get("senderSubaccountNumber")
        if operation["operation"] == "SubaccountTransferFull" and account.usdc(sender) < ZERO:
            assert traded(account, operation) is account, "what owes has nothing to give, whatever the web moves"
            return
        account = traded(account, operation)
    after = Given(account, made.markets, made.selected)
    check_account(after, after.margin, want["after"])
    for name, row in want["rawAfter"].items():
        held = {p.market: p for p in account.positions if p.subaccount == int(name)}
        assert set(held) == set(row["positions"])
        for market, raw in row["positions"].items():
            agrees(held[market].net_size, Decimal(raw["size"]).copy_abs() * (1 if raw["side"] == "LONG" else -1))
            for ours, theirs in {
                "entry_price": "entryPrice",
                "venue_realized_pnl": "realizedPnl",
                "sum_open": "sumOpen",
                "max_size": "maxSize",
            }.items():
                agrees(getattr(held[market], ours), raw[theirs], what=(market, ours))


def tier_of(row: Mapping[str, Any]) -> FeeTier:
    names = ("absoluteVolumeRequirement", "totalVolumeShareRequirementPpm", "makerVolumeShareRequirementPpm")
    return FeeTier(row["name"], row["makerFeePpm"], row["takerFeePpm"], *(int(row.get(name) or 0) for name in names))


def check_fee_table(tiers: Iterable[Mapping[str, Any]], want: Iterable[Mapping[str, Any]]) -> None:
    for tier, row in zip(map(tier_of, tiers), want, strict=True):
        assert tier.name == row["id"]
        agrees(tier.volume, row["volume"])
        agrees(of_million(tier.total_share_ppm), row["totalShare"], DOUBLE)
        agrees(of_million(tier.maker_share_ppm), row["makerShare"], DOUBLE)
        agrees(of_million(tier.maker_ppm), row["maker"], DOUBLE)
        agrees(of_million(tier.taker_ppm), row["taker"], DOUBLE)


def check_equity_table(tiers: Iterable[Mapping[str, Any]], want: Iterable[Mapping[str, Any]]) -> None:
    made = [EquityTier(int(row["usdTncRequired"]), int(row["limit"])) for row in tiers]
    above: list[Decimal | None] = [tier.equity for tier in made[1:]]
    for tier, following, row in zip(made, [*above, None], want, strict=True):
        agrees(tier.equity, row["requiredTotalNetCollateralUSD"])
        agrees(following, row.get("nextLevelRequiredTotalNetCollateralUSD"))
        assert tier.most_orders == row["maxOrders"]


def check_user(row: Mapping[str, Any], want: Mapping[str, Any]) -> None:
    discount = (row.get("stakingTier") or {}).get("discountPpm") or 0
    agrees(of_million(discount) if discount else None, want.get("stakingTierDiscount"), DOUBLE)
    if row.get("feeTier") is not None:
        rates = fee_rates(tier_of(row["feeTier"]), discount)
        assert row["feeTier"]["name"] == want["feeTierId"]
        for ours, theirs in ((rates.maker, "makerFeeRate"), (rates.taker, "takerFeeRate")):
            agrees(ours, want[theirs], DOUBLE)
    if row.get("accountStats") is not None:
        agrees(volume_of(int(row["accountStats"]["makerNotional"])), want["makerVolume30D"], DOUBLE)
        agrees(volume_of(int(row["accountStats"]["takerNotional"])), want["takerVolume30D"], DOUBLE)


@pytest.mark.parametrize("case", cases("fees_tiers"))
def test_fees_and_tiers(case: dict[str, Any]) -> None:
    """A case is a user's own rates, the table of fee tiers, or the two tables of equity tiers."""
    row, want = case["input"], case["expected"]
    kept = row if isinstance(row, dict) else {"tiers": row}
    inner = next((v for v in kept.values() if isinstance(v, dict) and ("tiers" in v or _is_equity(v))), kept)
    if _is_equity(inner):
        for name in ("shortTermOrderEquityTiers", "statefulOrderEquityTiers"):
            check_equity_table(inner[name], want[name])
    elif "tiers" in inner:
        check_fee_table(inner["tiers"], want)
    else:
        check_user(row, want)


def _is_equity(row: Mapping[str, Any]) -> bool:
    return "statefulOrderEquityTiers" in row


def orders_of(listed: Iterable[dict[str, Any]]) -> tuple[Order, ...]:
    held = Orders()
    patches = [patch_of(row) for row in listed]
    held.take_rows(tuple(patches), StreamVersion(1, 5))
    found = [order for order in (held.get(patch.id) for patch in patches) if order is not None]
    return tuple(order for order in found if not is_done(display_status(order, None, None)))


@pytest.mark.parametrize("case", cases("unopened_isolated"))
def test_unopened_isolated(case: dict[str, Any]) -> None:
    made, want = given(case["input"]), case["expected"]
    found = unopened_isolated(orders_of(case["input"]["orders"]), made.account.positions, made.margin)
    assert [(one.market, [order.id for order in one.orders]) for one in found] == [
        (row["marketId"], row["orderIds"]) for row in want
    ]
    for one, row in zip(found, want, strict=True):
        agrees(one.equity, row["equity"])


ADJUSTED = {
    "positionMargin": "margin",
    "liquidationPrice": "liquidation_price",
    "positionLeverage": "effective_leverage",
    "positionMaintenanceRisk": "maintenance_margin",
    "positionMaxMarketLeverage": "max_leverage",
    "positionNotional": "notional",
}
THEIR_PROBLEMS = {
    AdjustmentProblem.NOT_A_CHILD: {"INVALID_SUBACCOUNT_NUMBER"},
    AdjustmentProblem.AMOUNT_EMPTY: {"AMOUNT_EMPTY"},
    AdjustmentProblem.NO_POSITION: {"NO_ISOLATED_POSITION"},
    AdjustmentProblem.MORE_THAN_FREE: {"TRANSFER_MORE_THAN_FREE"},
    AdjustmentProblem.LEVERAGE_TOO_HIGH: {"INVALID_NEW_POSITION_LEVERAGE"},
    AdjustmentProblem.UNKNOWN: {"COULDNT_COMPUTE_PRE_OPERATION", "COULDNT_COMPUTE_POST_OPERATION"},
}


@pytest.mark.parametrize("case", cases("adjust_isolated_margin"))
def test_adjusted_isolated_margin(case: dict[str, Any]) -> None:
    made, want, form = given(case["input"]), case["expected"], case["input"]["form"]
    asked, child = form["amountInput"], form.get("childSubaccountNumber") or 0
    got = adjusted(
        made.account,
        made.markets,
        child,
        Direction(form["type"]),
        amount=number(asked.get("amount")),
        share=number(asked.get("percent")),
        selected=made.selected,
    )
    agrees(got.amount, want["inputs"].get("amount"), DOUBLE)
    agrees(got.share, want["inputs"].get("percent"), DOUBLE)
    agrees(got.most, want["inputs"].get("maxAmount"), DOUBLE)
    check_adjusted(made.margin, want["before"], child)
    if got.effect is not None:
        check_adjusted(got.effect.after, want["after"], child)
    payload = want["payload"]
    assert (got.transfer is None) == (payload is None)
    if got.transfer is not None:
        assert got.transfer.sender == payload["subaccountNumber"]
        assert got.transfer.recipient == payload["destinationSubaccountNumber"]
        agrees(got.transfer.amount, payload["amount"], DOUBLE)
    assert their_problems(got.problems, got.amount, made, child) == set(want["errors"])


def their_problems(problems: Iterable[AdjustmentProblem], amount: Decimal | None, made: Given, child: int) -> set[str]:
    """Return the web's words; it calls children of other parents than 0 invalid, and no negative amount empty."""
    told = set().union(*(THEIR_PROBLEMS[problem] for problem in problems))
    if amount is None or amount <= ZERO:
        told |= {"MISSING_PAYLOAD"}
    if amount is None:
        told |= {"COULDNT_COMPUTE_POST_OPERATION"}
    elif amount < ZERO:
        told -= {"AMOUNT_EMPTY"}
    if made.account.parent and parent_of(child) == made.account.parent:
        told |= {"INVALID_SUBACCOUNT_NUMBER"}
    return told


def check_adjusted(margin: AccountMargin, want: Mapping[str, Any], child: int) -> None:
    own = next((figures for key, figures in margin.positions.items() if key.subaccount == child), None)
    if "crossFreeCollateral" in want:
        agrees(margin.free_collateral, want["crossFreeCollateral"], DOUBLE)
        agrees(margin.margin_usage, want.get("crossMarginUsage"), DOUBLE)
    for theirs, ours in ADJUSTED.items():
        if theirs in want:
            assert own is not None
            agrees(getattr(own, ours), want[theirs], DOUBLE, theirs)


TRIGGER_BY = {"TRIGGER_PRICE": TriggerBy.PRICE, "USDC_DIFF": TriggerBy.USDC, "PERCENT_DIFF": TriggerBy.FRACTION}
TRIGGER_VALUE = {"TRIGGER_PRICE": "triggerPrice", "USDC_DIFF": "usdcDiff", "PERCENT_DIFF": "percentDiff"}


def trigger_asked(form: Mapping[str, Any], name: str) -> TriggerAsked:
    leg, size = form.get(name) or {}, form["size"]
    price = leg.get("priceInput")
    by, value = TriggerBy.PRICE, None
    if price is not None:
        by, value = TRIGGER_BY[price["type"]], number(price[TRIGGER_VALUE[price["type"]]])
        if by is TriggerBy.FRACTION and value is not None:
            value /= 100
    return TriggerAsked(
        is_stop=name == "stopLossOrder",
        by=by,
        value=value,
        removed="priceInput" in leg and value is None,
        size=number(size["size"]) if size["checked"] else None,
        limit_price=number(leg.get("limitPrice")),
        is_limit=bool(form["showLimits"]),
    )


def check_trigger(got: TriggerPlan, want: Mapping[str, Any]) -> None:
    agrees(got.size, want["size"])
    for ours, theirs in (
        (got.limit_price, "limitPrice"),
        (got.trigger_price, "triggerPrice"),
        (got.usdc, "usdcDiff"),
        (got.fraction, "percentDiff"),
    ):
        agrees(ours, want.get(theirs), what=theirs)


@pytest.mark.parametrize("case", cases("triggers"))
def test_triggers(case: dict[str, Any]) -> None:
    made, want, row = given(case["input"]), case["expected"], case["input"]
    held = made.account.position(row["subaccountNumber"], row["market"])
    assert held is not None
    own = made.margin.positions[PositionKey(held.subaccount, held.market)]
    agrees(entry_margin(held, own.selected_leverage), want["effectiveEntryMargin"], DOUBLE)
    existing = {order.id: order for order in orders_of(row.get("existingTriggerOrders") or ())}
    plans = []
    for name in ("stopLossOrder", "takeProfitOrder"):
        order = existing.get((row["form"].get(name) or {}).get("orderId"))
        plans.append(plan_trigger(trigger_asked(row["form"], name), held, own.selected_leverage, order))
    for plan, name in zip(plans, ("stopLoss", "takeProfit"), strict=True):
        check_trigger(plan, want[name])
    placed = [p for p in plans if p.step in (Step.PLACE, Step.REPLACE) and p.sent_price is not None]
    for plan, payload in zip(placed, want["placePayloads"], strict=True):
        assert payload["reduceOnly"]
        assert payload["side"] == plan.side
        assert payload["type"] == {"TAKE_PROFIT": "TAKE_PROFIT_LIMIT"}.get(plan.type, plan.type)
        agrees(plan.sent_price, payload["price"], DOUBLE)
        agrees(plan.size, payload["size"], DOUBLE)
        agrees(plan.trigger_price, payload["triggerPrice"], DOUBLE)


SIZES = {"SIZE": SizeBy.BASE, "USDC_SIZE": SizeBy.USDC, "AVAILABLE_PERCENT": SizeBy.SHARE}


def ticket_of(form: Mapping[str, Any]) -> Ticket:
    kind = Kind(form["type"])
    size = form.get("size") or {"type": "SIZE", "value": {"value": "0"}}
    rests = form.get("execution") != "IOC" if kind is Kind.TRIGGER_LIMIT else form.get("timeInForce", "GTT") == "GTT"
    scale: ScaleRange | None = None
    if kind is Kind.SCALE:
        start, end, skew = (number(form[f"scale{name}"]) for name in ("StartPrice", "EndPrice", "Skew"))
        assert start is not None
        assert end is not None
        scale = ScaleRange(start, end, int(form.get("scaleTotalOrders", "5")), skew or Decimal(1))
    mode = form.get("marginMode")
    return Ticket(
        market=form["marketId"],
        side=Side(form.get("side", "BUY")),
        kind=kind,
        amount=number(size["value"]["value"]) or ZERO,
        by=SIZES[size["type"]],
        limit_price=number(form.get("limitPrice")),
        trigger_price=number(form.get("triggerPrice")),
        reduce_only=bool(form.get("reduceOnly")),
        post_only=bool(form.get("postOnly")) or form.get("execution") == "POST_ONLY",
        rests=rests,
        isolated=None if mode is None else mode == "ISOLATED",
        scale=scale,
    )


def levels(rows: Iterable[tuple[float, float]] | None) -> tuple[Level, ...] | None:
    return None if rows is None else tuple((Decimal(str(price)), Decimal(str(size))) for price, size in rows)


def desk_of(made: Given, row: Mapping[str, Any]) -> Desk:
    book, fees = row.get("orderbook") or {}, row["userFees"]
    return Desk(
        account=made.account,
        markets=made.markets,
        rates=FeeRates(Decimal(str(fees["makerFeeRate"])), Decimal(str(fees["takerFeeRate"]))),
        bids=levels(book.get("bids")),
        asks=levels(book.get("asks")),
        selected=made.selected,
        fee_multiplier=number(row.get("marketFeeDiscountMultiplier")),
        open_orders=orders_of(row.get("openOrders") or row.get("orders") or ()),
    )


COST = {
    "averageFillPrice": "average_price",
    "worstFillPrice": "worst_price",
    "payloadPrice": "sent_price",
    "slippage": "slippage",
    "indexSlippage": "oracle_slippage",
    "fee": "fee",
}


@pytest.mark.parametrize("case", cases("trade_form"))
def test_trade_form(case: dict[str, Any]) -> None:
    row, want = case["input"], case["expected"]
    made = given(row)
    plan = plan_order(ticket_of(row["form"]), desk_of(made, row))
    sizes = want["size"] or {}
    agrees(plan.cost.size, sizes.get("size"), DOUBLE)
    agrees(plan.cost.quote, sizes.get("usdcSize"), DOUBLE)
    agrees(plan.cost.share, sizes.get("allocationPercent"), DOUBLE)
    for theirs, ours in COST.items():
        agrees(getattr(plan.cost, ours), want[theirs], DOUBLE, theirs)
    agrees(plan.fee_rate, want["feeRate"], DOUBLE)
    agrees(plan.total, want["total"], DOUBLE)
    if plan.cost.average_price is not None:
        agrees(plan.transfer, want["transferToSubaccountAmount"], DOUBLE)
    assert plan.subaccount == want["subaccountNumber"]
    assert plan.cost.is_filled == want["filled"]
    check_closes(plan, want["isPositionClosed"])
    check_payload(plan, made, want["orderPayload"])
    check_scale(plan, made, want["scaleOrderPayloads"])
    check_effect(plan.effect, want, plan)


def check_closes(plan: Plan, want: bool) -> None:
    """Hold it against the web's, which says that a trigger of the position's size closes it, in either direction."""
    held = plan.effect.held.position(plan.subaccount, plan.ticket.market)
    is_same_side = held is not None and (held.net_size > ZERO) == (plan.ticket.side == Side.BUY)
    if plan.ticket.kind is Kind.TRIGGER_MARKET and is_same_side:
        assert not plan.closes
    else:
        assert plan.closes == want


def check_payload(plan: Plan, made: Given, want: Mapping[str, Any] | None) -> None:
    if want is None:
        return
    ticket = plan.ticket
    kind = order_type(ticket.kind, ticket.side, ticket.trigger_price, made.markets[ticket.market].oracle_price)
    assert kind is not None
    assert want["type"] == {"TAKE_PROFIT": "TAKE_PROFIT_LIMIT"}.get(kind, kind)
    assert bool(want["reduceOnly"]) == ticket.reduces_only
    agrees(plan.cost.size, want["size"], DOUBLE)
    agrees(plan.cost.sent_price, want["price"], DOUBLE)


def check_scale(plan: Plan, made: Given, want: list[dict[str, Any]] | None) -> None:
    """Hold a scale against the web's, whose doubles may lose a step of an order when they floor: see OVERRULED."""
    scale, step = plan.ticket.scale, made.markets[plan.ticket.market].step_size
    if scale is None or plan.cost.size is None or step is None or not want:
        assert not want
        return
    ours = scale_orders(scale, plan.cost.size, step)
    assert sum(order.size for order in ours) == plan.cost.size
    for order, row in zip(ours, want, strict=True):
        agrees(order.price, row["price"], DOUBLE)
        lost = round((order.size - Decimal(str(row["size"]))) / step)
        assert lost in ((0, 1) if order is not ours[-1] else range(1 - scale.orders, 2))
        agrees(order.size - lost * step, row["size"], DOUBLE)


def check_effect(effect: Effect, want: Mapping[str, Any], plan: Plan) -> None:
    for margin, account, name in ((effect.before, effect.held, "before"), (effect.after, effect.left, "after")):
        told = want[name]
        if told is None:
            continue
        if name == "after" and plan.cost.average_price is None and plan.isolated:
            assert account is effect.held, "without a price the web moves collateral as for a price of zero"
            continue
        for ours, theirs in GROUP.items():
            agrees(getattr(margin, ours), told["account"].get(theirs), DOUBLE, (name, ours))
        row = told["position"]
        held = account.position(plan.subaccount, plan.ticket.market)
        if row is None or Decimal(row["signedSize"]) == ZERO:  # the web opens a position of nothing
            assert held is None, name
            continue
        assert held is not None, name
        own = margin.positions[PositionKey(plan.subaccount, plan.ticket.market)]
        agrees(held.net_size, row["signedSize"], DOUBLE)
        agrees(held.entry_price, row["entryPrice"], DOUBLE)
        agrees(own.liquidation_price, row["liquidationPrice"], DOUBLE)
        agrees(own.effective_leverage, row["leverage"], DOUBLE)
        agrees(own.notional, row["notional"], DOUBLE)
        agrees(own.margin, row["marginValueInitialFromSelectedLeverage"], DOUBLE)
