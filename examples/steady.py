"""A small steady load that counts what fails: `python examples/steady.py URL SECONDS [API_KEY]`.

Some clients adapt and predict in turn, each at its own pace; a label that changes counts as a failure. To watch a
restart, an upgrade or a restore from outside. Ctrl-C ends it early.
"""

import json
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import httpx

CLIENTS, PAUSE_S, PREDICTS = 4, 0.05, 9
HERE = Path(__file__).parent
ADAPT, PREDICT = (json.loads((HERE / f"{name}.json").read_text()) for name in ("adapt", "predict"))
LABELS = ["snail", "key"]

outcomes: Counter[str] = Counter()
slowest = [0.0]
interrupted = threading.Event()


def main() -> None:
    """Load it, and say what came of it; exit 1 if anything failed."""
    url, seconds, *key = sys.argv[1:]
    headers = {"authorization": f"Bearer {key[0]}"} if key else {}
    until = time.monotonic() + float(seconds)
    signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    threads = [threading.Thread(target=one_client, args=(url, headers, f"steady-{i}", until)) for i in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(dict(sorted(outcomes.items())), f"slowest: {slowest[0]:.2f} s")
    raise SystemExit(any(not outcome.endswith(" 200") for outcome in outcomes))


def one_client(url: str, headers: dict[str, str], client_id: str, until: float) -> None:
    """Adapt, predict some times, and again."""
    with httpx.Client(base_url=url, headers=headers, timeout=60) as http:
        while time.monotonic() < until and not interrupted.is_set():
            outcomes[ask(http, "adapt", {**ADAPT, "client_id": client_id})] += 1
            for _ in range(PREDICTS):
                outcomes[ask(http, "predict", {**PREDICT, "client_id": client_id})] += 1
                time.sleep(PAUSE_S)


def ask(http: httpx.Client, call: str, body: dict[str, object]) -> str:
    """The call, and how it ended."""
    began = time.monotonic()
    try:
        answer = http.post(f"/{call}", json=body)
    except httpx.HTTPError as error:
        return f"{call} {type(error).__name__}"
    slowest[0] = max(slowest[0], time.monotonic() - began)
    if answer.is_success and call == "predict" and [each["label"] for each in answer.json()["predictions"]] != LABELS:
        return f"{call} wrong"
    return f"{call} {answer.status_code}"


if __name__ == "__main__":
    main()
