"""Heads with hashed weights, alone on a map and behind whole networks -> heads.json.gz

float64 is the reference, in evaluation and in training (no dropout). The same in float32 gives `float32Error`.

- Heads: heads_reference.py. Backbones: torchvision's ResNet-18, convnext_reference.py's ConvNeXt. Weights: hash_weights.py.
- A map is hash_uniform("map/NUMBER") times the square root of 3, of variance 1, as [n, h, w, f]; pooled features likewise.
- Images, loss and what is kept of a large tensor: golden_model.py, 6 samples. The gradient of the map counts as one of a
  parameter "map", in our order of axes.
- `--search` finds the pictures and maps that stay away from corners of ReLUs and max pools; see make_resnet.py.
"""

import math
import sys

import torch
import torchvision
from convnext_reference import ConvNeXt
from golden_files import write_json
from golden_model import CLASSES, compact, loss_of, make_images, make_targets, relative_errors
from hash_weights import hash_tensor, hash_uniform
from heads_reference import HEADS
from make_resnet import margin

SAMPLES = 6

CSRA = {"name": "csra", "lambda": 0.1}
SMALL_DECODER = {"name": "ml_decoder", "queries": 5, "width": 32, "heads": 4, "feedForward": 48, "dropout": 0}
DECODER = {"name": "ml_decoder", "queries": 100, "width": 768, "heads": 8, "feedForward": 2048, "dropout": 0}

WORDS = {"name": "projection", "embeddings": "words", "buckets": 48, "wordHidden": 12}
# a list for each class
PROMPTS = [
    ["a mass", "an opacity of more than 3 cm"],
    ["air in the pleural space"],
    ["bronchiectasis", "dilated bronchi", "tram tracks at the bases"],
    ["a normal chest"],
    ["a large heart", "cardiothoracic ratio above 0.5"],
    *([f"finding {number}"] for number in range(5, CLASSES)),
]

ALONE = [
    {"head": CSRA, "map": [3, 5, 7, 24]},
    {"head": {"name": "csra", "lambda": 0.7}, "map": [2, 3, 11, 20]},
    {"head": {"name": "csra_original", "heads": 1, "lambda": 0.1}, "map": [3, 5, 7, 24]},
    {"head": {"name": "csra_original", "heads": 2, "lambda": 0.4}, "map": [3, 5, 7, 22]},
    {"head": {"name": "csra_original", "heads": 6, "lambda": 0.3}, "map": [2, 7, 9, 24]},
    {"head": SMALL_DECODER, "map": [3, 5, 7, 24]},
    {"head": DECODER, "map": [2, 5, 7, 36]},
    {"head": {"name": "projection", "dims": 16, "hidden": 0}, "map": [3, 24]},
    {"head": {"name": "projection", "dims": 18, "hidden": 20}, "map": [3, 22]},
    {"head": {"name": "projection", "dims": 16, "hidden": 0, "bias": True, "embeddings": "fixed"}, "map": [3, 24]},
    {"head": {**WORDS, "dims": 16, "hidden": 0, "bias": True}, "map": [3, 24], "prompts": PROMPTS},
]

IMAGES = [1, 97, 131, 1]
NETWORKS = [
    {"arch": "resnet18", "head": CSRA, "images": IMAGES},
    {"arch": "resnet18", "head": {"name": "csra_original", "heads": 4, "lambda": 0.3}, "images": IMAGES},
    {"arch": "resnet18", "head": DECODER, "images": IMAGES},
    {"arch": "resnet18", "head": {"name": "projection", "dims": 64, "hidden": 0}, "images": IMAGES},
    {"arch": "convnext_atto", "head": CSRA, "images": [2, 97, 131, 1]},
    {"arch": "convnext_atto", "head": DECODER, "images": [2, 97, 131, 1]},
]

# by number of the case, found by --search
PICTURES = {5: 7, 6: 33, 11: 20, 12: 20, 13: 20, 14: 20, 16: 1}


class ResNetMap(torch.nn.Module):
    linear = "fc"

    def __init__(self, channels):
        super().__init__()
        network = torchvision.models.resnet18()
        network.conv1 = torch.nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
        for name, child in network.named_children():
            if name not in ("avgpool", "fc"):
                self.add_module(name, child)
        self.features = 512

    def forward(self, x):
        for child in self.children():
            x = child(x)
        return x


class ConvNeXtMap(torch.nn.Module):
    """With the last norm at each position, as timm's network gives a map without pooling."""

    linear = "head.fc"

    def __init__(self, arch, channels):
        super().__init__()
        network = ConvNeXt(arch, channels, 1)
        self.stem, self.stages = network.stem, network.stages
        self.head = torch.nn.Module()
        self.head.norm = network.head.norm
        self.features = network.head.fc.in_features

    def forward(self, x):
        return self.head.norm(self.stages(self.stem(x)).movedim(1, -1)).movedim(-1, 1)


class Network(torch.nn.Module):
    """A backbone and a head; `names` gives each tensor its name in the common state dict."""

    def __init__(self, arch, head, channels):
        super().__init__()
        self.backbone = ResNetMap(channels) if arch == "resnet18" else ConvNeXtMap(arch, channels)
        self.outer = build_head(head, self.backbone.features, self.backbone.linear)

    def forward(self, images):
        map_ = self.backbone(images)
        self.pooled = map_.mean((2, 3))
        return self.outer(map_ if self.outer.reads == "map" else self.pooled)


def build_head(settings, features, linear, prompts=None):
    options = {key: value for key, value in settings.items() if key != "name"}
    if prompts is not None:
        options["prompts"] = prompts
    return HEADS[settings["name"]](features, CLASSES, linear, **options)


def common(name):
    return name.removeprefix("backbone.").removeprefix("outer.")


def set_weights(model):
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(hash_tensor(common(name), tuple(tensor.shape)))


def make_map(shape, number):
    return torch.tensor(hash_uniform(f"map/{number}", math.prod(shape)).reshape(shape)) * math.sqrt(3)


def to_nchw(x):
    return x.movedim(-1, 1)


def run(model, x, targets, wants_map):
    """Everything the golden file is about, as full tensors, in the model's dtype. x is [n, ..., c]."""
    result = {}
    for mode in ("eval", "train"):
        set_weights(model)
        model.train(mode == "train").zero_grad(set_to_none=True)
        x = x.detach().clone().requires_grad_(wants_map)
        logits = model(to_nchw(x))
        loss = loss_of(logits, targets)
        loss.backward()
        gradients = {common(name): p.grad.clone() for name, p in model.named_parameters() if p.requires_grad}
        if mode == "train" and isinstance(model, Network) and hasattr(model.outer, "bn"):
            # a batch norm takes away what the norm before it scales and adds: these gradients are all but 0
            for name in ("head.norm.weight", "head.norm.bias"):
                gradients.pop(name, None)
        result[mode] = {
            "logits": {"logits": logits.detach()},
            "loss": {"loss": loss.detach()},
            "gradients": {**gradients, **({"map": x.grad.clone()} if wants_map else {})},
        }
        if isinstance(model, Network):
            result[mode]["features"] = {"features": model.pooled.detach()}
        head = model.outer if isinstance(model, Network) else model
        if hasattr(head, "embedding"):
            result[mode]["embedding"] = {"embedding": head.embedding.detach()}
        buffers = {common(name): b.clone() for name, b in model.named_buffers() if b.is_floating_point()}
        if mode == "train" and buffers:
            result[mode]["runningStatistics"] = buffers
    return result


def golden(model, x, extra, wants_map):
    targets = make_targets(x.shape[0])
    # in double, the parameters are the float32 numbers that the weights are made as
    reference = run(model.double(), x.double(), targets, wants_map)
    errors = relative_errors(reference, run(model.float(), x.float(), targets, wants_map))
    for kind, e in errors.items():
        print(f"  {kind}: float32 is off by {e['worst']:.1e} at {e['at']}, median {e['median']:.1e}")
    return {
        **extra,
        "classes": CLASSES,
        "targets": targets,
        "shapes": {common(name): list(t.shape) for name, t in model.state_dict().items() if t.is_floating_point()},
        **compact(reference, SAMPLES),
        "float32Error": errors,
    }


def cases():
    """Each model with what makes its input of a number."""
    for case in ALONE:
        model = build_head(case["head"], case["map"][-1], "fc", case.get("prompts"))
        yield case, model, lambda number, shape=case["map"]: make_map(shape, number), True
    for case in NETWORKS:
        model = Network(case["arch"], case["head"], case["images"][3])
        yield case, model, lambda number, shape=case["images"]: make_images(shape, number), False


def search(tries):
    for i, (case, model, make, _) in enumerate(cases()):
        set_weights(model.double())
        best = (0.0, 0)
        for number in range(tries):
            best = max(best, (margin(model, to_nchw(make(number).double()), enough=best[0]), number))
        print(f"{i}: {best[1]},  # {case.get('arch', 'alone')} {case['head']['name']}: a margin of {best[0]:.1e}", flush=True)


def main():
    alone, networks = [], []
    for i, (case, model, make, wants_map) in enumerate(cases()):
        print(case.get("arch", "map"), case["head"])
        number = PICTURES.get(i, 0)
        (alone if wants_map else networks).append(golden(model, make(number), {**case, "pictures": number}, wants_map))
    write_json("heads.json.gz", {"alone": alone, "networks": networks}, digits=9)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--search"]:
        search(int(sys.argv[2]))
    else:
        main()
