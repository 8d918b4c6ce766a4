"""A port without an engine behind it."""

import time
from dataclasses import dataclass, field

from dydx_console.ports.mailbox import Mailbox
from dydx_console.ports.network import NetworkView
from dydx_console.state.console import Section
from dydx_console.state.snapshot import Snapshot

TESTNET = NetworkView("testnet", "testnet", "dydx-testnet-4", "development", "default", True, True)


@dataclass
class FakePort:
    """A `ConsolePort` that a test moves by hand; `now` None is the machine's clock."""

    mailbox: Mailbox = field(default_factory=Mailbox)
    network: NetworkView = TESTNET
    failure: str | None = None
    now: float | None = None
    reconnects: int = 0
    starts: int = 0

    def monotonic(self) -> float:
        return time.monotonic() if self.now is None else self.now

    def reconnect(self) -> None:
        self.reconnects += 1

    def start(self) -> None:
        self.starts += 1

    def show(self, snapshot: Snapshot) -> None:
        """Publish a picture in which everything changed."""
        self.mailbox.publish(snapshot, tuple(Section))
