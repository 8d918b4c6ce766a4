"""What a person is told of risk and of differences from the Indexer: each once, and nothing that is unknown."""

import logging
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from builders import ADDRESS, D, balance, child, position, version

from dydx_console.domain import events as ev
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.market import Market
from dydx_console.domain.risk import RiskLevel
from dydx_console.engine.notices import MOST_DIFFERENCES, RiskTeller, difference_notices
from dydx_console.engine.publish import Publisher
from dydx_console.ports.clock import ManualClock
from dydx_console.ports.mailbox import Mailbox
from dydx_console.ports.notices import Level, Notice
from dydx_console.state.console import ConsoleState, Watched
from dydx_console.state.reconcile import Difference, Source, Why
from dydx_console.state.risk import CALM_S, Gauge, Nearest, RiskView

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
NONE, WARN, ALARM = RiskLevel
ETH = PositionKey(0, "ETH-USD")


def risk(usage: RiskLevel = NONE, liquidation: RiskLevel = NONE, **given: object) -> RiskView:
    base = RiskView(D("0.553"), Nearest(ETH, D("-0.0421"), D("0.0421")), (), Gauge(usage), Gauge(liquidation))
    return replace(base, **given)  # type: ignore[arg-type]


def test_each_rise_is_told_once_with_the_bell_and_its_end_once() -> None:
    teller = RiskTeller()
    assert teller.look(risk(), AT) == ()
    (warned,) = teller.look(risk(WARN), AT)
    assert warned == Notice(
        "Margin WARN: 55.3 % of the equity is in use as margin.", Level.WARNING, AT, rings=True, stays=False
    )
    assert teller.look(risk(WARN), AT) == ()
    (near,) = teller.look(risk(WARN, ALARM), AT)
    assert near == Notice(
        "Liquidation ALARM: ETH-USD (subaccount 0) has −4.2 % to its liquidation price.",
        Level.ERROR, AT, rings=True, stays=True,
    )  # fmt: skip
    assert teller.look(risk(WARN, WARN), AT) == (), "less bad is not worth a word"
    over = teller.look(risk(), AT)
    assert [(notice.text, notice.level, notice.rings) for notice in over] == [
        ("Margin is calm again: 55.3 % of the equity is in use as margin.", Level.INFO, False),
        ("Liquidation is far away again.", Level.INFO, False),
    ]
    assert teller.look(risk(), AT) == ()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"nearest": Nearest(ETH, D("0.01"), D("-0.01"))}, "ETH-USD (subaccount 0) is past its liquidation price"),
        ({"nearest": None}, "Liquidation ALARM."),
        ({"liquidatable": (0, 128)}, "subaccount 0 and 128 may be liquidated, equity is below maintenance margin"),
    ],
)
def test_how_near_it_is_stands_in_words(given: dict[str, object], words: str) -> None:
    (told,) = RiskTeller().look(risk(NONE, ALARM, **given), AT)
    assert words in told.text


class Desk:
    """A publisher over an account with one BTC position of 1 that stands on `usdc`."""

    def __init__(self) -> None:
        self.state, self.mailbox = ConsoleState(Watched(ADDRESS)), Mailbox()
        self.clock = ManualClock()
        self.publisher = Publisher(self.state, self.mailbox, self.clock)
        self.number = 0

    def show(self, usdc: str, price: str | None = "100") -> None:
        self.number += 1
        market = Market("BTC-USD", oracle_price=None if price is None else D(price),
                        initial_margin_fraction=D("0.1"), maintenance_margin_fraction=D("0.05"))  # fmt: skip
        at = self.clock.monotonic()
        self.publisher.take(ev.MarketsRead((market,), at))
        rows = (child(position("1", height=self.number), balance(usdc, height=self.number), height=self.number),)
        self.publisher.take(ev.AccountSnapshot(version(self.number), ADDRESS, 0, None, True, rows, (), self.number))
        self.publisher.publish()

    def told(self) -> list[str]:
        return [notice.text.partition(":")[0] for notice in reversed(self.mailbox.kept())]


def test_a_price_that_dances_on_the_line_is_told_once() -> None:
    desk = Desk()
    for second in range(60):
        desk.clock.move_to(float(second))
        desk.show("-79.9" if second % 2 else "-80.1")  # margin used: 49.8 % and 50.3 % of about 20
    assert desk.told().count("Margin WARN") == 1
    assert "Margin is calm again" not in desk.told()
    for second in (70.0, 71.0 + CALM_S):
        desk.clock.move_to(second)
        desk.show("900")
    assert desk.told().count("Margin is calm again") == 1
    desk.clock.move_to(200.0)
    desk.show("-80.1")
    assert desk.told().count("Margin WARN") == 2, "another time is another notice"


def test_a_missing_price_raises_nothing_and_ends_nothing() -> None:
    desk = Desk()
    desk.show("-94", price=None)
    assert desk.told() == []
    desk.show("-94")
    told = desk.told()
    assert sorted(told) == ["Liquidation ALARM", "Margin ALARM"]


def test_what_is_told_of_risk_is_in_the_log_too(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    with caplog.at_level(logging.INFO, "dydx_console.engine.publish"):
        desk.show("-80.1")
        for second in (1.0, 2.0 + CALM_S):
            desk.clock.move_to(second)
            desk.show("900")
    lines = [(record.levelname, record.message.partition(":")[0]) for record in caplog.records]
    assert ("WARNING", "Margin WARN") in lines
    assert ("INFO", "Margin is calm again") in lines


def difference(number: int) -> Difference:
    return Difference(Source.POSITIONS, "realized", number, "ETH-USD", D("1.5"), D("12345.25"), (), D("1"))


def test_a_difference_without_a_reason_is_a_sentence_and_many_are_counted() -> None:
    (told,) = difference_notices([difference(0)], AT)
    assert told.text == (
        "Unexplained difference (ETH-USD, subaccount 0; position, realized):"
        " the Indexer says 12,345.25, our books say 1.5."
    )
    assert (told.level, told.stays) == (Level.WARNING, True)
    whole = Difference(Source.PNL, "total_pnl", None, None, None, D("-2"), (Why.FEES,), D("-2"), AT)
    (told,) = difference_notices([whole], AT)
    assert (
        "(the whole account; PNL, total at 2026-11-21 10:00 UTC): the Indexer says -2, our books say nothing"
        in told.text
    )
    many = difference_notices([difference(number) for number in range(MOST_DIFFERENCES + 7)], AT)
    assert len(many) == MOST_DIFFERENCES + 1
    assert many[-1].text.startswith("7 more figures")
