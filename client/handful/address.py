"""The address of the service and the key, from arguments or from the environment."""

import os

DEFAULT_URL = "http://127.0.0.1:8000"


def address(url: str | None, api_key: str | None) -> tuple[str, str | None]:
    """The address and the key.

    HANDFUL_KEY is used only for the address of HANDFUL_URL, so that a key does not go to another service.

    Raises:
        ValueError: The address does not begin with http:// or https://.
    """
    usual = os.environ.get("HANDFUL_URL") or DEFAULT_URL
    chosen = url or usual
    if not chosen.lower().startswith(("http://", "https://")):
        where = "url" if url else "HANDFUL_URL"
        raise ValueError(f"{where}: {chosen!r} is no address of a service, such as {DEFAULT_URL}")
    known = os.environ.get("HANDFUL_KEY") or None
    return chosen, known if api_key is None and chosen.rstrip("/") == usual.rstrip("/") else api_key
