"""A port without an engine behind it."""

import time
from dataclasses import dataclass, field, replace

from tui.shelf import FakeDesk

from dydx_console.domain.preflight import CheckResult, Report, Verdict
from dydx_console.ports.mailbox import Mailbox
from dydx_console.ports.network import Confirmation, NetworkView
from dydx_console.state.console import Section
from dydx_console.state.snapshot import Snapshot

TESTNET = NetworkView("testnet", "testnet", "dydx-testnet-4", "development", "default", True, True)
MAINNET = NetworkView("mainnet", "mainnet", "dydx-mainnet-1", "development", "default", False, True, real_money=True)
ASKED = Confirmation(
    network="mainnet",
    chain_id="dydx-mainnet-1",
    indexer_hosts=("indexer.dydx.trade",),
    node_hosts=("oegs.dydx.trade:443", "dydx-dao-grpc-1.polkachu.com:443", "dydx-grpc.publicnode.com:443"),
    environment="development",
    environment_from="variable DYDX_CONSOLE_ENVIRONMENT",
    address="dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf",
    parent=0,
    timeout_s=60.0,
)
HEALTHY = Report(
    (
        CheckResult("environment", Verdict.OK, "development, from DYDX_CONSOLE_ENVIRONMENT", 0.0),
        CheckResult("indexer", Verdict.OK, "https://indexer.dydx.trade  #48,112,907", 212.0),
        CheckResult("node", Verdict.OK, "oegs.dydx.trade:443  dydx-mainnet-1  9.4  #48,112,908", 180.0),
        CheckResult("chain id", Verdict.OK, "dydx-mainnet-1, as configured", 0.0),
        CheckResult("binding", Verdict.OK, "same block time as the node at #48,112,905", 3.0),
        CheckResult("key", Verdict.SKIP, "no key store yet", 0.0),
    ),
    took_ms=600.0,
    exit_code=0,
)


def with_check(report: Report, changed: CheckResult) -> Report:
    """Return a report in which one check ended otherwise."""
    checks = tuple(changed if check.name == changed.name else check for check in report.checks)
    return replace(report, checks=checks, exit_code=changed.exit_code)


WRONG_NODE = with_check(
    HEALTHY,
    CheckResult(
        "chain id",
        Verdict.FAIL,
        "oegs.dydx.trade:443 reports dydx-testnet-4; configured dydx-mainnet-1",
        180.0,
        "set [networks.mainnet].nodes to nodes of dydx-mainnet-1; nothing was signed",
        78,
    ),
)


@dataclass
class FakePort:
    """A `ConsolePort` that a test moves by hand; `now` None is the machine's clock.

    While `asked` is set the network waits for confirmation; `typed` has what was tried.
    """

    mailbox: Mailbox = field(default_factory=Mailbox)
    network: NetworkView = TESTNET
    failure: str | None = None
    now: float | None = None
    reconnects: int = 0
    reconciles: int = 0
    starts: int = 0
    asked: Confirmation | None = None
    typed: list[str] = field(default_factory=list)
    checked: Report | None = None
    checks: int = 0
    applied: int = 0
    history: FakeDesk = field(default_factory=FakeDesk)

    def monotonic(self) -> float:
        return time.monotonic() if self.now is None else self.now

    def reconnect(self) -> None:
        self.reconnects += 1

    def reconcile(self) -> None:
        self.reconciles += 1

    def start(self) -> None:
        self.starts += 1

    def confirmation(self) -> Confirmation | None:
        return self.asked

    def confirm(self, typed: str) -> bool:
        self.typed.append(typed)
        if self.asked is None or typed.strip() != self.asked.chain_id:
            return False
        self.asked = None
        self.network = replace(self.network, confirmed=True)
        return True

    def report(self) -> Report | None:
        return self.checked

    def check(self) -> None:
        self.checks += 1

    def show(self, snapshot: Snapshot) -> None:
        """Publish a picture in which everything changed."""
        self.mailbox.publish(snapshot, tuple(Section))
