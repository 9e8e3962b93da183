"""Weights that two programs can make alike without exchanging a file: a hash of the tensor's name and the element's index.

    h = lowbias32(fnv1a32(name as UTF-8) + index)      index: position in PyTorch's own order, row-major
    u = (h >> 8) * 2^-23 - 1                            in [-1, 1), exact in float32

All arithmetic on 32-bit unsigned integers; lowbias32 is Wellons' mixer. Parameters are `u * scale + offset` rounded to
float32 once, by the rules of `rule()`. hash-weights.ts is the twin; both are held together by hash-weights.json.
"""

import math

import numpy as np
import torch


def fnv1a32(text):
    h = 0x811C9DC5
    for byte in text.encode():
        h = ((h ^ byte) * 0x01000193) & 0xFFFFFFFF
    return h


def lowbias32(x):
    x = x.astype(np.uint32)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    return x


def hash_uniform(name, count):
    """float32 [count], uniform in [-1, 1)."""
    index = np.arange(count, dtype=np.uint32) + np.uint32(fnv1a32(name))
    return (lowbias32(index) >> np.uint32(8)).astype(np.float32) * np.float32(2**-23) - np.float32(1)


def rule(name, shape):
    """(scale, offset) of a parameter or buffer of timm's naming. A uniform value in [-1, 1) has variance 1/3."""
    if len(shape) == 4 and name.startswith("features."):
        return math.sqrt(6 / math.prod(shape[1:])), 0  # a DenseNet's: Kaiming normal's variance, fan-in
    if len(shape) == 4:
        return math.sqrt(6 / (shape[0] * shape[2] * shape[3])), 0  # Kaiming normal's variance, fan-out
    if len(shape) == 2:
        return 1 / math.sqrt(shape[1]), 0  # the classifier
    if name.endswith("running_mean"):
        return 0.2, 0
    if name.endswith("running_var"):
        return 0.25, 1
    if name.endswith("gamma"):
        return 0.1, 0.2  # a layer scale
    if name.startswith("layer") and name.endswith(("bn2.weight", "bn3.weight")):
        return 0.1, 0.2  # small where a block ends, as in trained networks: larger ones amplify rounding from block to block
    if name.endswith("bn3.bias"):
        return 0.1, 0.2  # keeps a bottleneck's sum away from the corner of its ReLU
    if name.endswith("weight"):
        return 0.25, 1  # other batch norms
    return 0.1, 0  # biases


def hash_tensor(name, shape):
    """float32 tensor of PyTorch's shape."""
    scale, offset = rule(name, shape)
    u = hash_uniform(name, math.prod(shape)).astype(np.float64)
    return torch.tensor((u * scale + offset).astype(np.float32).reshape(shape))


def set_hash_weights(model):
    """Replaces every parameter and buffer except num_batches_tracked."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(hash_tensor(name, tuple(tensor.shape)))
