"""One thread, so that a seed gives the same bits on every machine."""

import torch

torch.set_num_threads(1)
