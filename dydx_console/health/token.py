"""The bearer token of the account's API: read once from its owner's own file, and then known by its hash alone."""

import hashlib
import hmac
import os
import stat
from pathlib import Path

from dydx_console.domain.text import clean

__all__ = ["LEAST_CHARACTERS", "ApiToken", "TokenFileError", "read_token"]

LEAST_CHARACTERS = 32
MOST_CHARACTERS = 512
OTHERS = 0o177
"""What nobody may have: the owner reads and writes, and no more."""
_SCHEME = b"bearer"


class TokenFileError(Exception):
    """A file that cannot be used; the message says why, and never what is in it."""


class ApiToken:
    """Tells the token from other texts without keeping it.

    Args:
        text: the token.
    """

    __slots__ = ("_digest",)

    def __init__(self, text: str) -> None:
        self._digest = hashlib.sha256(text.encode()).digest()

    def admits(self, authorization: bytes | None) -> bool:
        """Return whether an Authorization header carries it; takes as long for every wrong one of a length."""
        scheme, _, given = (authorization or b"").strip().partition(b" ")
        is_same = hmac.compare_digest(hashlib.sha256(given.strip()).digest(), self._digest)
        return is_same and scheme.lower() == _SCHEME


def read_token(path: Path) -> ApiToken:
    """Return the token in a file: its one line, at least 32 visible ASCII characters.

    The file must be an ordinary one, no link, of this user and with mode 0600 or less. Raises TokenFileError.
    """
    text = _read(path).strip()
    if len(text) < LEAST_CHARACTERS:
        raise _refused(path, f"the token must have at least {LEAST_CHARACTERS} characters")
    if len(text) > MOST_CHARACTERS:
        raise _refused(path, f"the token may have at most {MOST_CHARACTERS} characters")
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise _refused(path, "the token must be one line of visible ASCII characters")
    return ApiToken(text)


def _read(path: Path) -> str:
    if os.name != "posix":
        raise _refused(path, "files cannot be kept from others on this system")
    try:
        # not blocking, or a named pipe would hold the program up
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise _refused(path, (reason or "it cannot be opened").lower()) from None
    try:
        _check(path, os.fstat(opened))
        return os.read(opened, 2 * MOST_CHARACTERS).decode("utf-8", "replace")
    except OSError as error:
        raise _refused(path, (error.strerror or "it cannot be read").lower()) from None
    finally:
        os.close(opened)


def _check(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise _refused(path, "it is no ordinary file")
    if found.st_uid != os.geteuid():
        raise _refused(path, "it belongs to another user")
    mode = stat.S_IMODE(found.st_mode)
    if mode & OTHERS:
        raise _refused(path, f"its mode is {mode:04o} and must be 0600; chmod 600 mends it")


def _refused(path: Path, why: str) -> TokenFileError:
    return TokenFileError(f"[health] api_token_file {clean(str(path))}: {why}")
