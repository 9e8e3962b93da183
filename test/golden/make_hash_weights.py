"""A few generated tensors and pictures -> hash-weights.json, which holds hash_weights.py and its TypeScript twin together."""

import math

import numpy as np
from golden_files import write_json
from golden_model import make_images
from hash_weights import hash_tensor, hash_uniform


def main():
    """First, last and sum of generated tensors of each rule, for the TypeScript twin."""
    shapes = {
        "conv1.weight": [64, 3, 7, 7],
        "layer4.1.conv2.weight": [512, 512, 3, 3],
        "features.denseblock1.denselayer1.conv2.weight": [32, 128, 3, 3],
        "bn1.weight": [64],
        "bn1.bias": [64],
        "layer1.0.bn1.running_mean": [64],
        "layer1.0.bn1.running_var": [64],
        "stages.0.blocks.0.gamma": [96],
        "fc.weight": [14, 512],
        "fc.bias": [14],
    }
    tensors = []
    for name, shape in shapes.items():
        values = hash_tensor(name, tuple(shape)).double().reshape(-1)
        tensors.append(
            {"name": name, "shape": shape, "first": values[:4], "last": values[-4:], "sum": math.fsum(values.tolist())}
        )
    images = make_images([2, 9, 11, 3], 1).double().reshape(-1)
    uniform = [{"name": n, "values": hash_uniform(n, 6).astype(np.float64)} for n in ("images/0", "targets", "täil")]
    write_json("hash-weights.json", {"tensors": tensors, "uniform": uniform, "images": {"shape": [2, 9, 11, 3], "number": 1, "values": images}})


if __name__ == "__main__":
    main()
