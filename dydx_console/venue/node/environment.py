"""Environment variables that the gRPC library obeys; stated here, set and removed by whoever starts the process.

The library reads some of them when it is imported, others with each channel, and offers no call instead.
"""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["NEEDED", "UNWANTED_PREFIXES"]

NEEDED: Mapping[str, str] = MappingProxyType({"GRPC_VERBOSITY": "NONE"})
"""To be set before grpc is imported: otherwise a refused handshake is printed to standard error, over the screen."""

UNWANTED_PREFIXES: tuple[str, ...] = ("grpc_", "no_grpc_")
"""Every other variable whose name begins like this, in any case, is to be removed: among them are some that print
traces, change which certificates are trusted (GRPC_DEFAULT_SSL_ROOTS_FILE_PATH) or name a proxy."""
