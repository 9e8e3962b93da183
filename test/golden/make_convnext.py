"""ConvNeXts with hashed weights: logits, features, loss and every gradient -> convnext_*.json.gz, convnextv2_*.json.gz

float64 is the reference. The same in float32 gives `float32Error`: what PyTorch itself reaches on these numbers.

- Weights: hash_weights.py, by timm's names. Images, loss and what is kept of a large tensor: golden_model.py, 4 samples.
- tiny and base are torchvision's. The others, which torchvision has not, are convnext_reference.py's: it is held to
  torchvision here, and to timm where timm is installed. `torchvision` in the files gives timm's name of each of its own.
- convnextv2_base at 512 pixels, the network of the paper that this follows, takes 10 GB and two minutes: only with `--large`,
  else its file stays as it is.
- In evaluation, which without stochastic depth is the same as training.
"""

import re
import sys

import torch
import torchvision
from convnext_reference import ConvNeXt
from golden_files import write_json
from golden_model import CLASSES, compact, loss_of, make_images, make_targets, relative_errors
from hash_weights import hash_tensor, set_hash_weights

try:
    import timm
except ImportError:
    timm = None

SAMPLES = 4

VARIANTS = [
    {"arch": "convnext_tiny", "images": [2, 97, 131, 3], "torchvision": True},
    {"arch": "convnext_base", "images": [1, 65, 97, 3], "torchvision": True},
    {"arch": "convnext_atto_ols", "images": [2, 97, 131, 1]},
    {"arch": "convnextv2_atto", "images": [3, 64, 64, 1]},
    {"arch": "convnextv2_tiny", "images": [2, 97, 131, 3]},
]
LARGE = [{"arch": "convnextv2_base", "images": [1, 512, 512, 3]}]
PICTURES = 1


def timm_name(name):
    """Of one of torchvision's ConvNeXt parameters."""
    head = {"classifier.0": "head.norm", "classifier.2": "head.fc"}
    for theirs, ours in head.items():
        if name.startswith(theirs):
            return name.replace(theirs, ours)
    _, index, rest = name.split(".", 2)
    if index == "0":
        return f"stem.{rest}"
    stage, odd = divmod(int(index), 2)
    if not odd:
        return f"stages.{stage}.downsample.{rest}"
    block = re.sub(r"^(\d+)\.", rf"stages.{stage}.blocks.\1.", rest)
    for theirs, ours in {
        "layer_scale": "gamma",
        "block.0": "conv_dw",
        "block.2": "norm",
        "block.3": "mlp.fc1",
        "block.5": "mlp.fc2",
    }.items():
        block = block.replace(theirs, ours)
    return block


class Torchvision(torch.nn.Module):
    """torchvision's network, asked for features and parameters as the reference is."""

    def __init__(self, arch, channels, classes):
        super().__init__()
        self.network = getattr(torchvision.models, arch)(num_classes=classes).eval()
        first = self.network.features[0][0]
        assert channels == first.in_channels
        with torch.no_grad():
            for name, parameter in self.network.named_parameters():
                values = hash_tensor(timm_name(name), timm_shape(parameter))
                parameter.copy_(values.reshape(parameter.shape))

    def features(self, x):
        network = self.network
        return network.classifier[:2](network.avgpool(network.features(x)))

    def forward(self, x):
        return self.network(x)

    def timm_parameters(self):
        return {timm_name(name): p for name, p in self.network.named_parameters()}


def timm_shape(parameter):
    """torchvision keeps a layer scale as [c, 1, 1]."""
    return (parameter.shape[0],) if parameter.ndim == 3 else tuple(parameter.shape)


def build(arch, images, torchvision=False):
    reference = ConvNeXt(arch, images[3], CLASSES)
    set_hash_weights(reference)
    if timm is not None:
        model = timm.create_model(arch, in_chans=images[3], num_classes=CLASSES).eval()
        set_hash_weights(model)
        check_alike(reference, model, images, "timm")
    if not torchvision:
        return reference
    model = Torchvision(arch, images[3], CLASSES)
    check_alike(reference, model, images, "torchvision")
    return model


def check_alike(reference, model, images, name):
    x = make_images(images, PICTURES).permute(0, 3, 1, 2).double()
    with torch.no_grad():
        ours, theirs = reference.double()(x), model.double()(x)
    error = float((ours - theirs).norm() / theirs.norm())
    print(f"  the reference differs from {name} by {error:.1e}")
    assert error < 1e-12, error


def parameters_of(model):
    return model.timm_parameters() if isinstance(model, Torchvision) else dict(model.named_parameters())


def run(model, images, targets):
    """Everything the golden file is about, as full tensors, in the model's dtype."""
    model.zero_grad(set_to_none=True)
    logits = model(images)
    loss = loss_of(logits, targets)
    loss.backward()
    gradients = {name: p.grad.reshape(timm_shape(p)).clone() for name, p in parameters_of(model).items()}
    return {
        "eval": {
            "logits": {"logits": logits.detach()},
            "features": {"features": model.features(images).detach()},
            "loss": {"loss": loss.detach()},
            "gradients": gradients,
        }
    }


def main():
    for variant in LARGE if "--large" in sys.argv[1:] else VARIANTS:
        images = make_images(variant["images"], PICTURES).permute(0, 3, 1, 2)
        targets = make_targets(variant["images"][0])
        model = build(**variant)
        reference = run(model.double(), images.double(), targets)
        # back to the float32 numbers that the weights were made as
        errors = relative_errors(reference, run(model.float(), images, targets))
        for kind, e in errors.items():
            print(f"  {kind}: float32 is off by {e['worst']:.1e} at {e['at']}, median {e['median']:.1e}")
        content = {
            "arch": variant["arch"],
            "images": variant["images"],
            "pictures": PICTURES,
            "classes": CLASSES,
            "targets": targets,
            "shapes": {name: timm_shape(p) for name, p in parameters_of(model).items()},
            **compact(reference, SAMPLES),
            "float32Error": errors,
        }
        if isinstance(model, Torchvision):
            content["torchvision"] = {name: timm_name(name) for name, _ in model.network.named_parameters()}
        write_json(f"{variant['arch']}.json.gz", content, digits=9)


if __name__ == "__main__":
    main()
