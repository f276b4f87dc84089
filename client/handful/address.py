"""The address of the service and the key, from arguments or from the environment."""

import os

DEFAULT_URL = "http://127.0.0.1:8000"


def address(url: str | None, api_key: str | None) -> tuple[str, str | None]:
    """The address and the key.

    HANDFUL_KEY is used only for the address of HANDFUL_URL, so that a key does not go to another service.
    """
    usual = os.environ.get("HANDFUL_URL") or DEFAULT_URL
    chosen = url or usual
    known = os.environ.get("HANDFUL_KEY") or None
    return chosen, known if api_key is None and chosen.rstrip("/") == usual.rstrip("/") else api_key
