"""What the engine has to tell a person, in a trader's words."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from dydx_console.domain.enums import FillType
from dydx_console.domain.events import StreamChanged
from dydx_console.domain.fill import Fill, is_forced
from dydx_console.domain.limits import BreakerState, BreakerStatus, Budget
from dydx_console.domain.risk import RiskLevel
from dydx_console.domain.stream import StreamCondition
from dydx_console.ports.notices import Level, Notice
from dydx_console.state.limits import LimitsView
from dydx_console.state.reconcile import Difference, Source
from dydx_console.state.risk import RiskView

__all__ = ["LimitsTeller", "RiskTeller", "difference_notices", "fill_notice", "stream_notice"]

_FORCED = {
    FillType.LIQUIDATED: "LIQUIDATED",
    FillType.DELEVERAGED: "DELEVERAGED",
    FillType.OFFSETTING: "DELEVERAGED (offsetting)",
}

_GOOD = frozenset({StreamCondition.RESTORED})
_BAD = frozenset(
    {
        StreamCondition.BLOCKED,
        StreamCondition.DENIED,
        StreamCondition.UNTRUSTED,
        StreamCondition.OFFLINE,
        StreamCondition.CHAIN_HALTED,
    }
)

LONG_WAIT_S = 2.0
"""A shorter wait for the request budget is not worth a word."""
CALM_S = 10.0
"""How long nothing must have waited before that is told: the venue counts in windows of this length."""
_SUBJECTS: Mapping[str, str] = {
    "account": "the account",
    "funding": "funding payments",
    "clock": "its own height and time",
    "books": "order books",
    "history": "histories",
    "other": "other things",
}
"""What the groups of REST paths are about, where their names do not say it."""


class LimitsTeller:
    """Tells, once each, that reads wait for the request budget, that the Indexer keeps failing, and that it is over."""

    def __init__(self) -> None:
        self._is_short = False
        self._calm_since: float | None = None
        self._failing: frozenset[str] = frozenset()

    def look(self, limits: LimitsView, now: float, at: datetime) -> tuple[Notice, ...]:
        """Return what is to be told of the newest figures.

        Args:
            limits: budgets and breakers as they are.
            now: monotonic seconds.
            at: the time that notices carry.
        """
        return (*self._of_budgets(limits.budgets, now, at), *self._of_breakers(limits.breakers, at))

    def _of_budgets(self, budgets: Iterable[Budget], now: float, at: datetime) -> Iterator[Notice]:
        waits = [budget.expected_wait_s for budget in budgets if budget.waiting or not budget.remaining]
        if waits:
            self._calm_since = None
            if not self._is_short and max(waits) > LONG_WAIT_S:
                self._is_short = True
                yield Notice(f"REST budget used up: reads wait about {max(waits):.0f} s.", Level.WARNING, at)
        elif self._is_short:
            self._calm_since = now if self._calm_since is None else self._calm_since
            if now - self._calm_since >= CALM_S:
                self._is_short, self._calm_since = False, None
                yield Notice("REST budget is back: reads wait no longer.", Level.INFO, at)

    def _of_breakers(self, breakers: Iterable[BreakerStatus], at: datetime) -> Iterator[Notice]:
        open_now = {held.group: held for held in breakers if held.state is not BreakerState.CLOSED}
        before, self._failing = self._failing, frozenset(open_now)
        failing = [held for group, held in open_now.items() if group not in before]
        if failing:
            causes = "; ".join(dict.fromkeys(held.text for held in failing if held.text)) or "no cause is known"
            text = f"The Indexer keeps failing for {_listed(held.group for held in failing)} ({causes}): "
            yield Notice(f"{text}what is shown keeps its age, and it is asked again by itself.", Level.WARNING, at)
        over = sorted(before - self._failing)
        if over:
            yield Notice(f"The Indexer answers for {_listed(over)} again.", Level.INFO, at)


class RiskTeller:
    """Tells that the margin in use or the way to liquidation reached a level, once for each rise, and its end."""

    def __init__(self) -> None:
        self._usage = RiskLevel.NONE
        self._liquidation = RiskLevel.NONE

    def look(self, risk: RiskView, at: datetime) -> tuple[Notice, ...]:
        """Return what is to be told of the newest risk; `at` is the time that notices carry."""
        usage, liquidation = risk.usage.level, risk.liquidation.level
        found = (
            _risk_notice(self._usage, usage, _usage_text(risk, usage), at),
            _risk_notice(self._liquidation, liquidation, _liquidation_text(risk, liquidation), at),
        )
        self._usage, self._liquidation = usage, liquidation
        return tuple(notice for notice in found if notice is not None)


def _risk_notice(before: RiskLevel, now: RiskLevel, text: str, at: datetime) -> Notice | None:
    if now.rank > before.rank:
        is_alarm = now is RiskLevel.ALARM
        return Notice(text, Level.ERROR if is_alarm else Level.WARNING, at, rings=True, stays=is_alarm)
    return Notice(text, Level.INFO, at) if now is RiskLevel.NONE and before is not now else None


def _usage_text(risk: RiskView, level: RiskLevel) -> str:
    share = "" if risk.margin_usage is None else f": {_percent(risk.margin_usage)} of the equity is in use as margin"
    return f"Margin {level}{share}." if level is not RiskLevel.NONE else f"Margin is calm again{share}."


def _liquidation_text(risk: RiskView, level: RiskLevel) -> str:
    if risk.liquidatable:
        named = _listed(str(number) for number in risk.liquidatable)
        return f"Liquidation {level}: subaccount {named} may be liquidated, equity is below maintenance margin."
    near = risk.nearest
    if level is RiskLevel.NONE:
        return "Liquidation is far away again."
    if near is None:
        return f"Liquidation {level}."
    way = "is past" if near.room <= 0 else f"has {_percent(near.distance, sign=True)} to"
    return f"Liquidation {level}: {near.key.market} (subaccount {near.key.subaccount}) {way} its liquidation price."


def _percent(share: Decimal, *, sign: bool = False) -> str:
    return f"{share * 100:{'+' if sign else ''}.1f} %".replace("-", "−")


MOST_DIFFERENCES = 5
"""More alarms of one comparison are counted in one notice."""
_FIGURES: Mapping[Source, str] = {
    Source.POSITIONS: "position",
    Source.TRADE_HISTORY: "trade history",
    Source.PNL: "PNL",
    Source.HISTORICAL_PNL: "PNL history",
}
_WHATS: Mapping[str, str] = {
    "net_size": "size",
    "entry_price": "entry price",
    "total_pnl": "total",
    "row": "realized PNL of one trade",
}


def difference_notices(alarms: Iterable[Difference], at: datetime) -> tuple[Notice, ...]:
    """Return a notice of each difference that nothing known accounts for; of many, the first ones and a count."""
    listed = list(alarms)
    told = [Notice(_difference_text(one), Level.WARNING, at, stays=True) for one in listed[:MOST_DIFFERENCES]]
    more = len(listed) - len(told)
    if more:
        text = f"{more:,} more figures of the Indexer differ from ours without a known reason; the PNL lists them."
        told.append(Notice(text, Level.WARNING, at, stays=True))
    return tuple(told)


def _difference_text(one: Difference) -> str:
    where = "the whole account" if one.subaccount is None else f"subaccount {one.subaccount}"
    where = where if one.market is None else f"{one.market}, {where}"
    figure = f"{_FIGURES[one.source]}, {_WHATS.get(one.what, one.what)}"
    ours, venue = _rounded(one.ours), _rounded(one.venue)
    when = "" if one.at is None else f" at {one.at:%Y-%m-%d %H:%M} UTC"
    return f"Unexplained difference ({where}; {figure}{when}): the Indexer says {venue}, our books say {ours}."


def _rounded(value: Decimal | None) -> str:
    """Return a figure for a sentence; the document has all of its digits."""
    return "nothing" if value is None else f"{value:,.8f}".rstrip("0").rstrip(".")


def _listed(groups: Iterable[str]) -> str:
    *others, last = [_SUBJECTS.get(group, group) for group in groups]
    return f"{', '.join(others)} and {last}" if others else last


def stream_notice(changed: StreamChanged, at: datetime) -> Notice:
    """Return the notice of what befell the stream; what needs a person stays until it is dismissed."""
    level = Level.INFO if changed.what in _GOOD else Level.ERROR if changed.what in _BAD else Level.WARNING
    return Notice(f"{changed.text.rstrip('.')}.", level, at, stays=level is Level.ERROR)


def fill_notice(fill: Fill, at: datetime) -> Notice:
    """Return the notice of a fill; one that was forced on the account stays until it is dismissed."""
    traded = f"{fill.side} {_shown(fill.size)} {fill.market} @ {_shown(fill.price)}"
    if is_forced(fill):
        word = _FORCED[FillType(fill.type)]
        return Notice(f"{word}: {traded}, subaccount {fill.subaccount}", Level.ERROR, at, rings=True, stays=True)
    return Notice(f"Filled: {traded} ({fill.liquidity.lower()})", Level.INFO, at, rings=True)


def _shown(value: Decimal) -> str:
    return f"{value:,f}"
