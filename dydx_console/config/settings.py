"""What can be configured. Every key has its sentence here and in config.example.toml; a test compares the two."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from dydx_console.domain.ids import AddressError, parse_address
from dydx_console.domain.risk import DEFAULT_LIMITS, RiskLimits
from dydx_console.safety.policy import Environment
from dydx_console.safety.urls import (
    CheckedUrl,
    check_faucet,
    check_listen,
    check_node,
    check_rest,
    check_websocket,
)

__all__ = [
    "CustomNetwork",
    "HealthSettings",
    "JournalSettings",
    "LogSettings",
    "ProxySettings",
    "RecordSettings",
    "RiskSettings",
    "Settings",
    "UiSettings",
]


def _address(text: str) -> str:
    try:
        return parse_address(text)
    except AddressError as error:
        raise ValueError(str(error)) from None


def _usable(checked: CheckedUrl) -> str:
    if checked.reasons:
        raise ValueError("; ".join(checked.reasons))
    return checked.text


def _rest_url(text: str) -> str:
    return _usable(check_rest(text))


def _websocket_url(text: str) -> str:
    return _usable(check_websocket(text))


def _faucet_url(text: str) -> str:
    return _usable(check_faucet(text))


def _node(text: str) -> str:
    return _usable(check_node(text))


_MARKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9.,_/-]*-[A-Z0-9]+")
MOST_LEVERAGE = 1_000
"""More than any market allows: a larger one is a slip of the pen."""


def _market(text: str) -> str:
    if len(text) > 80 or not _MARKET.fullmatch(text):
        raise ValueError("is no name of a market; they are like BTC-USD")
    return text


def _listen(text: str) -> str:
    reasons = check_listen(text)
    if reasons:
        raise ValueError("; ".join(reasons))
    return text


class Section(BaseModel):
    """Base of the file's tables: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class UiSettings(Section):
    """How the screen looks and behaves."""

    theme: str = Field(default="console-dark", description="Colour theme; the palette (ctrl+p) lists them.")
    bell: bool = Field(default=True, description="Ring the terminal's bell when an order fills.")
    keys: dict[str, str] = Field(
        default_factory=dict, description="Other keys for actions, by the action's id: `help` on the screen names them."
    )
    unmasked_screenshots: bool = Field(default=False, description="Leave address and balances readable in screenshots.")


class LogSettings(Section):
    """What is written down."""

    file: Path | None = Field(default=None, description="Log file; without it, one in the platform's log folder.")
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least important kind of line."
    )


class RecordSettings(Section):
    """How `record` writes."""

    max_megabytes: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=256, description="Size after which a recording goes on in a new file."
    )


class JournalSettings(Section):
    """What is remembered of an account."""

    keep: bool = Field(default=True, description="Keep fills, orders, transfers and more; without it nothing is kept.")
    folder: Path | None = Field(
        default=None, description="Folder of the journals; without it, one in the platform's state folder."
    )


class ProxySettings(Section):
    """How the network is reached."""

    allow: bool = Field(
        default=False,
        description="Go through the proxy that HTTPS_PROXY and its like name; otherwise they are ignored.",
    )


class HealthSettings(Section):
    """Where machines may ask how the console is."""

    listen: Annotated[str, AfterValidator(_listen)] | None = Field(
        default=None, description="This machine's host:port, or unix:/path; without it nothing listens."
    )
    api_token_file: Path | None = Field(
        default=None, description="File (0600) with the token of the account's API; without it there is no such API."
    )


_Fraction = Annotated[Decimal, Field(gt=0, le=1)]


class RiskSettings(Section):
    """From where on the account's risk is told, as fractions (0.05 = 5 %)."""

    margin_usage_warn: _Fraction = Field(
        default=DEFAULT_LIMITS.margin_usage_warn, description="Part of the equity in use as margin that is a warning."
    )
    margin_usage_alarm: _Fraction = Field(
        default=DEFAULT_LIMITS.margin_usage_alarm, description="Part of the equity in use as margin that is an alarm."
    )
    liquidation_distance_warn: _Fraction = Field(
        default=DEFAULT_LIMITS.liquidation_distance_warn,
        description="Move of a price to liquidation, as a part of that price, from which on it is a warning.",
    )
    liquidation_distance_alarm: _Fraction = Field(
        default=DEFAULT_LIMITS.liquidation_distance_alarm,
        description="Move of a price to liquidation, as a part of that price, from which on it is an alarm.",
    )

    @property
    def limits(self) -> RiskLimits:
        """The levels as the state takes them."""
        return RiskLimits(
            self.margin_usage_warn,
            self.margin_usage_alarm,
            self.liquidation_distance_warn,
            self.liquidation_distance_alarm,
        )


class CustomNetwork(Section):
    """A network of your own, or other values for one of the catalogue."""

    chain_id: str | None = Field(
        default=None, description="Chain id that its nodes report; one that is not known is treated as mainnet's."
    )
    indexer_rest: Annotated[str, AfterValidator(_rest_url)] | None = Field(
        default=None, description="Indexer: https:// and host, or http:// on this machine; /v4 is added by itself."
    )
    indexer_websocket: Annotated[str, AfterValidator(_websocket_url)] | None = Field(
        default=None, description="Indexer's WebSocket: wss:// and host (ws:// on this machine), ending in /v4/ws."
    )
    nodes: tuple[Annotated[str, AfterValidator(_node)], ...] | None = Field(
        default=None, description="Nodes by gRPC, the preferred one first: host:port, or http://127.0.0.1:port."
    )
    ethereum_chain_id: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Chain id of the Ethereum network that it is bridged to."
    )
    native_denom: str | None = Field(default=None, description="What its native token is called on the chain.")
    faucet: Annotated[str, AfterValidator(_faucet_url)] | None = Field(
        default=None, description="Where test funds are asked for: https:// and host."
    )


class Settings(BaseSettings):
    """All settings. The file stands over the environment (DYDX_CONSOLE_…), command line options over both."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="DYDX_CONSOLE_", env_nested_delimiter="__"
    )

    environment: Environment = Field(
        default=Environment.DEVELOPMENT,
        description="What this machine is for (development, staging, production); it decides which network may run.",
    )
    network: str | None = Field(
        default=None,
        description="Network to watch: mainnet, testnet, local, or one of [networks]; without it, the environment's.",
    )
    address: Annotated[str, AfterValidator(_address)] | None = Field(
        default=None, description="Account to watch: dydx1…"
    )
    parent_subaccount: Annotated[int, Field(ge=0, le=127)] = Field(
        default=0, description="Parent subaccount, 0 to 127."
    )
    ui: UiSettings = Field(default=UiSettings(), description="How the screen looks and behaves.")
    log: LogSettings = Field(default=LogSettings(), description="What is written down.")
    record: RecordSettings = Field(default=RecordSettings(), description="How `record` writes.")
    journal: JournalSettings = Field(default=JournalSettings(), description="What is remembered of an account.")
    proxy: ProxySettings = Field(default=ProxySettings(), description="How the network is reached.")
    health: HealthSettings = Field(default=HealthSettings(), description="Where machines may ask how the console is.")
    risk: RiskSettings = Field(default=RiskSettings(), description="From where on the account's risk is told.")
    leverage: dict[Annotated[str, AfterValidator(_market)], Annotated[Decimal, Field(ge=1, le=MOST_LEVERAGE)]] = Field(
        default_factory=dict,
        description="Leverage that you chose on the chain, by market; used only where no node tells it.",
    )
    networks: dict[str, CustomNetwork] = Field(
        default_factory=dict,
        description="Networks of your own, by name; under a name of the catalogue, only what differs.",
    )
