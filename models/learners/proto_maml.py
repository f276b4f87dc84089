"""Proto-MAML: Triantafillou et al. 2020, "Meta-Dataset: A Dataset of Datasets for Learning to Learn from Few Examples".

arXiv:1903.03096
"""

from typing import Any

from models import native
from models.encoders import Encoder
from models.functional import class_means
from models.learner import State, Support
from models.learners.maml import MAML


class ProtoMAML(MAML):
    """MAML whose head starts as a prototypical network (section 3.2), so it takes any number of classes.

    With c the mean feature of a class, its row of the head starts at weight 2c and bias -|c|^2. The logits are then
    minus the squared distances to the means, plus |feature|^2, which is the same for every class. The meta-gradient
    goes through the means. No head is learned. The authors use the first-order gradient, which is `first_order` here
    and not the default, and keep the norms' scale and shift out of the inner loop; here they are adapted too.
    """

    algorithm = "Proto-MAML"
    paper = "Triantafillou, Zhu, Dumoulin, Lamblin et al. 2020, arXiv:1903.03096"

    def __init__(self, encoder: Encoder, **options: Any) -> None:
        super().__init__(encoder, outputs=None, **options)

    def initial_head(self, support: Support) -> State:
        """Rows made of the class means."""
        means = class_means(native.encode(self.encoder, support.inputs), support)
        return {"weight": 2 * means, "bias": -means.square().sum(-1)}
