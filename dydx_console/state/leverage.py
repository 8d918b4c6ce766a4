"""The leverages that the account's owner chose, by who told of them."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from dydx_console.domain.chain import ChosenLeverage
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.market import Market

__all__ = ["Leverages"]


class Leverages:
    """What was chosen, by the chain where a node has told it, else by the configuration, else nothing.

    What a node has told stays until it tells otherwise, also while none answers.
    """

    def __init__(self) -> None:
        self.configured: Mapping[str, Decimal] = {}
        """By market, for every subaccount of the parent."""
        self._told: dict[int, dict[str, Decimal]] = {}
        self._is_told = False
        self._selected: dict[PositionKey, Decimal] | None = None

    @property
    def is_told(self) -> bool:
        """Whether a node has told what was chosen on the chain."""
        return self._is_told

    def take(self, subaccount: int, chosen: Iterable[ChosenLeverage]) -> None:
        """Note everything that the chain has for a subaccount."""
        self._is_told = True
        self._told[subaccount] = {str(one.clob_pair_id): one.leverage for one in chosen}
        self._selected = None

    def selected(self, parent: int, markets: Mapping[str, Market]) -> Mapping[PositionKey, Decimal]:
        """Return what counts, by subaccount and market; what is said of a market that is not known yet waits."""
        if not self._is_told:
            return {PositionKey(parent, market): times for market, times in self.configured.items()}
        if self._selected is None or len(self._selected) < sum(map(len, self._told.values())):
            self._selected = {
                PositionKey(subaccount, market.ticker): chosen[market.clob_pair_id]
                for subaccount, chosen in self._told.items()
                for market in markets.values()
                if market.clob_pair_id in chosen
            }
        return self._selected
