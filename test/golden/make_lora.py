"""LoRA (Hu et al., arXiv 2106.09685) in a narrow vision transformer -> lora.json.gz

- The network is vit_reference.py's, 24 channels, with linear layers replaced by `LoraLinear` below: those of RANKS, by the
  end of their names. Names are PEFT's. All weights are hashed (hash_weights.py), B's too, so that every factor matters.
- `eval`: logits, and the gradients of what is trained: adapters and head.
- `steps`: AdamW, the same batch STEPS times, adapters with a rate of 5e-4 and weight decay 0.02, the head with 1e-3 and
  0.05, its bias without decay; clip-norm 1; nothing else changes.
- `merged`: logits of the plain network with weight + alpha / rank * B @ A, after the steps.

float64 is the reference. The same in float32 gives `float32Error`.
"""

import torch
from golden_files import write_json
from golden_model import CLASSES, compact, loss_of, make_images, make_targets, relative_errors
from hash_weights import set_hash_weights
from torch import nn
from vit_reference import VisionTransformer

ARCH = "vit_tiny_patch16_224"
WIDTH = 24
IMAGES = [3, 32, 48, 1]
PICTURES = 1
SAMPLES = 8
STEPS = 4
# rank and alpha
RANKS = {"attn.qkv": (4, 6), "mlp.fc1": (2, 8)}


class LoraLinear(nn.Linear):
    def __init__(self, inputs, outputs, rank, alpha):
        super().__init__(inputs, outputs)
        self.scale = alpha / rank
        self.lora_A = nn.Linear(inputs, rank, bias=False)
        self.lora_B = nn.Linear(rank, outputs, bias=False)

    def forward(self, x):
        return super().forward(x) + self.lora_B(self.lora_A(x)) * self.scale


def build():
    model = VisionTransformer(ARCH, IMAGES[1:3], IMAGES[3], CLASSES, WIDTH)
    for name, module in list(model.named_modules()):
        for end, (rank, alpha) in RANKS.items():
            if name.endswith(end):
                parent, _, own = name.rpartition(".")
                layer = LoraLinear(module.in_features, module.out_features, rank, alpha)
                setattr(model.get_submodule(parent), own, layer)
    set_hash_weights(model)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("lora_" in name or name.startswith("head."))
    return model


def merged(model):
    plain = VisionTransformer(ARCH, IMAGES[1:3], IMAGES[3], CLASSES, WIDTH).to(next(model.parameters()).dtype)
    state = {name: tensor for name, tensor in model.state_dict().items() if "lora_" not in name}
    for name, module in model.named_modules():
        if isinstance(module, LoraLinear):
            state[f"{name}.weight"] = module.weight + module.scale * module.lora_B.weight @ module.lora_A.weight
    plain.load_state_dict(state)
    return plain


def run(model, images, targets):
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    logits = model(images)
    loss = loss_of(logits, targets)
    loss.backward()
    result = {
        "eval": {
            "logits": {"logits": logits.detach()},
            "loss": {"loss": loss.detach()},
            "gradients": {name: p.grad.clone() for name, p in trained.items()},
        }
    }
    with_names = lambda test: [p for name, p in trained.items() if test(name)]
    optimizer = torch.optim.AdamW(
        [
            {"params": with_names(lambda name: "lora_" in name), "lr": 5e-4, "weight_decay": 0.02},
            {"params": with_names(lambda name: name == "head.weight"), "lr": 1e-3, "weight_decay": 0.05},
            {"params": with_names(lambda name: name == "head.bias"), "lr": 1e-3, "weight_decay": 0.0},
        ],
        eps=1e-8,
    )
    losses, gradient_norms = [], []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(model(images), targets)
        loss.backward()
        losses.append(loss.item())
        gradient_norms.append(float(torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)))
        optimizer.step()
    with torch.no_grad():
        after, plain = model(images), merged(model)(images)
    difference = float((after - plain).norm() / after.norm())
    print(f"  merged logits differ from unmerged ones by {difference:.1e}")
    assert difference < 1e-5
    result["steps"] = {
        "losses": {"losses": torch.tensor(losses, dtype=torch.float64)},
        "gradientNorms": {"gradientNorms": torch.tensor(gradient_norms, dtype=torch.float64)},
        "parameters": {name: p.detach().clone() for name, p in trained.items()},
        "merged": {"merged": plain},
    }
    return result


def main():
    images = make_images(IMAGES, PICTURES).permute(0, 3, 1, 2)
    targets = make_targets(IMAGES[0])
    reference = run(build().double(), images.double(), targets)
    model = build()
    shapes = {name: list(p.shape) for name, p in model.named_parameters()}
    errors = relative_errors(reference, run(model, images, targets))
    for kind, e in errors.items():
        print(f"  {kind}: float32 is off by {e['worst']:.1e} at {e['at']}, median {e['median']:.1e}")
    content = {
        "arch": ARCH,
        "width": WIDTH,
        "images": IMAGES,
        "pictures": PICTURES,
        "classes": CLASSES,
        "targets": targets,
        "shapes": shapes,
        "ranks": {end: {"rank": rank, "alpha": alpha} for end, (rank, alpha) in RANKS.items()},
        **compact(reference, SAMPLES),
        "float32Error": errors,
    }
    write_json("lora.json.gz", content, digits=9)


if __name__ == "__main__":
    main()
