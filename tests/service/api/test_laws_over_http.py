"""Random sequences of all operations on clients, sent to two APIs in turn, give what a plain model says.

The model of a client is a list of examples and the lists of its earlier versions. States are lost at random. An answer
is compared with that of a client which was adapted to the same examples from nothing.
"""

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from redis import Redis

from service.settings import Settings
from tests.service.drawings import png
from tests.service.serving import serving

KEPT = 4
LETTERS, SHIFTS = "LVZN", 3
LABELS = ["L", "V", "Z"]
NAMES = ["alice", "bob"]
SCRATCH = "scratch"
FILE = {"content-type": "application/safetensors"}


class Example(NamedTuple):
    """An example of the model: its id, its letter with the shift, and its label."""

    id: str
    drawn: tuple[str, int]
    label: str


Examples = tuple[Example, ...]


class Client:
    """What must be true of a client. A removed version is None."""

    def __init__(self) -> None:
        self.version, self.keeps = 0, False
        self.versions: dict[int, Examples | None] = {}

    @property
    def examples(self) -> Examples:
        found = self.versions[self.version]
        assert found is not None
        return found

    def change(self, examples: Examples) -> None:
        self.version += 1
        self.versions[self.version] = examples
        self.versions = {n: each for n, each in self.versions.items() if n > self.version - KEPT}

    def remove(self, removed: set[str], keep_history: bool) -> None:
        kept = tuple(each for each in self.examples if each.id not in removed)
        if not keep_history:
            for number, examples in self.versions.items():
                if examples is not None and removed & {each.id for each in examples}:
                    self.versions[number] = None
        self.change(kept)


names, keeps = st.sampled_from(NAMES), st.booleans()
drawn = st.tuples(st.sampled_from(LETTERS), st.integers(0, SHIFTS - 1))
taught = st.lists(st.tuples(drawn, st.sampled_from(LABELS)), max_size=5)
numbers = st.integers(0, 10**6)


class Machine(RuleBasedStateMachine):
    """The operations. `apis` and `redis` are set by the test."""

    apis: list[httpx.Client]
    redis: Redis

    @initialize()
    def begin(self) -> None:
        self.redis.flushall()
        self.clients: dict[str, Client] = {}
        self.turn = self.made = 0
        self.known: dict[Any, Any] = {}
        self.kept: dict[str, dict[str, tuple[str, int]]] = {}
        for name in NAMES:  # otherwise most operations would find no client
            self.teach(name, [(("L", 0), "L"), (("V", 0), "V")], keeps=True)

    @property
    def api(self) -> httpx.Client:
        self.turn += 1
        return self.apis[self.turn % len(self.apis)]

    def new(self, pairs: list, before: Examples) -> tuple[list[dict], Examples]:
        """The examples of a request, and those that the client then has."""
        body, after = [], list(before)
        for (letter, shift), label in pairs:
            self.made += 1
            example = Example(f"e{self.made}", (letter, shift), label)
            body.append({"id": example.id, "input": png(letter, shift), "label": label})
            after.append(example)
        return body, tuple(after)

    def changed(self, name: str, answer: httpx.Response) -> None:
        assert answer.status_code == 200, answer.text
        client, body = self.clients[name], answer.json()
        assert (body["version"], body["examples"]) == (client.version, len(client.examples))
        assert body["classes"] == sorted({each.label for each in client.examples})

    def removed(self, name: str, examples: Examples) -> None:
        """Kept queries with the inputs of removed examples are gone."""
        gone = {each.drawn for each in examples}
        self.kept[name] = {id_: each for id_, each in self.kept.get(name, {}).items() if each not in gone}

    def pick(self, name: str, number: int) -> Example | None:
        client = self.clients.get(name)
        return client.examples[number % len(client.examples)] if client and client.examples else None

    @rule(name=names, pairs=taught, keeps=keeps)
    def adapt(self, name, pairs, keeps):
        self.teach(name, pairs, keeps=keeps)

    def teach(self, name: str, pairs: list, *, keeps: bool) -> None:
        body, after = self.new(pairs, ())
        answer = self.api.post("/adapt", json={"client_id": name, "support": body, "keep_queries_s": 3600 * keeps})
        self.clients.setdefault(name, Client()).change(after)
        self.changed(name, answer)
        self.clients[name].keeps = keeps
        if not keeps:
            self.kept.pop(name, None)

    @rule(name=names, pairs=taught)
    def append(self, name, pairs):
        client = self.clients.get(name)
        body, after = self.new(pairs, client.examples if client else ())
        answer = self.api.post("/adapt", json={"client_id": name, "support": body, "mode": "append"})
        if client is None:
            assert answer.status_code == 404
            return
        client.change(after)
        self.changed(name, answer)

    @rule(name=names, number=numbers, keep_history=keeps)
    def remove(self, name, number, keep_history):
        example = self.pick(name, number)
        path = f"/clients/{name}/examples/{example.id if example else 'none'}"
        answer = self.api.delete(path, params={"keep_history": keep_history})
        if example is None:
            assert answer.status_code == 404
            return
        self.clients[name].remove({example.id}, keep_history)
        self.changed(name, answer)
        self.removed(name, (example,))
        assert answer.json()["receipt"]["examples"] == [example.id]

    @rule(name=names, label=st.sampled_from(LABELS), keep_history=keeps)
    def remove_class(self, name, label, keep_history):
        client = self.clients.get(name)
        gone = {each.id for each in client.examples if each.label == label} if client else set()
        answer = self.api.delete(f"/clients/{name}/classes/{label}", params={"keep_history": keep_history})
        if client is None or not gone:
            assert answer.status_code == 404
            return
        removed = tuple(each for each in client.examples if each.id in gone)
        client.remove(gone, keep_history)
        self.changed(name, answer)
        self.removed(name, removed)

    @rule(name=names, number=numbers, label=st.sampled_from(LABELS))
    def relabel(self, name, number, label):
        example = self.pick(name, number)
        answer = self.api.patch(f"/clients/{name}/examples/{example.id if example else 'e'}", json={"label": label})
        if example is None:
            assert answer.status_code == 404
            return
        client = self.clients[name]
        new = (each._replace(label=label) if each == example else each for each in client.examples)
        client.change(tuple(new))
        self.changed(name, answer)

    @rule(name=names, old=st.sampled_from(LABELS), to=st.sampled_from(LABELS))
    def rename(self, name, old, to):
        client = self.clients.get(name)
        there = {each.label for each in client.examples} if client else set()
        answer = self.api.patch(f"/clients/{name}/classes/{old}", json={"label": to})
        if client is None or old not in there:
            assert answer.status_code == 404
        elif to in there and to != old:
            assert answer.status_code == 409
        else:
            new = (each._replace(label=to) if each.label == old else each for each in client.examples)
            client.change(tuple(new))
            self.changed(name, answer)

    @rule(name=names, back=st.integers(0, KEPT + 1))
    def rollback(self, name, back):
        client = self.clients.get(name)
        version = max(1, client.version - back) if client else 1
        answer = self.api.post(f"/clients/{name}/rollback", json={"version": version})
        if client is None or version not in client.versions:
            assert answer.status_code == 404
        elif (found := client.versions[version]) is None:
            assert (answer.status_code, answer.json()["receipt"]["to_version"] > version) == (410, True)
        else:
            client.change(found)
            self.changed(name, answer)

    @rule(name=names, to=names)
    def copy(self, name, to):
        answer = self.api.post(f"/clients/{name}/copy", json={"client_id": to})
        if name not in self.clients:
            assert answer.status_code == 404
        elif to in self.clients:
            assert answer.status_code == 409
        else:
            self.clients[to] = Client()
            self.clients[to].change(self.clients[name].examples)
            self.changed(to, answer)

    @rule(name=names, to=names)
    def export_and_import(self, name, to):
        file = self.api.get(f"/clients/{name}/export")
        if name not in self.clients:
            assert file.status_code == 404
            return
        examples = self.clients[name].examples
        answer = self.api.post(f"/clients/{to}/import", content=file.content, headers=FILE)
        self.clients.setdefault(to, Client()).change(examples)
        self.changed(to, answer)

    def query(self, name: str, queried: list[tuple[str, int]]) -> None:
        answer = self.api.post("/predict", json={"client_id": name, "inputs": [png(*each) for each in queried]})
        if answer.status_code == 200:
            self.answered(name, answer, queried)

    def answered(self, name: str, answer: httpx.Response, queried: list[tuple[str, int]]) -> None:
        """Predictions have ids if their queries are kept."""
        ids = [each["id"] for each in answer.json()["predictions"] if "id" in each]
        assert len(ids) == (len(queried) if self.clients[name].keeps else 0)
        self.kept.setdefault(name, {}).update(zip(ids, queried, strict=False))

    @rule(
        name=names,
        of=names,
        queried=st.lists(drawn, min_size=1, max_size=3),
        number=numbers,
        label=st.sampled_from(LABELS),
    )
    def feedback(self, name, of, queried, number, label):
        """Ask, and then feed back on any prediction, also on one of another client."""
        self.query(of, queried)
        known = list(self.kept.get(of, {})) or ["none"]
        asked = known[number % len(known)]
        answer = self.api.post(f"/clients/{name}/feedback", json={"id": asked, "label": label})
        queried = self.kept.get(name, {}).get(asked)
        if queried is None:
            code = "unknown_prediction" if name in self.clients else "unknown_client"
            assert (answer.status_code, answer.json()["code"]) == (404, code)
            return
        client, [id_] = self.clients[name], answer.json()["ids"]
        there = any((each.drawn, each.label) == (queried, label) for each in client.examples)
        client.change(client.examples if there else (*client.examples, Example(id_, queried, label)))
        self.changed(name, answer)

    @rule(name=names)
    def forget(self, name):
        answer = self.api.delete(f"/clients/{name}")
        assert answer.status_code == (204 if name in self.clients else 404)
        self.clients.pop(name, None)
        self.kept.pop(name, None)

    @rule()
    def lose_states(self):
        if keys := self.redis.keys("*state"):
            self.redis.delete(*keys)

    @rule(name=names, back=st.integers(0, KEPT))
    def predict(self, name, back):
        client = self.clients.get(name)
        version = max(1, client.version - back) if client else 1
        answer = self.ask(name, version)
        if client is None or version not in client.versions:
            assert answer.status_code == 404
        elif (found := client.versions[version]) is None:
            assert answer.status_code == 410
        elif len({each.label for each in found}) < 2:
            assert answer.json()["code"] == "too_few_examples"
        else:
            self.answered(name, answer, [("V", 1)])
            [predicted] = answer.json()["predictions"]
            assert predicted["probabilities"] == pytest.approx(self.expected(found), abs=1e-4)

    def ask(self, name: str, version: int | None = None) -> httpx.Response:
        body = {"client_id": name, "inputs": [png("V", 1)]} | ({} if version is None else {"version": version})
        return self.api.post("/predict", json=body)

    def expected(self, examples: Examples) -> dict[str, float]:
        """The answer of a client that is adapted to the examples from nothing."""
        key = tuple((each.drawn, each.label) for each in examples)
        if key not in self.known:
            body = [{"id": each.id, "input": png(*each.drawn), "label": each.label} for each in examples]
            self.api.post("/adapt", json={"client_id": SCRATCH, "support": body}).raise_for_status()
            self.known[key] = self.ask(SCRATCH).json()["predictions"][0]["probabilities"]
            self.api.delete(f"/clients/{SCRATCH}").raise_for_status()
        return self.known[key]

    @invariant()
    def what_is_shown_is_true(self):
        name = random.Random(self.turn).choice(NAMES)
        client, api = self.clients.get(name), self.api
        shown = api.get(f"/clients/{name}")
        assert shown.status_code == (200 if client else 404)
        if client is None:
            return
        assert shown.json()["version"] == client.version
        listed = api.get(f"/clients/{name}/examples").json()["examples"]
        assert sorted((each["id"], each["label"]) for each in listed) == sorted(
            (e.id, e.label) for e in client.examples
        )
        kept = api.get(f"/clients/{name}/versions").json()["versions"]
        assert {each["version"]: "gone" if each["gone"] else each["examples"] for each in kept} == {
            number: "gone" if each is None else len(each) for number, each in client.versions.items()
        }

    def teardown(self) -> None:
        """Nothing is stored that no client needs."""
        for name in list(self.clients):
            assert self.api.delete(f"/clients/{name}").status_code == 204
        assert {*self.redis.keys("*")} <= {b"handful:{default}:days"}  # requests by day


@pytest.fixture
def apis(settings: Settings, worker) -> Iterator[list[httpx.Client]]:
    few = settings.model_copy(update={"versions": KEPT})
    with serving(few, worker) as one, serving(few, worker) as other:
        yield [one, other]


def test_random_sequences_of_operations_give_what_the_model_says(apis, redis):
    class Bound(Machine):
        pass

    Bound.apis, Bound.redis = apis, redis
    quick = settings(
        max_examples=20, stateful_step_count=30, derandomize=True, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    run_state_machine_as_test(Bound, settings=quick)
