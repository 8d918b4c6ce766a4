"""What can be configured. Every key has its sentence here and in config.example.toml; a test compares the two."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from dydx_console.domain.ids import AddressError, parse_address

__all__ = ["CustomNetwork", "LogSettings", "RecordSettings", "Settings", "UiSettings"]

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def _address(text: str) -> str:
    try:
        return parse_address(text)
    except AddressError as error:
        raise ValueError(str(error)) from None


def _url(text: str, secure: str, plain: str) -> str:
    split = urlsplit(text)
    if split.username or split.password:
        raise ValueError("a URL here carries no user name or password")
    if split.scheme == plain and split.hostname in LOOPBACK:
        return text
    if split.scheme != secure or not split.hostname:
        raise ValueError(f"must begin with {secure}://, or with {plain}:// for this machine only")
    return text


def _rest_url(text: str) -> str:
    return _url(text, "https", "http")


def _websocket_url(text: str) -> str:
    return _url(text, "wss", "ws")


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


class CustomNetwork(Section):
    """A network of your own."""

    chain_id: str = Field(description="Chain id that its nodes report.")
    indexer_rest: Annotated[str, AfterValidator(_rest_url)] = Field(description="Indexer, scheme and host.")
    indexer_websocket: Annotated[str, AfterValidator(_websocket_url)] = Field(description="Indexer's WebSocket.")


class Settings(BaseSettings):
    """All settings. The file stands over the environment (DYDX_CONSOLE_…), command line options over both."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="DYDX_CONSOLE_", env_nested_delimiter="__"
    )

    environment: Literal["development", "staging", "production"] = Field(
        default="development",
        description="What this machine is for; later steps decide by it which network may be used.",
    )
    network: str | None = Field(
        default=None, description="Network to watch: mainnet, testnet, local, or one of [networks]."
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
    networks: dict[str, CustomNetwork] = Field(default_factory=dict, description="Networks of your own, by name.")
