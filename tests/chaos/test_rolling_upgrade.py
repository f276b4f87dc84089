"""Two replicas get new weights of a model, one after the other, under load."""

import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
import torch

from models import checkpoint
from tests.chaos.suite import MODELS
from tests.chaos.test_chaos import small_zoo
from tests.chaos.truth import SHOTS, TOLERANCE, WAYS, Lesson, Teacher
from tests.e2e.server import Server
from tests.service.redises import until
from tests.service.serving import url_of, valkey

MODEL = MODELS[0]
CLIENTS = 6
NOISE = 0.5
"""Largest relative change of a weight."""
PAUSE_S = 0.1
"""Between two requests of a client, so that the load leaves replicas the time to start."""
LABELS = [str(number) for number in range(WAYS)]


class Pupil(NamedTuple):
    """A client, and what it is to be answered by the old weights and by the new ones."""

    client_id: str
    old: Lesson
    new: Lesson

    def adapt(self) -> dict[str, object]:
        labels = [label for label in LABELS for _ in range(SHOTS)]
        support = [{"input": one, "label": label} for one, label in zip(self.old.support, labels, strict=True)]
        return {"client_id": self.client_id, "model": MODEL, "support": support}

    def predict(self) -> dict[str, object]:
        return {"client_id": self.client_id, "inputs": self.old.queries}

    def judged(self, answer: dict) -> str:
        rows = [[one["probabilities"][label] for label in LABELS] for one in answer["predictions"]]
        near = [name for name in ("old", "new") if np.abs(rows - getattr(self, name).probabilities).max() < TOLERANCE]
        return " and ".join(near) or "wrong"


class Balancer:
    """Sends each request to one of the replicas in service, each over a connection of its own."""

    def __init__(self) -> None:
        self.replicas: list[Server] = []
        self.asked: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.going = True

    def ask(self, path: str, body: dict[str, object]) -> httpx.Response:
        url = random.choice(self.replicas).url
        self.asked[url] += 1
        try:
            return httpx.post(f"{url}/{path}", json=body, headers={"connection": "close"}, timeout=120)
        finally:
            self.asked[url] -= 1

    def take_out(self, replica: Server) -> None:
        """Send no new requests to a replica, and wait for those that it has."""
        self.replicas.remove(replica)
        until(lambda: self.asked[replica.url] == 0)

    def keep_asking(self, pupil: Pupil, *, adapts: bool) -> None:
        while self.going:
            if adapts:
                self.answers[f"adapt {self.ask('adapt', pupil.adapt()).status_code}"] += 1
            answer = self.ask("predict", pupil.predict())
            verdict = pupil.judged(answer.json()) if answer.is_success else ""
            self.answers[f"predict {answer.status_code} {verdict}"] += 1
            time.sleep(PAUSE_S)


@contextmanager
def load(balancer: Balancer, pupils: Sequence[Pupil]) -> Iterator[None]:
    """All clients ask all the time, and half of them adapt too."""
    with ThreadPoolExecutor(len(pupils)) as threads:
        asking = [
            threads.submit(balancer.keep_asking, pupil, adapts=number % 2 == 0) for number, pupil in enumerate(pupils)
        ]
        try:
            yield
        finally:
            balancer.going = False
    for one in asking:
        one.result()


def changed(zoo: Path, folder: Path) -> Path:
    """The same models, one of them with weights that differ a little."""
    shutil.copytree(zoo, folder)
    file = folder / f"{MODEL}.safetensors"
    torch.manual_seed(0)
    weights, header = checkpoint.read(file)
    checkpoint.save(file, tensors={name: moved(weight) for name, weight in weights.items()}, **header)
    return folder


def moved(weight: torch.Tensor) -> torch.Tensor:
    """Larger or smaller by up to `NOISE`. Signs stay, since variances are among the weights."""
    if not weight.is_floating_point():
        return weight
    return weight * (1 + NOISE * (2 * torch.rand_like(weight) - 1))


def pupils_of(old: Path, new: Path) -> list[Pupil]:
    before, after = Teacher(old, MODEL), Teacher(new, MODEL)
    return [Pupil(f"client-{n}", before.lessons(n)[0], after.lessons(n)[0]) for n in range(CLIENTS)]


def start(replicas: Sequence[Server]) -> None:
    """Start replicas at the same time."""
    for one in replicas:
        one.launch()
    for one in replicas:
        one.wait_until_ready()


def wait_for(balancer: Balancer, more: int) -> None:
    """Wait for more answers."""
    wanted = balancer.answers.total() + more
    until(lambda: balancer.answers.total() >= wanted)


def rebuilds(replica: Server) -> int:
    """The states that a replica has rebuilt from examples."""
    lines = httpx.get(f"{replica.url}/metrics").text.splitlines()
    return int(sum(float(line.split()[1]) for line in lines if line.startswith("handful_states_rebuilt_total ")))


def shift(pupils: Sequence[Pupil]) -> str:
    """How much the answers have changed."""
    old, new = (np.concatenate([getattr(pupil, name).probabilities for pupil in pupils]) for name in ("old", "new"))
    other = (old.argmax(-1) != new.argmax(-1)).mean()
    return (
        f"probabilities moved by {np.abs(old - new).mean():.3f} on average, {other:.0%} of the top answers are others"
    )


def test_new_weights_reach_all_clients_without_a_failed_request(tmp_path, capsys):
    old = small_zoo(tmp_path / "old")
    new = changed(old, tmp_path / "new")
    pupils, balancer = pupils_of(old, new), Balancer()
    with valkey() as store:
        settings = {"redis_url": url_of(store), "serve": MODEL, "default_model": MODEL}
        replicas = [Server(tmp_path / f"old-{n}", models=str(old), **settings) for n in range(2)]
        upgraded = [Server(tmp_path / f"new-{n}", models=str(new), **settings) for n in range(2)]
        try:
            start(replicas)
            balancer.replicas = replicas[:]
            for pupil in pupils:
                balancer.ask("adapt", pupil.adapt()).raise_for_status()
            with load(balancer, pupils):
                for before, after in zip(replicas, upgraded, strict=True):
                    wait_for(balancer, 3 * CLIENTS)
                    balancer.take_out(before)
                    before.stop()
                    after.start()
                    balancer.replicas.append(after)
                wait_for(balancer, 3 * CLIENTS)
            last = [pupil.judged(balancer.ask("predict", pupil.predict()).json()) for pupil in pupils]
            rebuilt = [rebuilds(one) for one in upgraded]
        finally:
            for one in (*replicas, *upgraded):
                one.stop()
    with capsys.disabled():
        print(f"\n{dict(balancer.answers)}; rebuilt states {rebuilt}; {shift(pupils)}")
    assert {name for name in balancer.answers if " 200" not in name} == set()
    assert not any("wrong" in name for name in balancer.answers)
    assert min(balancer.answers[f"predict 200 {weights}"] for weights in ("old", "new"))
    assert all("new" in verdict for verdict in last)
    assert sum(rebuilt) >= 1, "no client was adapted again when it asked"
