"""What the port says of its network and of the checks, looked at in every tick; only what is new costs anything."""

from dydx_console.domain.preflight import CheckResult, Report, Verdict
from dydx_console.ports.console import ConsolePort
from dydx_console.ports.network import NetworkView
from dydx_console.ports.notices import Level, Notice
from dydx_console.views.banner import BannerFacts

__all__ = ["NetworkWatch", "facts_of"]


def facts_of(network: NetworkView) -> BannerFacts:
    """Return what the banner says of a network."""
    return BannerFacts(
        network.name,
        network.kind,
        network.chain_id,
        network.environment,
        network.read_only,
        network.is_out_of_place,
        network.environment_from,
    )


class NetworkWatch:
    """Tells when the network or the report of its checks is another than at the last look.

    Args:
        port: the engine.
        checks_key: the key that shows all checks, as people read it; None where it has none.
    """

    def __init__(self, port: ConsolePort, checks_key: str | None) -> None:
        self._port = port
        self._checks_key = checks_key
        self._network = port.network
        self._told: set[str] = set()
        self._report: Report | None = None
        self._failing: frozenset[str] = frozenset()

    @property
    def facts(self) -> BannerFacts:
        """What the banner says of the network as it was at the last look."""
        return facts_of(self._network)

    def is_changed(self) -> bool:
        """Look at the network; returns whether it is another."""
        network = self._port.network
        if network == self._network:
            return False
        self._network = network
        return True

    def warnings(self) -> list[str]:
        """Return the network's warnings that were not returned before."""
        fresh = [text for text in dict.fromkeys(self._network.warnings) if text not in self._told]
        self._told.update(fresh)
        return fresh

    def failures(self) -> tuple[Notice, ...]:
        """Look at the report; returns a notice of what fails in a new one, unless that was told already."""
        report = self._port.report()
        if report is None or report is self._report:
            return ()
        self._report = report
        failed = [check for check in report.checks if check.verdict is Verdict.FAIL]
        before, self._failing = self._failing, frozenset(check.name for check in failed)
        return (self._notice(failed),) if self._failing - before else ()

    def _notice(self, failed: list[CheckResult]) -> Notice:
        first = failed[0]
        more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        where = "" if self._checks_key is None else f" ({self._checks_key} shows all)"
        text = f"check {first.name} FAILED{more}{where}: {first.text}"
        return Notice(text, Level.ERROR, stays=True)
