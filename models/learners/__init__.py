"""One paper, one file."""

from models.learner import Learner
from models.learners.anil import ANIL
from models.learners.maml import MAML
from models.learners.protonet import ProtoNet

LEARNERS: dict[str, type[Learner]] = {"protonet": ProtoNet, "maml": MAML, "anil": ANIL}
