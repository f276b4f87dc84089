"""Prototypical networks: Snell, Swersky, Zemel 2017, "Prototypical Networks for Few-shot Learning".

arXiv:1703.05175
"""

from torch import Tensor

from models.encoders import Encoder
from models.functional import class_means, squared_distances
from models.learner import Learner, State, Support


class ProtoNet(Learner):
    """Each class is the mean of its embedded examples; a query belongs to the nearest (equation 1 and 2).

    Any number of classes and of examples a class, equal or not.
    """

    algorithm = "Prototypical networks"
    paper = "Snell, Swersky, Zemel 2017, arXiv:1703.05175"

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def adapt(self, support: Support) -> State:
        """Prototypes (ways, d)."""
        return {"prototypes": class_means(self.encoder(support.inputs), support)}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Minus the squared Euclidean distances to the prototypes, (q, ways)."""
        return -squared_distances(self.encoder(query), state["prototypes"])
