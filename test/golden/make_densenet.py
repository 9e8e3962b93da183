"""torchvision's DenseNet-121 with hashed weights: logits, features, loss, every gradient, running statistics -> densenet121.json.gz

float64 is the reference. The same in float32 gives `float32Error`. Weights, images and what is kept of a large tensor as for
the ResNets (make_resnet.py); the one as published, and a narrow one. Held to timm's where that is installed.

In training, float32 decides some ReLU of the published network otherwise than float64 does, PyTorch's too: gradients of
training are kept of the narrow one alone. Pictures are those on which it decides none of the others so (`--search`).
"""

import copy
import sys

import torch
import torchvision
from golden_files import write_json
from golden_model import CLASSES, compact, loss_of, make_images, make_targets, relative_errors
from hash_weights import set_hash_weights

try:
    import timm
except ImportError:
    timm = None

SAMPLES = 4

VARIANTS = [
    {"arch": "densenet121", "images": [3, 64, 64, 1], "pictures": 7},
    {"arch": "densenet121", "images": [6, 33, 45, 3], "pictures": 5, "width": 8},
]


def build(arch, images, width=64, **_):
    model = torchvision.models.DenseNet(width // 2, (6, 12, 24, 16), width, num_classes=CLASSES)
    if images[3] != 3:
        model.features.conv0 = torch.nn.Conv2d(images[3], width, 7, 2, 3, bias=False)
    set_hash_weights(model)
    if timm is not None and width == 64:
        other = timm.create_model(arch, in_chans=images[3], num_classes=CLASSES)
        assert list(other.state_dict()) == list(model.state_dict())
        set_hash_weights(other)
        x = make_images(images, 0).permute(0, 3, 1, 2).double()
        with torch.no_grad():
            ours, theirs = copy.deepcopy(model).double().eval()(x), other.double().eval()(x)
        error = float((ours - theirs).norm() / theirs.norm())
        print(f"  torchvision's {arch} differs from timm's by {error:.1e}")
        assert error < 1e-12, error
    return model


def run(model, images, targets):
    result = {}
    for mode in ("eval", "train"):
        net = copy.deepcopy(model).train(mode == "train")
        # once through, since a training pass changes the running statistics
        features = net.features(images).relu().mean((2, 3))
        logits = net.classifier(features)
        loss = loss_of(logits, targets)
        loss.backward()
        result[mode] = {
            "logits": {"logits": logits.detach()},
            "features": {"features": features.detach()},
            "loss": {"loss": loss.detach()},
            "gradients": {name: p.grad for name, p in net.named_parameters()},
        }
    buffers = {name: b for name, b in net.named_buffers() if b.is_floating_point()}
    result["train"]["runningStatistics"] = buffers
    return result


def both(variant, pictures):
    images = make_images(variant["images"], pictures).permute(0, 3, 1, 2)
    targets = make_targets(variant["images"][0])
    model = build(**variant)
    reference = run(copy.deepcopy(model).double(), images.double(), targets)
    return model, targets, reference, relative_errors(reference, run(model, images, targets))


def without_unsure(reference, variant):
    if "width" not in variant:
        del reference["train"]["gradients"]
    return reference


def main():
    networks = []
    for variant in VARIANTS:
        model, targets, reference, errors = both(variant, variant["pictures"])
        for kind, e in errors.items():
            print(f"  {kind}: float32 is off by {e['worst']:.1e} at {e['at']}, median {e['median']:.1e}")
        networks.append(
            {
                **variant,
                "classes": CLASSES,
                "targets": targets,
                "shapes": {name: list(t.shape) for name, t in model.state_dict().items() if t.is_floating_point()},
                **compact(without_unsure(reference, variant), SAMPLES),
                "float32Error": errors,
            }
        )
    write_json("densenet121.json.gz", {"networks": networks}, digits=9)


if __name__ == "__main__":
    # `--search 5 0`: how far float32 is off for pictures 0 to 4 of the first network
    if sys.argv[1:2] == ["--search"]:
        for number in range(int(sys.argv[2])):
            errors = both(VARIANTS[int(sys.argv[3])], number)[3]
            print(number, {kind: f"{e['worst']:.1e}" for kind, e in errors.items()})
    else:
        main()
