"""What the golden files of models have in common: pictures, targets, loss, and how large tensors are kept.

- Images in NHWC order. Loss: mean BCE with logits over known targets.
- A tensor is kept as its L2 norm, its dot product with hash_uniform(name + '/projection'), and a number of samples at
  lowbias32(fnv1a32(name + '/sample') + k) mod count (all elements where there are no more), all in PyTorch's order.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from hash_weights import fnv1a32, hash_uniform, lowbias32

CLASSES = 14


def make_images(shape, number):
    """float32 [n, h, w, c]: squares of 8x8 pixels in [-1, 1) under noise in [-0.5, 0.5)."""
    n, h, w, c = shape
    squares = (n, -(-h // 8), -(-w // 8), c)
    noise = hash_uniform(f"images/{number}", math.prod(shape)).reshape(shape).astype(np.float64)
    coarse = hash_uniform(f"images/{number}/coarse", math.prod(squares)).reshape(squares).astype(np.float64)
    coarse = coarse.repeat(8, 1).repeat(8, 2)[:, :h, :w]
    return torch.tensor((coarse + 0.5 * noise).astype(np.float32))


def make_pixels(shape, number):
    """int64 [n, h, w]: the grey pictures among `make_images` as 16-bit integers, 0 to 65535 for -1.5 to 1.5."""
    grey = make_images([*shape, 1], number)[..., 0].double()
    return torch.floor((grey + 1.5) * (65535 / 3) + 0.5).long()


def make_targets(n):
    u = torch.tensor(hash_uniform("targets", n * CLASSES).reshape(n, CLASSES))
    return torch.where(u < -0.4, 1.0, torch.where(u > 0.7, math.nan, 0.0)).double()


def loss_of(logits, targets):
    known = ~torch.isnan(targets)
    return F.binary_cross_entropy_with_logits(logits[known], targets[known].to(logits.dtype))


def sample_indices(name, count, samples):
    if count <= samples:
        return np.arange(count)
    return lowbias32(np.arange(samples, dtype=np.uint32) + np.uint32(fnv1a32(name + "/sample"))).astype(np.int64) % count


def digest(name, tensor, samples):
    flat = tensor.detach().double().reshape(-1).numpy()
    return {
        "norm": np.linalg.norm(flat),
        "projection": flat @ hash_uniform(name + "/projection", flat.size).astype(np.float64),
        "samples": flat[sample_indices(name, flat.size, samples)],
    }


def relative_errors(reference, other):
    """The largest |a - b| / |b| (L2, per tensor) of each kind of result, and the tensor it is found at."""
    errors = {}
    for part, kinds in reference.items():
        for kind, tensors in kinds.items():
            found = {
                name: float((other[part][kind][name].double() - b).norm() / b.norm()) for name, b in tensors.items()
            }
            worst = max(found, key=found.get)
            errors[f"{part}.{kind}"] = {"worst": found[worst], "at": worst, "median": float(np.median(list(found.values())))}
    return errors


def compact(result, samples):
    """Small results whole, parameters as digests."""
    out = {}
    for part, kinds in result.items():
        out[part] = {}
        for kind, tensors in kinds.items():
            if list(tensors) == [kind]:
                out[part][kind] = tensors[kind]
            else:
                out[part][kind] = {name: digest(name, tensor, samples) for name, tensor in tensors.items()}
    return out
