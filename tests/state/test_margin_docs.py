"""docs/margin.md says what the console reckons: every example is reckoned from its own text, and by the console."""

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest
from builders import D, balance, position

from dydx_console.domain.enums import Side
from dydx_console.domain.fees import FIRST_TIER, fee_rates
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.market import Market, effective_initial_margin_fraction, initial_margin_fraction_at
from dydx_console.domain.numbers import MATH
from dydx_console.state.isolated import Direction, adjusted
from dydx_console.state.margin import ChildMargin, buying_power
from dydx_console.state.ticket import Desk, Kind, Ticket, plan_order
from dydx_console.state.triggers import TriggerAsked, TriggerBy, TriggerPlan, entry_margin, plan_trigger
from dydx_console.state.whatif import AccountPicture, Trade, liquidation_table, whatif

PAGE = Path(__file__).resolve().parents[2] / "docs" / "margin.md"
NUMBER = re.compile(r"\d+(?:\.\d+)?")
BTC, ETH, WIF = (PositionKey(0, "BTC-USD"), PositionKey(0, "ETH-USD"), PositionKey(128, "WIF-USD"))


def market(ticker: str, price: str, base: str, kept: str, **given: Any) -> Market:
    fractions = {"initial_margin_fraction": D(base), "maintenance_margin_fraction": D(kept)}
    return Market(ticker, oracle_price=D(price), step_size=D("0.0001"), **fractions, **given)


CAPS = {"open_interest_lower_cap": D(50_000_000), "open_interest_upper_cap": D(100_000_000)}
MARKETS = {
    "BTC-USD": market("BTC-USD", "60000", "0.02", "0.012"),
    "ETH-USD": market("ETH-USD", "3000", "0.02", "0.012", open_interest=D(22_000), **CAPS),
    "WIF-USD": market("WIF-USD", "2.5", "0.1", "0.05"),
}
SELECTED = {BTC: D(10)}
LONG = position("0.05", entry_price=D(58_000))
ACCOUNT = AccountPicture(
    parent=0,
    subaccounts=(0, 128),
    positions=(
        LONG,
        position("-2", "ETH-USD", entry_price=D(3_100)),
        position("100", "WIF-USD", subaccount=128, entry_price=D(2)),
    ),
    balances=(balance("5000"), balance("-150", subaccount=128)),
)
RATES = fee_rates(FIRST_TIER)


def examples() -> list[tuple[str, str, str]]:
    """Return name, reckoning and result of every example of the page."""
    blocks = re.findall(r"```text\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    found = [tuple(part.strip() for part in line.split(" = ")) for line in lines]
    assert all(len(parts) == 3 for parts in found)
    return found  # type: ignore[return-value]


def reckoned(expression: str) -> Decimal:
    """Return what a reckoning of the page comes to."""
    signs = expression.replace("×", "*").replace("÷", "/").replace("−", "-")
    assert re.fullmatch(r"[\d,.+*/() -]|(?:[\d,.+*/() -]|max|min)+", signs), signs
    # only thousands have three digits behind a comma without a space
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", signs)
    with localcontext(MATH):
        value = eval(NUMBER.sub(lambda found: f"D('{found[0]}')", plain), {"D": Decimal, "max": max, "min": min})
    assert isinstance(value, Decimal)
    return value


def written(text: str) -> Decimal:
    return D(text.replace(",", "").replace("−", "-"))


def as_written(value: Decimal, text: str) -> Decimal:
    """Return a value rounded to the places of a text."""
    exponent = written(text).as_tuple().exponent
    assert isinstance(exponent, int)
    return value.quantize(Decimal(1).scaleb(exponent), context=MATH)


def figures() -> dict[str, Decimal | None]:
    """Return what the console reckons, by the names of the page."""
    margin = ACCOUNT.margin(MARKETS, SELECTED)
    own = {key.market: figure for key, figure in margin.positions.items()}
    told: dict[str, Decimal | None] = {
        "share of its caps": (D(22_000) * 3_000 - D(50_000_000)) / D(50_000_000),
        "effective fraction of ETH-USD": effective_initial_margin_fraction(MARKETS["ETH-USD"]),
        "fraction of BTC-USD": initial_margin_fraction_at(MARKETS["BTC-USD"], D(10)),
        "fraction of ETH-USD": initial_margin_fraction_at(MARKETS["ETH-USD"], None),
        "equity": margin.equity,
        "buying power in BTC-USD": buying_power(margin.free_collateral, MARKETS["BTC-USD"]),
    }
    shown: dict[str, Callable[[Any], Decimal | None]] = {
        "notional": lambda figure: figure.notional,
        "initial margin": lambda figure: figure.initial_margin,
        "maintenance margin": lambda figure: figure.maintenance_margin,
        "liquidation price": lambda figure: figure.liquidation_price,
        "distance": lambda figure: figure.liquidation_distance,
    }
    told |= {f"{name} of {ticker}": of(figure) for name, of in shown.items() for ticker, figure in own.items()}
    for child in margin.children:
        told |= of_child(child)
    return told | of_whatifs() | of_trigger()


def of_child(child: ChildMargin, then: str = "") -> dict[str, Decimal | None]:
    return {
        f"equity of {child.number}{then}": child.raw_equity,
        f"free collateral of {child.number}{then}": child.raw_free_collateral,
        f"margin used of {child.number}{then}": child.margin_usage,
        f"leverage of {child.number}{then}": child.effective_leverage,
    }


def of_whatifs() -> dict[str, Decimal | None]:
    size, price = D("0.02"), D(60_500)
    sold = Trade(0, "BTC-USD", Side.SELL, size, price, size * price * RATES.taker)
    effect = whatif(ACCOUNT, MARKETS, sold, selected=SELECTED)
    cross = effect.after.child(0)
    assert cross is not None
    ticket = Ticket("WIF-USD", Side.BUY, Kind.LIMIT, D(40), limit_price=D("2.4"))
    plan = plan_order(ticket, Desk(ACCOUNT, MARKETS, RATES, selected=SELECTED))
    up, down = liquidation_table(ACCOUNT, MARKETS, moves=(D("0.2"), D("-0.5")), selected=SELECTED)
    above, below = up.margin.child(0), down.margin.child(128)
    assert above is not None
    assert below is not None
    return {
        **of_child(cross, " after it"),
        "USDC of 0 after selling 0.02 BTC-USD at 60,500": effect.left.usdc(0),
        "transfer to add 40 WIF-USD at 2.4": plan.transfer,
        "most that can be removed from 128": adjusted(ACCOUNT, MARKETS, 128, Direction.REMOVE).most,
        "equity of 0 if all prices rise by 20 %": above.raw_equity,
        "equity of 128 if all prices fall by 50 %": below.raw_equity,
        "taker rate of the first tier with a discount of 10 %": fee_rates(FIRST_TIER, 100_000).taker,
    }


def of_trigger() -> dict[str, Decimal | None]:
    plan: TriggerPlan = plan_trigger(TriggerAsked(True, TriggerBy.USDC, D(100)), LONG, D(10))
    return {
        "entry margin of BTC-USD": entry_margin(LONG, D(10)),
        "stop of BTC-USD that loses 100": plan.trigger_price,
        "fraction that it loses": plan.fraction,
        "price that it is sent at": plan.sent_price,
    }


@pytest.mark.parametrize(("name", "reckoning", "result"), examples(), ids=[name for name, _, _ in examples()])
def test_an_example_comes_to_what_it_says(name: str, reckoning: str, result: str) -> None:
    assert as_written(reckoned(reckoning), result) == written(result)
    ours = figures()[name]
    assert ours is not None
    assert as_written(ours, result) == written(result)


def test_the_example_account_is_the_one_of_the_table() -> None:
    rows = re.findall(r"^\| (\d+)[^|]*\| ([^|]*)\| (long|short) ([\d.]+) (\S+), entry ([\d,.]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|", PAGE.read_text("utf-8"), re.MULTILINE)  # fmt: skip  # noqa: E501
    assert len(rows) == len(ACCOUNT.positions)
    for held, (number, usdc, side, size, ticker, entry, price, base, kept) in zip(ACCOUNT.positions, rows, strict=True):
        assert (held.subaccount, held.market) == (int(number), ticker)
        assert held.net_size == D(size) * (1 if side == "long" else -1)
        assert held.entry_price == written(entry)
        made = MARKETS[ticker]
        told = replace(
            made,
            oracle_price=written(price),
            initial_margin_fraction=written(base),
            maintenance_margin_fraction=written(kept),
        )
        assert told == made
        assert not usdc.strip() or written(usdc.strip()) == ACCOUNT.usdc(int(number))
