"""Levels of risk: they rise at once and fall after calm, and what is unknown neither raises nor lowers them."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

import pytest
from builders import D, balance, position
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.ids import PositionKey
from dydx_console.domain.market import Market
from dydx_console.domain.position import Position
from dydx_console.domain.risk import DEFAULT_LIMITS, RiskLevel, RiskLimits
from dydx_console.state.margin import AccountMargin, PositionMargin, account_margin
from dydx_console.state.risk import CALM_S, NO_RISK, RiskView, nearest_liquidation, risk_view

NONE, WARN, ALARM = RiskLevel


@dataclass(frozen=True)
class Held:
    position: Position
    oracle_price: Decimal | None
    margin: PositionMargin | None


def market(ticker: str, price: str | None) -> Market:
    return Market(
        ticker,
        oracle_price=None if price is None else D(price),
        initial_margin_fraction=D("0.1"),
        maintenance_margin_fraction=D("0.05"),
    )


def account(
    *positions: Position, usdc: str = "0", isolated: str | None = None, **prices: str | None
) -> tuple[AccountMargin, tuple[Held, ...]]:
    """Return the figures of parent 0 and child 128, with prices by the market's first letters."""
    markets = {f"{name}-USD": market(f"{name}-USD", price) for name, price in ({"BTC": "100"} | prices).items()}
    cash = [balance(usdc), *([] if isolated is None else [balance(isolated, subaccount=128)])]
    margin = account_margin({p.subaccount for p in positions}, positions, cash, markets, 0)
    held = tuple(
        Held(p, markets[p.market].oracle_price if p.market in markets else None,
             margin.positions.get(PositionKey(p.subaccount, p.market)))
        for p in positions
    )  # fmt: skip
    return margin, held


def look(
    given: tuple[AccountMargin | None, Iterable[Held]],
    before: RiskView = NO_RISK,
    at: float = 0.0,
    limits: RiskLimits = DEFAULT_LIMITS,
) -> RiskView:
    return risk_view(*given, 0, limits, before=before, at=at)


def using(share: str) -> tuple[AccountMargin, tuple[Held, ...]]:
    """Return an account that uses about a share of its equity as margin: 10 of initial margin for a position of 100."""
    return account(position("1"), usdc=str(10 / D(share) - 100))


@pytest.mark.parametrize(
    ("share", "level"), [("0.1", NONE), ("0.49", NONE), ("0.5", WARN), ("0.79", WARN), ("0.8", ALARM), ("1", ALARM)]
)
def test_margin_usage_has_its_levels(share: str, level: RiskLevel) -> None:
    limits = RiskLimits(liquidation_distance_warn=D("0.0002"), liquidation_distance_alarm=D("0.0001"))
    seen = look(using(share), limits=limits)
    assert seen.margin_usage is not None
    assert abs(seen.margin_usage - D(share)) < D("1e-20")
    assert (seen.usage.level, seen.level) == (level, level)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(
    ("room", "level"), [("0.3", NONE), ("0.16", NONE), ("0.15", WARN), ("0.06", WARN), ("0.05", ALARM), ("0.01", ALARM)]
)
def test_the_way_to_liquidation_has_its_levels_and_the_sign_of_the_move(side: int, room: str, level: RiskLevel) -> None:
    price = 100 * (1 - side * D(room))
    # equity at that price = maintenance margin there
    usdc = price * D("0.05") - side * price
    seen = look(account(position(str(side)), usdc=str(usdc)))
    assert seen.nearest is not None
    assert abs(seen.nearest.room - D(room)) < D("1e-20")
    assert seen.nearest.distance == -side * seen.nearest.room
    assert seen.nearest.key == PositionKey(0, "BTC-USD")
    assert seen.liquidation.level is level


def test_the_nearest_liquidation_is_that_of_the_smallest_move_on_either_side() -> None:
    held = (position("1", subaccount=128), position("-1", "ETH-USD"))
    margin, views = account(*held, usdc="140", isolated="-65", ETH="100")
    seen = look((margin, views))
    assert seen.nearest is not None
    assert seen.nearest.key == PositionKey(128, "BTC-USD")
    assert seen.nearest.distance < 0
    assert nearest_liquidation(views[1:]) is not None
    assert nearest_liquidation(()) is None


def test_what_may_be_liquidated_already_is_an_alarm() -> None:
    seen = look(account(position("1", subaccount=128), usdc="1000", isolated="-97"))
    assert seen.liquidatable == (128,)
    assert seen.nearest is not None
    assert seen.nearest.room < 0, "the price is past it"
    assert seen.level is ALARM
    broke = look(account(position("1", subaccount=128), usdc="1000", isolated="-150"))
    assert (broke.liquidatable, broke.level) == ((128,), ALARM)


def test_subaccounts_of_another_parent_are_not_in_it() -> None:
    margin, _ = account(position("1", subaccount=1), usdc="1000")
    assert margin.liquidatable == ()
    poor = account_margin([0, 1], [position("1", subaccount=1)], [balance("-97", subaccount=1)],
                          {"BTC-USD": market("BTC-USD", "100")}, 0)  # fmt: skip
    assert poor.liquidatable == (1,)
    assert risk_view(poor, (), 0, DEFAULT_LIMITS).level is NONE


UNKNOWN = (
    (None, ()),
    account(position("1"), usdc="-90", BTC=None),
    account(position("1", "ETH-USD"), usdc="-90"),
)


@pytest.mark.parametrize("unknown", UNKNOWN, ids=["no figures", "no oracle price", "no market"])
def test_what_is_unknown_raises_no_level_and_lets_none_fall(
    unknown: tuple[AccountMargin | None, tuple[Held, ...]],
) -> None:
    assert look(unknown).level is NONE
    alarmed = look(using("0.96"))
    assert alarmed.level is ALARM
    later = alarmed
    for second in range(100):
        later = look(unknown, later, 10.0 + second)
    assert (later.usage.level, later.liquidation.level) == (ALARM, alarmed.liquidation.level)
    assert not later.usage.is_known
    assert not later.liquidation.is_known


def test_a_known_near_one_counts_although_another_is_unknown() -> None:
    held = (position("1", subaccount=128), position("1", "ETH-USD"))
    seen = look(account(*held, usdc="100", isolated="-90", ETH=None))
    assert seen.liquidation.level is not NONE


def test_a_level_falls_after_calm_and_only_with_room_to_spare() -> None:
    warned = look(
        using("0.6"), limits=RiskLimits(liquidation_distance_warn=D("0.02"), liquidation_distance_alarm=D("0.01"))
    )
    assert warned.usage.level is WARN
    held = look(using("0.46"), warned, 100.0)
    assert held.usage.level is WARN
    assert look(using("0.46"), held, 1000.0).usage.level is WARN, "below the level, but not by enough"
    begun = look(using("0.4"), warned, 100.0)
    assert begun.usage.level is WARN
    assert look(using("0.4"), begun, 100.0 + CALM_S - 0.1).usage.level is WARN
    assert look(using("0.4"), begun, 100.0 + CALM_S).usage.level is NONE
    broken = look(using("0.55"), begun, 105.0)
    assert look(using("0.4"), broken, 100.0 + CALM_S).usage.level is WARN, "the calm was broken"


def test_an_account_that_was_emptied_is_at_no_risk_any_more() -> None:
    seen = look(using("0.96"))
    for second in (1.0, 2.0 + CALM_S, 3.0 + CALM_S):
        seen = look(account(usdc="0"), seen, second)
    assert seen.margin_usage is None
    assert seen.level is NONE


@given(st.lists(st.tuples(st.decimals("0.1", "1", places=3), st.floats(0.01, 30)), min_size=1, max_size=60))
def test_levels_never_flap(steps: list[tuple[Decimal, float]]) -> None:
    """A level is at least the figure's own, falls only after calm, and never within that time of its rise."""
    seen, at, rose_at = NO_RISK, 0.0, 0.0
    for share, wait_s in steps:
        at += wait_s
        before, seen = seen, look(using(str(share)), seen, at)
        assert seen.margin_usage is not None
        own = ALARM if seen.margin_usage >= D("0.8") else WARN if seen.margin_usage >= D("0.5") else NONE
        assert seen.usage.level.rank >= own.rank
        if seen.usage.level.rank > before.usage.level.rank:
            rose_at = at
        if seen.usage.level.rank < before.usage.level.rank:
            assert at - rose_at >= CALM_S
