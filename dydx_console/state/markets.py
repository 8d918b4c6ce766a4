"""Market rows and oracle prices, every figure by its own version."""

from collections.abc import Iterable
from dataclasses import fields, replace

from dydx_console.domain.ids import StreamVersion
from dydx_console.domain.market import Market, MarketPatch, OraclePrice

__all__ = ["Markets"]

_READ = StreamVersion(0, -1)
"""Version of what REST gave: older than anything the stream says."""
_BEYOND = 2**63
"""A message number that no connection reaches."""
_FIGURES = tuple(field.name for field in fields(Market) if field.name not in ("ticker", "oracle_height", "oracle_at"))


class Markets:
    """All markets by ticker. The stream stands over REST, and of two stream rows the later one, figure by figure."""

    def __init__(self) -> None:
        self._by_ticker: dict[str, Market] = {}
        self._versions: dict[str, dict[str, StreamVersion]] = {}

    @property
    def all(self) -> dict[str, Market]:
        """The markets by ticker; do not change it."""
        return self._by_ticker

    def get(self, ticker: str) -> Market | None:
        """Return one market."""
        return self._by_ticker.get(ticker)

    def take_read(self, markets: Iterable[Market], ended: int | None = None) -> None:
        """Take markets read by REST where the stream has not spoken.

        `ended` is the stream's newest connection where it has ended: REST then stands over all that it said.
        """
        self.take_rows(markets, _READ if ended is None else StreamVersion(ended, _BEYOND))

    def take_rows(self, patches: Iterable[MarketPatch], version: StreamVersion) -> None:
        """Merge rows, whole or partial. A partial row of an unknown market is kept as far as it goes."""
        for patch in patches:
            held = self._by_ticker.get(patch.ticker) or Market(patch.ticker)
            versions = self._versions.setdefault(patch.ticker, {})
            given: dict[str, object] = {}
            for name in _FIGURES:
                value = getattr(patch, name)
                if value is not None and version >= versions.get(name, _READ):
                    versions[name] = version
                    given[name] = value
            if "oracle_price" in given:
                given.update(oracle_height=patch.oracle_height, oracle_at=patch.oracle_at)
            self._by_ticker[patch.ticker] = replace(held, **given)  # type: ignore[arg-type]

    def take_oracle(self, prices: Iterable[OraclePrice], version: StreamVersion) -> None:
        """Take oracle prices; one older than the price held is left out."""
        for price in prices:
            versions = self._versions.setdefault(price.pair, {})
            if version < versions.get("oracle_price", _READ):
                continue
            versions["oracle_price"] = version
            held = self._by_ticker.get(price.pair) or Market(price.pair)
            self._by_ticker[price.pair] = replace(
                held, oracle_price=price.price, oracle_height=price.height, oracle_at=price.at
            )
