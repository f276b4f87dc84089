"""Batching over clients: the flat pass through the encoder."""

import torch
from torch import Tensor
from torch.testing import assert_close

from models.functional import encode_many
from models.learners.maml import MAML
from models.learners.protonet import ProtoNet
from tests.models.learners import TABLE, fresh, query


def test_encode_many_bounds_the_inputs_in_memory_at_once(monkeypatch):
    learner, sizes = fresh(TABLE["protonet-pool-batch"]), []
    original = ProtoNet.encode

    def noted(self: ProtoNet, inputs: Tensor) -> Tensor:
        sizes.append(len(inputs))
        return original(self, inputs)

    monkeypatch.setattr(ProtoNet, "encode", noted)
    inputs = query(TABLE["protonet-pool-batch"], 7)
    features = encode_many(learner, inputs, chunk=3)
    assert sizes == [3, 3, 1]
    assert_close(features, original(learner, inputs))


def test_inputs_are_not_copied_if_clients_own_the_network():
    learner, inputs = fresh(TABLE["maml"]), torch.rand(7, 1, 28, 28)
    assert isinstance(learner, MAML)
    assert encode_many(learner, inputs, chunk=3) is inputs
