"""The account's API of a running `watch` over an exchange: figures and orders as they are there, and the token kept."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli.terminals import Venue, networks_file, ran, serving, short_home, until, venue
from health_help import get

from dydx_console.health.listen import parse_listen

TOKEN = "a-token-that-guards-the-figures-of-an-account"


@pytest.fixture
def home() -> Iterator[Path]:
    with short_home() as folder:
        yield folder


@pytest.fixture(scope="module")
def healthy() -> Iterator[Venue]:
    with venue() as served:
        yield served


def configured(home: Path, healthy: Venue, mode: int = 0o600) -> Path:
    """Write a configuration that names the token's file."""
    secret = home / "api-token"
    secret.write_text(f"{TOKEN}\n")
    secret.chmod(mode)
    section = f'[health]\nlisten = "127.0.0.1:0"\napi_token_file = "{secret}"'
    return networks_file(home, {"mine": healthy.urls}, "mine", section)


def test_it_tells_the_account_and_its_orders_to_who_has_the_token(home: Path, healthy: Venue) -> None:
    config = configured(home, healthy)
    with serving("watch", "--config", str(config), home=home) as process:
        stderr = home / "stderr"
        said = until(lambda: re.search(r"health at (\S+)", stderr.read_text()), stderr.read_text)
        at = parse_listen(said[1])

        def told(path: str, state: str = "LIVE") -> Any:
            answer = get(at, path, f"Authorization: Bearer {TOKEN}")
            body = json.loads(answer.body) if answer.status == 200 else {}
            return body if body.get("state", body.get("account", {}).get("state")) == state else None

        account = until(lambda: told("/api/account"), stderr.read_text)
        assert account["account"]["address"] == healthy.urls.account
        assert float(account["account"]["equity"]) > 0
        assert account["network"]["chain_id"] == healthy.urls.chain_id
        orders = until(lambda: (told("/api/orders?limit=3") or {}).get("orders"), stderr.read_text)
        assert 0 < len(orders) <= 3
        one = told(f"/api/orders/{orders[0]['id']}")
        assert one["order"]["id"] == orders[0]["id"]
        assert one["hops"]
        positions = told("/api/positions/summary")
        assert positions["count"] == len(positions["positions"])
        for row in positions["positions"]:
            assert told(f"/api/positions/{row['subaccount']}-{row['market']}/pnl")["position"] is not None
        assert get(at, "/api/account").status == 401
        assert get(at, "/api/account", f"Authorization: Bearer {TOKEN[:-1]}").status == 401
        command = Path(f"/proc/{process.pid}/cmdline")
        if command.exists():
            assert TOKEN.encode() not in command.read_bytes()
            assert TOKEN.encode() not in Path(f"/proc/{process.pid}/environ").read_bytes()
    written = [path for path in home.rglob("*") if path.is_file() and path.name != "api-token"]
    assert written
    assert [path for path in written if TOKEN.encode() in path.read_bytes()] == []


@pytest.mark.parametrize("mode", [0o644, 0o660])
def test_a_token_that_others_can_read_is_refused_before_anything_is_asked(
    home: Path, healthy: Venue, mode: int
) -> None:
    done = ran(home, "watch", "--config", str(configured(home, healthy, mode)))
    assert done.returncode == 78
    assert f"its mode is {mode:04o} and must be 0600" in done.stderr
    assert TOKEN not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_token_file_that_is_not_there_is_named(home: Path, healthy: Venue) -> None:
    config = configured(home, healthy)
    os.unlink(home / "api-token")
    done = ran(home, "watch", "--config", str(config))
    assert done.returncode == 78
    assert "[health] api_token_file" in done.stderr
    assert "no such file" in done.stderr
