"""What policy decisions and findings about a network mean for a report."""

import pytest

from dydx_console.domain.preflight import Verdict
from dydx_console.preflight.plan import policy_judgement, urls_judgement
from dydx_console.safety.networks import Network, network_named
from dydx_console.safety.policy import Entry, Environment, Purpose, Request, decide
from dydx_console.safety.validator import NetworkValidator


@pytest.mark.parametrize(
    ("environment", "network", "has_terminal", "verdict", "code"),
    [
        (Environment.DEVELOPMENT, "testnet", False, Verdict.OK, 0),
        (Environment.PRODUCTION, "mainnet", False, Verdict.OK, 0),
        (Environment.PRODUCTION, "testnet", True, Verdict.FAIL, 78),
        (Environment.STAGING, "mainnet", True, Verdict.WARN, 0),
        (Environment.DEVELOPMENT, "mainnet", False, Verdict.FAIL, 77),
    ],
)
def test_a_decision_is_diagnosed(
    environment: Environment, network: str, has_terminal: bool, verdict: Verdict, code: int
) -> None:
    request = Request(
        environment=environment,
        network=network_named(network),
        entry=Entry.COMMAND,
        has_terminal=has_terminal,
        purpose=Purpose.READ,
    )
    judged = policy_judgement(decide(request))
    assert (judged.verdict, judged.exit_code) == (verdict, code)
    assert judged.text
    assert (judged.remedy is None) == (verdict is Verdict.OK)


@pytest.mark.parametrize(
    ("rest", "verdict", "code"),
    [
        ("https://indexer.v4testnet.dydx.exchange", Verdict.OK, 0),
        ("https://indexer.mine.example", Verdict.WARN, 0),
        ("https://indexer.dydx.trade.evil.io", Verdict.FAIL, 78),
        ("http://indexer.v4testnet.dydx.exchange", Verdict.FAIL, 78),
    ],
)
def test_what_is_found_about_urls_is_told(rest: str, verdict: Verdict, code: int) -> None:
    known = network_named("testnet")
    network = Network("testnet", "testnet", known.chain_id, rest, known.indexer_websocket, known.nodes)
    judged = urls_judgement(network, NetworkValidator().network_findings(network))
    assert (judged.verdict, judged.exit_code) == (verdict, code), judged
    assert (judged.remedy is None) == (verdict is Verdict.OK)
