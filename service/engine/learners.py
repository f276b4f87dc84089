"""The learners of a folder, for any number of threads."""

import copy
import logging
from collections.abc import Mapping, Sequence

from models import checkpoint
from models.learner import Learner
from service.settings import Settings

log = logging.getLogger(__name__)


def load(names: Sequence[str], settings: Settings) -> dict[str, Learner]:
    """The learners of these names, on the device. One that cannot be loaded is logged, and the others are served."""
    learners: dict[str, Learner] = {}
    for name in names:
        try:
            learner = checkpoint.load(settings.weights(name))
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            log.error("the model %s cannot be loaded and is not served: %s", name, error)
        else:
            learners[name] = learner.to(settings.device)
    return learners


def twins(learners: Mapping[str, Learner]) -> dict[str, Learner]:
    """Learners for another thread, with the same weights in memory."""
    return {name: _twin(learner) for name, learner in learners.items()}


def _twin(learner: Learner) -> Learner:
    shared = {id(tensor): tensor for tensor in (*learner.parameters(), *learner.buffers())}
    return copy.deepcopy(learner, shared)
