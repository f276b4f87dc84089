"""One thread, so that the same seed gives the same bits wherever the tests run."""

import torch

torch.set_num_threads(1)
