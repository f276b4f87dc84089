"""One paper, one file."""

from models.learner import Learner
from models.learners.alfa import ALFA
from models.learners.alpaca import ALPaCA
from models.learners.anil import ANIL
from models.learners.any_features import AnyFeatures
from models.learners.attentive_neural_process import AttentiveNeuralProcess
from models.learners.cavia import CAVIA
from models.learners.conditional_neural_process import ConditionalNeuralProcess
from models.learners.cosine import CosineProtoNet
from models.learners.gated_ridge import GatedRidge
from models.learners.gnn import GraphNet
from models.learners.kernels import KernelHead
from models.learners.logistic import Logistic
from models.learners.lstm import LSTMMetaLearner
from models.learners.maml import MAML
from models.learners.maml_plus_plus import MAMLPlusPlus
from models.learners.matching import MatchingNet
from models.learners.meta_sgd import MetaSGD
from models.learners.mixed_kernels import MixedKernels
from models.learners.named_logistic import NamedLogistic
from models.learners.pmf import PMF
from models.learners.policy_gradient import PolicyMAML
from models.learners.progressive import Progressive
from models.learners.proto_maml import ProtoMAML
from models.learners.protonet import ProtoNet
from models.learners.recurrent_policy import RecurrentPolicy
from models.learners.relation import RelationNet
from models.learners.reptile import Reptile
from models.learners.ridge import Ridge
from models.learners.tables_in_context import TablesInContext
from models.learners.tim import TIM
from models.learners.transformer import InContextTransformer
from models.registry import Registry

LEARNERS: Registry[type[Learner]] = Registry(
    "handful.learners",
    {
        "alpaca": ALPaCA,
        "anil": ANIL,
        "any-features": AnyFeatures,
        "attentive-neural-process": AttentiveNeuralProcess,
        "conditional-neural-process": ConditionalNeuralProcess,
        "cosine": CosineProtoNet,
        "maml": MAML,
        "maml++": MAMLPlusPlus,
        "alfa": ALFA,
        "cavia": CAVIA,
        "lstm": LSTMMetaLearner,
        "meta-sgd": MetaSGD,
        "reptile": Reptile,
        "proto-maml": ProtoMAML,
        "protonet": ProtoNet,
        "matching": MatchingNet,
        "ridge": Ridge,
        "kernels": KernelHead,
        "mixed-kernels": MixedKernels,
        "relation": RelationNet,
        "logistic": Logistic,
        "named-logistic": NamedLogistic,
        "transformer": InContextTransformer,
        "gnn": GraphNet,
        "tables-in-context": TablesInContext,
        "tim": TIM,
        "pmf": PMF,
        "gated-ridge": GatedRidge,
        "policy-gradient": PolicyMAML,
        "recurrent-policy": RecurrentPolicy,
        "progressive": Progressive,
    },
)
