"""Parameter groups: AdamW steps with a frozen part -> frozen-steps.json.gz; timm's own groups -> timm-groups.json.gz

- Steps: torchvision's ResNet-18 with small stem, hashed weights and images as in make_resnet.py, train mode, the same
  batch FROZEN_STEPS times. Stem and layer1 take no gradient; the rest of the backbone has a tenth of the rate and weight
  decay 0.01, the head the whole rate and 0.05; norms and biases are not decayed; clip-norm 1. In the case `norms: held` the
  frozen batch norms are in eval mode, in `norms: followed` they are not. float64, with what float32 misses.
- Groups: `lr_scale` and `weight_decay` that timm's param_groups_layer_decay (layer_decay 0.8, weight_decay 0.05) gives each
  parameter, in the order of the state dict. Needs timm (made with 1.0.29), else the file stays as it is.
"""

import copy

import torch
from golden_files import write_json
from golden_model import CLASSES, compact, loss_of, make_images, make_targets, relative_errors
from make_resnet import SAMPLES, VARIANTS, build

try:
    import timm
    from timm.optim import param_groups_layer_decay
except ImportError:
    timm = None

FROZEN = ("conv1.", "bn1.", "layer1.")
FROZEN_STEPS = 5
GROUPED = ["resnet18", "resnet50", "resnet34d", "convnext_tiny", "convnext_atto_ols", "convnextv2_atto", "densenet121", "vit_tiny_patch16_224"]


def steps(net, images, targets, norms):
    net = copy.deepcopy(net).train()
    groups = {}
    for name, parameter in net.named_parameters():
        if name.startswith(FROZEN):
            parameter.requires_grad_(False)
            continue
        head = name.startswith("fc.")
        decay = 0.0 if parameter.ndim == 1 else 0.05 if head else 0.01
        groups.setdefault((1e-3 if head else 1e-4, decay), []).append(parameter)
    for name, module in net.named_modules():
        if norms == "held" and isinstance(module, torch.nn.BatchNorm2d) and f"{name}.".startswith(FROZEN):
            module.eval()
    optimizer = torch.optim.AdamW(
        [{"params": p, "lr": lr, "weight_decay": decay} for (lr, decay), p in groups.items()], eps=1e-8
    )
    losses, gradient_norms = [], []
    for _ in range(FROZEN_STEPS):
        optimizer.zero_grad()
        loss = loss_of(net(images), targets)
        loss.backward()
        losses.append(loss.item())
        gradient_norms.append(float(torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)))
        optimizer.step()
    return {
        norms: {
            "losses": {"losses": torch.tensor(losses, dtype=torch.float64)},
            "gradientNorms": {"gradientNorms": torch.tensor(gradient_norms, dtype=torch.float64)},
            "parameters": {name: p.detach() for name, p in net.named_parameters()},
            "runningStatistics": {name: b for name, b in net.named_buffers() if b.is_floating_point()},
        }
    }


def write_steps():
    variant = VARIANTS[0]
    images = make_images(variant["images"], variant["pictures"]).permute(0, 3, 1, 2)
    targets = make_targets(variant["images"][0])
    model = build(**variant)
    run = lambda net, x: {k: v for norms in ("held", "followed") for k, v in steps(net, x, targets, norms).items()}
    reference = run(model.double(), images.double())
    errors = relative_errors(reference, run(model.float(), images))
    for kind, e in errors.items():
        print(f"  {kind}: float32 is off by {e['worst']:.1e} at {e['at']}, median {e['median']:.1e}")
    content = {
        **{key: variant[key] for key in ("arch", "stem", "images", "pictures")},
        "classes": CLASSES,
        "targets": targets,
        "shapes": {name: list(t.shape) for name, t in model.state_dict().items() if t.is_floating_point()},
        **compact(reference, SAMPLES),
        "float32Error": errors,
    }
    write_json("frozen-steps.json.gz", content, digits=10)


def write_groups():
    if timm is None:
        print("no timm here: timm-groups.json.gz stays as it is")
        return
    content = {}
    for arch in GROUPED:
        model = timm.create_model(arch)
        # as timm's own optimizer factory passes it
        no_decay = model.no_weight_decay() if hasattr(model, "no_weight_decay") else ()
        groups = param_groups_layer_decay(
            model, weight_decay=0.05, layer_decay=0.8, no_weight_decay_list=no_decay
        )
        settings = {id(p): (g["lr_scale"], g["weight_decay"]) for g in groups for p in g["params"]}
        content[arch] = {name: settings[id(p)] for name, p in model.named_parameters()}
    write_json("timm-groups.json.gz", {"timm": timm.__version__, "architectures": content}, digits=12)


def main():
    write_steps()
    write_groups()


if __name__ == "__main__":
    main()
