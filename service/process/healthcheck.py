"""The container health check of an API: `python -m service.process.healthcheck` exits 0 if it is ready."""

import os
import ssl
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

SCHEME = "https" if os.environ.get("HANDFUL_TLS_CERT") else "http"
URL = f"{SCHEME}://127.0.0.1:8000/readyz"
TIMEOUT_S = 8.0


def main() -> None:
    """Ask /readyz. A proxy in the environment is not used, and the certificate has another name."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        build_opener(ProxyHandler({}), HTTPSHandler(context=context)).open(URL, timeout=TIMEOUT_S)
    except OSError as error:
        raise SystemExit(f"{URL}: {error}") from None


if __name__ == "__main__":
    main()
