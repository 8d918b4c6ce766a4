"""`faucet` against a faucet and an Indexer on this machine: what it prints and what it ends with."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cli.sites import Site, site
from cli.terminals import ADDRESS, Ran, networks_file, ran, short_home, urls_at
from venues import written

from dydx_console.cli.admission import Wanted, admit
from dydx_console.cli.faucet import Payment, ask
from dydx_console.config.load import load
from dydx_console.safety.policy import Entry

TESTNET = "dydx-testnet-4"


class Bank:
    """A faucet that answers as it is told, and the Indexer that sees what it paid."""

    def __init__(self, status: int = 200, *, before: str | None = None, after: str | None = None) -> None:
        self.status = status
        self.equity = before
        self.after = after

    def __call__(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if (method, path) == ("POST", "/faucet/tokens"):
            self.equity = self.after
            return self.status, {"said": "no\x1b[2J"} if self.status >= 300 else {}
        assert path == f"/v4/addresses/{ADDRESS}/subaccountNumber/2"
        if self.equity is None:
            return 404, {"errors": [{"msg": "No subaccount found"}]}
        return 200, {"subaccount": {"equity": self.equity}}


@contextmanager
def faucet_of(bank: Bank) -> Iterator[tuple[Path, Path, Site]]:
    """Serve a bank; yields a home, a configuration with the network, and the site."""
    with short_home() as home, site(bank) as served:
        config = networks_file(home, {"paper": urls_at(served.at, TESTNET)}, "paper")
        written(config, f'{config.read_text()}faucet = "http://{served.at}"\n')
        yield home, config, served


def asked(home: Path, config: Path, *words: str) -> Ran:
    done = ran(home, "faucet", "--config", str(config), "--subaccount", "2", *words)
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr
    return done


@pytest.mark.parametrize(("before", "after"), [(None, "1000"), ("12.5", "1012.5")], ids=["first funds", "more funds"])
def test_it_waits_until_the_funds_are_there(before: str | None, after: str) -> None:
    with faucet_of(Bank(before=before, after=after)) as (home, config, served):
        done = asked(home, config, "--usdc", "700")
    assert done.returncode == 0, done.stderr
    assert f"subaccount 2 of {ADDRESS}" in done.stdout
    assert f"{float(after):,} USD".replace(".0 ", " ") in done.stdout
    posted = [body for method, _, body in served.asked if method == "POST"]
    assert posted == [{"address": ADDRESS, "subaccountNumber": 2, "amount": 700}]


@pytest.mark.parametrize(("status", "code"), [(429, 75), (400, 76), (403, 76), (500, 69)], ids=str)
def test_a_refusal_ends_with_its_code(status: int, code: int) -> None:
    with faucet_of(Bank(status)) as (home, config, _):
        done = asked(home, config)
    assert (done.returncode, done.stdout) == (code, "")
    assert "faucet: 127.0.0.1:" in done.stderr
    assert "log: " in done.stderr


def test_a_faucet_that_is_not_there_is_unreachable() -> None:
    with short_home() as home:
        config = networks_file(home, {"paper": urls_at("127.0.0.1:9", TESTNET)}, "paper")
        written(config, f'{config.read_text()}faucet = "http://127.0.0.1:9"\n')
        assert asked(home, config).returncode == 69


def test_a_payment_that_does_not_come_is_temporary(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with faucet_of(Bank(before="5", after="5")) as (home, config, served):
        monkeypatch.setenv("HOME", str(home))
        admission = admit(load(config, {}), Wanted(Entry.COMMAND))
        with pytest.raises(SystemExit) as ended:
            ask(admission, Payment(ADDRESS, 2, 1_000), home / "log", wait_s=2.0)
    assert ended.value.code == 75
    assert "nothing has come within 2 s" in capsys.readouterr().err
    assert [method for method, _, _ in served.asked] == ["GET", "POST", "GET", "GET"]


def test_mainnet_has_none_and_is_not_asked() -> None:
    with short_home() as home:
        done = ran(home, "faucet", "--network", "mainnet", "--environment", "production", "--address", ADDRESS)
    assert (done.returncode, done.stdout) == (77, "")
    assert "mainnet has no faucet" in done.stderr


def test_production_asks_no_faucet() -> None:
    with faucet_of(Bank()) as (home, config, served):
        assert asked(home, config, "--environment", "production").returncode == 78
    assert served.asked == []


def test_without_an_account_it_is_usage() -> None:
    with faucet_of(Bank()) as (home, config, served):
        text = config.read_text().replace(f"address = {json.dumps(ADDRESS)}", "")
        written(config, text)
        done = asked(home, config)
    assert done.returncode == 2
    assert "--address" in done.stderr
    assert served.asked == []
