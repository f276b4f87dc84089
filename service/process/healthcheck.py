"""The container health check of an API: `python -m service.process.healthcheck` exits 0 if it is ready."""

from urllib.request import ProxyHandler, build_opener

URL = "http://127.0.0.1:8000/readyz"
TIMEOUT_S = 8.0


def main() -> None:
    """Ask /readyz. A proxy in the environment is not used."""
    try:
        build_opener(ProxyHandler({})).open(URL, timeout=TIMEOUT_S)
    except OSError as error:
        raise SystemExit(f"{URL}: {error}") from None


if __name__ == "__main__":
    main()
