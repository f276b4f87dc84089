"""Prototypical networks: Snell, Swersky, Zemel 2017, "Prototypical Networks for Few-shot Learning".

arXiv:1703.05175
"""

from torch import Tensor

from models import native
from models.encoders import Encoder
from models.explanations import of_combination, shares
from models.functional import all_pairs_loss, class_means, examples_by_class, squared_distances
from models.learner import Contributions, Episode, Learner, State, Support


class ProtoNet(Learner):
    """Each class is the mean of its embedded examples; a query belongs to the nearest one (equations 1 and 2).

    Any number of classes, and of examples of each. The outer loss covers all pairs of an episode's examples, where the
    paper compares its queries with its support: the same for 60-way 1-shot episodes, but several of them for one pass
    through the encoder.
    """

    algorithm = "Prototypical networks"
    paper = "Snell, Swersky, Zemel 2017, arXiv:1703.05175"
    several_labels = True
    weighted_examples = True
    explains = "logits"

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def encode(self, inputs: Tensor) -> Tensor:
        """Features (n, d)."""
        return native.encode(self.encoder, inputs)

    def adapt(self, support: Support) -> State:
        """Prototypes (ways, d)."""
        return {"prototypes": class_means(support.inputs, support)}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Minus the squared Euclidean distances to the prototypes, (q, ways)."""
        return -squared_distances(query, state["prototypes"])

    def explain(self, support: Support, query: Tensor, contrast: Tensor) -> Contributions:
        """What each example contributes: 2 (q - m) . (x - m) over the number of examples of its class.

        The classifier is linear (section 2.4): the weights of a class are twice its prototype, a mean of examples, and
        its bias is minus the squared length of the prototype. The biases are the base. m, the mean of the prototypes,
        is taken as the origin, so that moving all features changes nothing.
        """
        means = class_means(support.inputs, support)
        origin = means.mean(0)
        found = of_combination(query - origin, support.inputs - origin, 2 * shares(support, query), contrast)
        return found._replace(base=-contrast @ (means - origin).square().sum(-1))

    def outer_loss(self, episode: Episode, progress: float) -> Tensor:
        """The loss of all pairs of the episode's examples."""
        examples = examples_by_class(episode)
        features = self.encode(examples.flatten(0, 1))
        grid = examples.shape[:2]
        distances = squared_distances(features, features).reshape(*grid, *grid)
        return all_pairs_loss(-distances.transpose(-1, -2))
