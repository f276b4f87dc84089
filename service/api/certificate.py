"""The TLS certificate of the API, which is read again after a renewal."""

import logging
import os
import ssl
from pathlib import Path

log = logging.getLogger(__name__)

CHECK_S = 10
"""Seconds between two looks at the files."""


class Certificate:
    """A certificate chain and its private key, in files.

    Args:
        chain: The chain, in PEM.
        key: The private key, in PEM.
    """

    def __init__(self, chain: Path, key: Path) -> None:
        self._chain, self._key = chain, key
        self._seen = self._identity()

    def renew(self, context: ssl.SSLContext) -> None:
        """Load the files into a context if they have changed. New connections use them; open ones go on.

        Files that do not fit together, as between the writes of the two, are not loaded. The next look tries again.
        """
        try:
            if (now := self._identity()) == self._seen:
                return
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self._chain, self._key)
            context.load_cert_chain(self._chain, self._key)
        except OSError as error:  # as ssl.SSLError is
            log.warning("the renewed TLS certificate cannot be read: %s; the last one stays in use", error)
        else:
            self._seen = now
            log.info("the renewed TLS certificate is in use")

    def _identity(self) -> list[tuple[int, int, int]]:
        """What differs after a change of the files. Raises OSError."""
        found = [os.stat(path) for path in (self._chain, self._key)]
        return [(each.st_ino, each.st_mtime_ns, each.st_size) for each in found]
