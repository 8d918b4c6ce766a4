"""What must never be written down is taken out of a text; and the line of the log, as JSON, that it is written in."""

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from itertools import pairwise
from typing import NamedTuple

__all__ = ["LEAST_HEX", "LEAST_WORDS", "MARK", "log_line", "redacted", "redacted_value"]

MARK = "[redacted]"
LEAST_WORDS = 8
"""A recovery phrase has 12 to 24 words; what was clipped to fewer than this no longer gives it away."""
LEAST_HEX = 48
"""A private key has 64 hex digits, an address of Ethereum 40; a key that lost its end is a key almost as good."""
LEAST_BASE64 = 40
"""A private key has 44 characters of base64."""
KEPT_HEX = 8
"""A transaction's hash looks like a key: so much of it stays that it can be found again."""
LONGEST_VALUE = 500
MOST_ITEMS = 40
_TAIL = 512
"""What is cut off behind a text that was cut before it was read: the beginning of a secret may stand there."""
_LEAST_CHANGES = 0.38
"""In base64 of random bytes two characters in three are of another class than the one before; in paths one in five."""

_FIXED = ("at", "level", "logger", "message", "exception")

# Words that are not among the 2,048 of BIP-39's English list: where one stands, a phrase has ended.
_NEVER_IN_A_PHRASE = (
    "the|and|not|was|are|has|had|for|from|with|but|its|were|been|did|does|than|too|new|may|how|who|why|our|out|"
    "per|yet|nor|onto|his|her|him|she|them|their|these|those|which|while|would|could|should|shall|might|cannot|"
    "after|both|each|most|some|via|whose|your|within|without|being|came|gone|goes|going|got|get|gets|given|gave|"
    "made|makes|said|says|told|tells|took|take|taken|takes|let|lets|see|seen|every|many|less|least|here|ever|"
    "even|till|back|down|orders|fills|fill|trades|markets|blocks|block|books|candles|stream|streams|funding|node|"
    "nodes|accounts|balances|cancels|failed|fails|errors|warning|refused|retry|reads|read|written|lines|line|"
    "bytes|frames|sent|messages|answers|answered|indexer|socket|sockets|closed|closing|opened|waits|waiting|"
    "waited|started|starting|stopped|seconds|minutes|hours|console|chain|expected|missing|invalid|value|values|"
    "string|null|keys|names"
)
_NO_STOP = rf"(?!(?:{_NEVER_IN_A_PHRASE})(?!\w))"
_WORD = r"[a-z]{3,8}(?!\w)"
_START = r"(?:(?<![^\W\d])|(?<=\\[nrt]))"
_BETWEEN = r"""(?:\\[nrt]|%20|[\s,;|+"'`])++(?:(?:[-*•]|\d{1,2}[.):]?)(?:\\[nrt]|\s)++)?"""
_ROW = re.compile(rf"(?i:{_START}{_WORD}(?:{_BETWEEN}{_WORD}){{{LEAST_WORDS - 1},}}+)")
_LETTERS = re.compile(r"[A-Za-z]{3,}")

_PEM = re.compile(r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----)(?!\[redacted\]).*?(?=-----END|\Z)", re.DOTALL)
_TO_THE_END = r"(?:authorization|cookie|mnemonic|passphrase|(?:seed|recovery)[-_ ]?phrase)"
_ONE_WORD = r"(?:password|passwd|secret|token|(?:api|private)[-_ ]?key)"
_NAMED = re.compile(
    rf"""(?ix)
    ((?:(?P<long>{_TO_THE_END})|{_ONE_WORD})                # a name
    (?:\\*["']?[ \t]*[:=][ \t]*|\\*["'][ \t]*,[ \t]*b?(?=\\*["'])))     # what stands between it and its value
    (?:
        (?P<open>b?(?P<quote>\\*["']))(?!(?P=quote))[^\r\n]*?(?=(?P=quote)|[\r\n]|\Z)
        | (?(long)[^\r\n"'\\]+|[^\s"'\\,;&]+)
    )"""
)
_USER_INFO = re.compile(r"(?<=://)[^\s/?#\"'<>]+@")
_BARE_USER_INFO = re.compile(r"(?<![\w.%+:/@-])[\w.%+-]{1,64}:(?!//)[^\s:/@\"'\[\]]{1,128}@(?=[\w\[])")
_SCHEME = re.compile(r"\b((?i:bearer|basic))([ \t]+)(?=[\w.~+/-]*(?:[0-9=]|[a-z][A-Z]))[\w.~+/-]{8,}=*")
_HEX = re.compile(rf"[0-9a-fA-F]{{{LEAST_HEX},}}")
_BASE64 = re.compile(rf"[A-Za-z0-9+/_-]{{{LEAST_BASE64},}}=*")
_NO_SECRET = re.compile(r"dydx1[0-9a-z]{38}|0x[0-9a-fA-F]{40}(?!\w)|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_SECRET_NAME = re.compile(rf"(?i){_TO_THE_END}|{_ONE_WORD}")


def redacted(text: str, limit: int | None = None) -> str:
    """Return a text without what looks like a secret, clipped to `limit` characters.

    Taken out are private keys in PEM form; the values of names such as Authorization, Cookie, password, token or
    mnemonic; user info of URLs; bearer and basic credentials; runs of 48 and more hex digits, of which the first 8 stay
    (hashes of transactions are such runs too); base64 of 40 and more characters; and 8 and more words in a row that
    could be of a recovery phrase in English. Addresses, ids of orders and fills (UUIDs), paths and ordinary sentences
    stay. What was redacted before comes back as it is.
    """
    if limit is None:
        return _redacted(text)
    if len(text) <= 4 * limit:
        return _clipped(_redacted(text), limit)
    return _clipped(_redacted(text[: 4 * limit])[:-_TAIL] + "…", limit)


def redacted_value(name: str, value: object) -> object:
    """Return a value as it may stand in JSON under a name, None where its kind has no place in a log.

    Texts are redacted; a list of texts that together read as a phrase becomes one text; the value of a secret's name is
    gone whatever it is.
    """
    if _SECRET_NAME.search(name):
        return MARK
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, list | tuple | set | frozenset):
        return _redacted_items(value)
    return _scalar(value)


def log_line(
    at: datetime, level: str, logger: str, message: str, *, fields: Mapping[str, object], exception: str | None
) -> str:
    """Return a line of the log: one JSON object in ASCII, without a line end.

    `at` is an aware time; `fields` are further names, redacted before, which never replace the line's own.
    """
    line: dict[str, object] = {
        "at": at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": level.lower(),
        "logger": logger,
        "message": message,
    }
    line.update((name, value) for name, value in fields.items() if name not in _FIXED)
    if exception:
        line["exception"] = exception
    return json.dumps(line, separators=(",", ":"))


def _redacted(text: str) -> str:
    lower = text.lower()
    for rule in _RULES:
        if not rule.hints or any(hint in lower for hint in rule.hints):
            text = rule.pattern.sub(rule.replacement, text)
    return text


def _clipped(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _redacted_items(values: "list[object] | tuple[object, ...] | set[object] | frozenset[object]") -> object:
    kept = [_scalar(item.value if isinstance(item, Enum) else item) for item in list(values)[:MOST_ITEMS]]
    if isinstance(values, set | frozenset):
        kept.sort(key=str)
    joined = " ".join(item for item in kept if isinstance(item, str))
    together = _ROW.sub(_without_phrases, joined)
    return kept if together == joined else together


def _scalar(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 63 else redacted(hex(value), LONGEST_VALUE)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return redacted(value, LONGEST_VALUE) if isinstance(value, str) else None


def _without_value(found: re.Match[str]) -> str:
    return f"{found[1]}{found['open'] or ''}{MARK}"


def _without_digits(found: re.Match[str]) -> str:
    return f"{found[0][:KEPT_HEX]}[redacted {len(found[0]) - KEPT_HEX} hex digits]"


def _without_base64(found: re.Match[str]) -> str:
    return f"[redacted {len(found[0])} characters]" if _is_random(_NO_SECRET.sub("", found[0])) else found[0]


@cache
def _phrase() -> re.Pattern[str]:
    """Return what a phrase looks like; made when there is something to look at, because that takes milliseconds."""
    return re.compile(rf"(?i:{_START}{_NO_STOP}{_WORD}(?:{_BETWEEN}{_NO_STOP}{_WORD}){{{LEAST_WORDS - 1},}}+)")


def _without_phrases(found: re.Match[str]) -> str:
    return _phrase().sub(_without_words, found[0])


def _without_words(found: re.Match[str]) -> str:
    return f"[redacted {len(_LETTERS.findall(found[0]))} words]"


def _is_random(text: str) -> bool:
    """Return whether a run of characters looks like base64 of random bytes rather than a path or a long name."""
    kinds = [_kind(char) for char in text]
    if len(text) < LEAST_BASE64 or not {"upper", "lower"} <= set(kinds):
        return False
    changes = sum(one != other for one, other in pairwise(kinds))
    return changes > _LEAST_CHANGES * len(text)


def _kind(char: str) -> str:
    if char.isdigit():
        return "digit"
    return "upper" if char.isupper() else "lower" if char.islower() else "sign"


class Rule(NamedTuple):
    """What is looked for and what stands in its place; without one of the hints in the text, it is not there."""

    pattern: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str]
    hints: tuple[str, ...] = ()


_RULES = (
    Rule(_PEM, rf"\1{MARK}", ("private key",)),
    Rule(_NAMED, _without_value, ("auth", "cookie", "pass", "phrase", "mnemonic", "secret", "token", "key")),
    Rule(_USER_INFO, f"{MARK}@", ("@",)),
    Rule(_BARE_USER_INFO, f"{MARK}@", ("@",)),
    Rule(_SCHEME, rf"\1\2{MARK}", ("bearer", "basic")),
    Rule(_HEX, _without_digits),
    Rule(_ROW, _without_phrases),
    Rule(_BASE64, _without_base64),
)
"""In this order: names come before what their values look like, so that a short secret under a name goes too."""
