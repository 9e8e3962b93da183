"""torchvision's ResNets with hashed weights: logits, loss, gradients, running statistics and, of some, ten AdamW steps
-> resnet18-small.json.gz, resnet18.json.gz, resnet50.json.gz, resnet101.json.gz, resnet152.json.gz, resnet18d.json.gz,
resnet50d.json.gz

float64 is the reference. The same in float32 gives `float32Error`: what PyTorch itself reaches on these numbers.

- Weights: hash_weights.py. Images, loss and what is kept of a large tensor: golden_model.py, 24 samples, or 4 without steps.
- A gradient jumps where a ReLU's input is 0 or a max pool's two largest values are equal, so numbers so close to that that
  rounding decides would make any comparison meaningless. Of many images, `--search` finds those that stay away from it
  (`margin`, relative to the layer's root mean square); VARIANTS names them.
- ResNet-D, which torchvision has not: its networks with the stem and the projections of arXiv 1812.01187, named and padded
  as in timm, and held to timm where it is there.
- Small stem: conv1 3x3, stride 1, padding 1, and no max pooling.
- AdamW: train mode, the same batch ten times, lr 1e-3, betas (.9, .999), eps 1e-8, clip-norm 1, weight decay 0.05 on
  convolutions and the classifier's matrix, none on batch norm and biases. losses[k] is the loss before step k.
"""

import copy
import math
import sys

import torch
import torch.nn.functional as F
import torchvision
from golden_files import write_json
from golden_model import CLASSES, compact, loss_of, make_images, make_targets, relative_errors
from hash_weights import set_hash_weights

try:
    import timm
except ImportError:
    timm = None

SAMPLES = 24
FEW_SAMPLES = 4
STEPS = 10

VARIANTS = [
    {"file": "resnet18-small.json.gz", "arch": "resnet18", "stem": "small", "images": [3, 17, 23, 1], "pictures": 10},
    {"file": "resnet18.json.gz", "arch": "resnet18", "stem": "imagenet", "images": [2, 65, 49, 3], "pictures": 10},
    {"file": "resnet50.json.gz", "arch": "resnet50", "stem": "imagenet", "images": [2, 49, 33, 3], "pictures": 57},
    {"file": "resnet101.json.gz", "arch": "resnet101", "stem": "imagenet", "images": [2, 33, 49, 3], "pictures": 40},
    {"file": "resnet152.json.gz", "arch": "resnet152", "stem": "imagenet", "images": [2, 33, 33, 3], "pictures": 113},
    {"file": "resnet18d.json.gz", "arch": "resnet18d", "stem": "deep", "images": [1, 97, 131, 3], "pictures": 106},
    {"file": "resnet50d.json.gz", "arch": "resnet50d", "stem": "deep", "images": [2, 49, 33, 3], "pictures": 57},
]
WITH_STEPS = ["resnet18-small.json.gz", "resnet18.json.gz", "resnet50.json.gz"]


def build(arch, stem, images, **_):
    model = getattr(torchvision.models, arch.removesuffix("d"))(num_classes=CLASSES)
    if arch.endswith("d"):
        to_d(model, images[3])
        set_hash_weights(model)
        check_timm(model, arch, images)
        return model
    kernel, stride = (3, 1) if stem == "small" else (7, 2)
    model.conv1 = torch.nn.Conv2d(images[3], 64, kernel, stride, kernel // 2, bias=False)
    if stem == "small":
        model.maxpool = torch.nn.Identity()
    set_hash_weights(model)
    return model


def to_d(model, channels):
    """Figure 2 of arXiv 1812.01187: model tweaks B (there already), C and D."""
    conv = lambda i, o, stride=1: torch.nn.Conv2d(i, o, 3, stride, 1, bias=False)
    norm = torch.nn.BatchNorm2d
    relu = lambda: torch.nn.ReLU(inplace=True)
    model.conv1 = torch.nn.Sequential(
        conv(channels, 32, 2), norm(32), relu(), conv(32, 32), norm(32), relu(), conv(32, 64)
    )
    for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
        if stage[0].downsample is None:
            continue
        projection, last = stage[0].downsample
        pool = torch.nn.Identity()
        if projection.stride != (1, 1):
            pool = torch.nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False)
        projection = torch.nn.Conv2d(projection.in_channels, projection.out_channels, 1, bias=False)
        stage[0].downsample = torch.nn.Sequential(pool, projection, last)


def check_timm(model, arch, images):
    if timm is None:
        return
    other = timm.create_model(arch, in_chans=images[3], num_classes=CLASSES)
    set_hash_weights(other)
    x = make_images(images, 0).permute(0, 3, 1, 2).double()
    with torch.no_grad():
        ours, theirs = copy.deepcopy(model).double().eval()(x), other.double().eval()(x)
    error = float((ours - theirs).norm() / theirs.norm())
    print(f"  the reference of {arch} differs from timm by {error:.1e}")
    assert error < 1e-12, error


def margin(model, images, enough=0.0):
    """How near rounding comes to deciding a ReLU or a max pool, in train or eval mode; stops below `enough`."""
    smallest = math.inf

    def note(values, scale):
        nonlocal smallest
        smallest = min(smallest, float(values.min() / scale.square().mean().sqrt()))
        if smallest < enough:
            raise StopIteration

    def relu(_, inputs):
        note(inputs[0].abs(), inputs[0])

    def max_pool(_, inputs):
        n, c = inputs[0].shape[:2]
        windows = F.unfold(F.pad(inputs[0], (1, 1, 1, 1), value=-math.inf), 3, stride=2).reshape(n, c, 9, -1)
        first, second = windows.topk(2, 2).values.unbind(2)
        note((first - second)[first > 0], inputs[0])  # where all are 0, no gradient passes the ReLU before

    hooks = {torch.nn.ReLU: relu, torch.nn.MaxPool2d: max_pool}
    for training in (True, False):
        net = copy.deepcopy(model).train(training)
        for module in net.modules():
            if type(module) in hooks:
                module.register_forward_pre_hook(hooks[type(module)])
        try:
            with torch.no_grad():
                net(images)
        except StopIteration:
            break
    return smallest


def search(tries, files):
    for variant in VARIANTS:
        if files and variant["file"] not in files:
            continue
        model = build(**variant).double()
        best = (0.0, 0)
        for number in range(tries):
            images = make_images(variant["images"], number).permute(0, 3, 1, 2).double()
            best = max(best, (margin(model, images, enough=best[0]), number))
        print(f"{variant['file']}: pictures {best[1]} keep a margin of {best[0]:.1e}")


def run(model, images, targets, steps):
    """Everything the golden file is about, as full tensors, in the model's dtype."""
    result = {}
    for mode in ("eval", "train"):
        net = copy.deepcopy(model).train(mode == "train")
        logits = net(images)
        loss = loss_of(logits, targets)
        loss.backward()
        result[mode] = {
            "logits": {"logits": logits.detach()},
            "loss": {"loss": loss.detach()},
            "gradients": {name: p.grad for name, p in net.named_parameters()},
        }
        if mode == "train":
            buffers = {name: b for name, b in net.named_buffers() if b.is_floating_point()}
            result[mode]["runningStatistics"] = buffers
    if steps:
        result["adamw"] = adamw_steps(copy.deepcopy(model).train(), images, targets)
    return result


def adamw_steps(net, images, targets):
    matrices = [p for p in net.parameters() if p.ndim > 1]
    vectors = [p for p in net.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
    losses, norms = [], []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(net(images), targets)
        loss.backward()
        losses.append(loss.item())
        norms.append(float(torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)))
        optimizer.step()
    return {
        "losses": {"losses": torch.tensor(losses, dtype=torch.float64)},
        "gradientNorms": {"gradientNorms": torch.tensor(norms, dtype=torch.float64)},
        "parameters": {name: p.detach() for name, p in net.named_parameters()},
    }


def main():
    for variant in VARIANTS:
        images = make_images(variant["images"], variant["pictures"]).permute(0, 3, 1, 2)
        targets = make_targets(variant["images"][0])
        model = build(**variant)
        steps = variant["file"] in WITH_STEPS
        reference = run(model.double(), images.double(), targets, steps)
        errors = relative_errors(reference, run(model.float(), images, targets, steps))
        for kind, e in errors.items():
            print(f"  {kind}: float32 is off by {e['worst']:.1e} at {e['at']}, median {e['median']:.1e}")
        content = {
            **{key: variant[key] for key in ("arch", "stem", "images", "pictures")},
            "classes": CLASSES,
            "margin": margin(model.double(), images.double()),
            "targets": targets,
            "shapes": {name: list(t.shape) for name, t in model.state_dict().items() if t.is_floating_point()},
            **compact(reference, SAMPLES if steps else FEW_SAMPLES),
            "float32Error": errors,
        }
        write_json(variant["file"], content, digits=10)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--search"]:
        search(int(sys.argv[2]), sys.argv[3:])
    else:
        main()
