"""Query validation with express-validator's words (dydxprotocol/v4-chain indexer/services/comlink/src/lib/validation).

A `Params` collects errors; `check()` raises `RefusedError` with all of them. Unknown parameters are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence

from dydx_console.sim.indexer.text import parse_iso

MAX_LIMIT = 1_000
MAX_SUBACCOUNT = 128_000
MAX_PARENT = 127
MAX_ADDRESS = 90
_INTEGER = re.compile(r"-?\d+")
_TRUE_FALSE = ("true", "false")

Value = str | list[str]
Error = dict[str, object]


class RefusedError(Exception):
    """An answer other than 200: status and JSON body."""

    def __init__(self, status: int, body: dict[str, object]) -> None:
        super().__init__(f"{status}")
        self.status = status
        self.body = body


def not_found(message: str) -> RefusedError:
    """404 with the Indexer's own text."""
    return RefusedError(404, {"errors": [{"msg": message}]})


class Params:
    """Path and query parameters of one request."""

    def __init__(self, path: Mapping[str, str], query: Mapping[str, Value]) -> None:
        self._path = path
        self._query = query
        self._errors: list[Error] = []

    def check(self) -> None:
        """Raise `RefusedError` (400) if anything was wrong."""
        if self._errors:
            raise RefusedError(400, {"errors": self._errors})

    def raw(self, name: str) -> Value | None:
        """The parameter as given, the path first."""
        return self._path.get(name, self._query.get(name))

    def has(self, name: str) -> bool:
        """Given and not empty."""
        return bool(self.raw(name))

    def text(self, name: str) -> str | None:
        """A single text, None when absent or repeated."""
        value = self.raw(name)
        return value if isinstance(value, str) else None

    def fail(self, name: str, message: str, value: object = None, *, missing: str = "params") -> None:
        """Note an error; `missing` is where an absent parameter is said to be missing from."""
        raw = self.raw(name)
        error: Error = {} if raw is None else {"value": raw if value is None else value}
        location = ("params" if name in self._path else "query") if raw is not None else missing
        self._errors.append({**error, "msg": message, "param": name, "location": location})

    def address(self, name: str = "address") -> str:
        """An address: alphanumeric, at most 90 characters; bech32 is not checked."""
        value = self.raw(name)
        if isinstance(value, str) and value.isascii() and value.isalnum() and len(value) <= MAX_ADDRESS:
            return value
        if name in self._path:
            self.fail(name, "address must be a valid address")
        else:
            self.fail(name, f"{name} must be a valid dydx address")
            if value is None:
                self.fail(name, "Cannot read properties of undefined (reading 'length')")
            elif isinstance(value, list):
                self.fail(name, f"{name} must be a valid dydx address")
        return ""

    def subaccount(self, name: str = "subaccountNumber") -> int:
        """0..128000."""
        return self._bounded(name, MAX_SUBACCOUNT, f"{name} must be a non-negative integer less than 128001")

    def parent(self) -> int:
        """0..127."""
        name = "parentSubaccountNumber"
        return self._bounded(name, MAX_PARENT, f"{name} must be a non-negative integer less than 128")

    def limit(self) -> int:
        """1..1000, default 1000."""
        value = self.raw("limit")
        if value is None:
            return MAX_LIMIT
        number = int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) else None
        if number is not None and 1 <= number <= MAX_LIMIT:
            return number
        message = f"limit must be a positive integer that is not greater than max: {MAX_LIMIT}"
        self._errors.append({"value": number, "msg": message, "param": "limit", "location": "query"})
        return MAX_LIMIT

    def page(self) -> int | None:
        """A page number from 1, or None."""
        value = self.raw("page")
        if value is None:
            return None
        if isinstance(value, str) and _INTEGER.fullmatch(value) and int(value) >= 1:
            return int(value)
        self.fail("page", "page must be a positive integer")
        return None

    def height(self, name: str) -> int | None:
        """A non-negative height, or None."""
        if self.raw(name) is None:
            return None
        return self._bounded(name, None, f"{name} must be a non-negative integer")

    def moment(self, name: str) -> int | None:
        """An ISO time as Unix milliseconds, or None."""
        value = self.raw(name)
        if value is None:
            return None
        parsed = parse_iso(value) if isinstance(value, str) else None
        if parsed is None:
            self.fail(name, "Invalid value")
        return parsed

    def ticker(self, name: str, known: Container[str], *, required: bool = False) -> str | None:
        """A known ticker."""
        value = self.raw(name)
        if value is None and not required:
            return None
        if isinstance(value, str) and value in known:
            return value
        self.fail(name, f"{name} must be a valid {name} (BTC-USD, etc)")
        return None

    def choice(self, name: str, choices: Sequence[str], message: str) -> str:
        """A required one of a few; the Indexer reports an absent one twice."""
        value = self.raw(name)
        if isinstance(value, str) and value in choices:
            return value
        self.fail(name, message, missing="query")
        if value is None:
            self.fail(name, message, missing="query")
        return choices[0]

    def many(self, name: str, choices: Sequence[str], message: str) -> list[str] | None:
        """A comma separated or repeated list out of a few, upper-cased; None when absent."""
        value = self.raw(name)
        if value is None:
            return None
        texts = value.split(",") if isinstance(value, str) else value
        wanted = [text.upper() for text in texts]
        if any(text not in choices for text in wanted):
            self.fail(name, message, texts)
        return wanted

    def _bounded(self, name: str, maximum: int | None, message: str) -> int:
        value = self.raw(name)
        if isinstance(value, str) and _INTEGER.fullmatch(value):
            number = int(value)
            if number >= 0 and (maximum is None or number <= maximum):
                return number
        self.fail(name, message)
        return 0
