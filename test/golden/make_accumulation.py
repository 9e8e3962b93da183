"""Steps of SGD whose gradient is added up over three batches, through batch norms -> accumulation.json.gz

torchvision's ResNet-18 with the small stem of make_resnet.py, hashed weights, train mode: three batches of two images go
through one after the other, so batch norms see two images at a time, and their running statistics take each batch in turn.
The loss of all is the mean over the known labels of the six images. Clip-norm 1, lr 0.05, momentum 0.9, four steps on the
same images. float64 is the reference; the same in float32 gives `float32Error`.
"""

import torch
import torch.nn.functional as F
from golden_files import write_json
from golden_model import CLASSES, compact, make_images, make_targets, relative_errors
from make_resnet import build

IMAGES = [6, 17, 23, 1]
BATCHES = 3
STEPS = 4
PICTURES = 10
SAMPLES = 16


def run(net, images, targets):
    net.train()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    all_known = (~torch.isnan(targets)).sum()
    losses, norms = [], []
    for _ in range(STEPS):
        optimizer.zero_grad()
        total = 0.0
        for x, y in zip(images.chunk(BATCHES), targets.chunk(BATCHES)):
            known = ~torch.isnan(y)
            logits = net(x)
            loss = F.binary_cross_entropy_with_logits(logits[known], y[known].to(logits.dtype), reduction="sum") / all_known
            loss.backward()
            total += loss.item()
        losses.append(total)
        norms.append(float(torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)))
        optimizer.step()
    as_tensor = lambda values: torch.tensor(values, dtype=torch.float64)
    return {
        "sgd": {
            "losses": {"losses": as_tensor(losses)},
            "gradientNorms": {"gradientNorms": as_tensor(norms)},
            "parameters": {name: p.detach() for name, p in net.named_parameters()},
            "statistics": {name: b for name, b in net.named_buffers() if b.is_floating_point()},
        }
    }


def main():
    images = make_images(IMAGES, PICTURES).permute(0, 3, 1, 2)
    targets = make_targets(IMAGES[0])
    make = lambda: build("resnet18", "small", IMAGES)
    reference = run(make().double(), images.double(), targets)
    errors = relative_errors(reference, run(make().float(), images, targets))
    for kind, e in errors.items():
        print(f"  {kind}: float32 is off by {e['worst']:.1e} at {e['at']}, median {e['median']:.1e}")
    shapes = {name: list(t.shape) for name, t in make().state_dict().items() if t.is_floating_point()}
    content = {
        "arch": "resnet18",
        "stem": "small",
        "images": IMAGES,
        "pictures": PICTURES,
        "classes": CLASSES,
        "batches": BATCHES,
        "targets": targets,
        "shapes": shapes,
        **compact(reference, SAMPLES),
        "float32Error": errors,
    }
    write_json("accumulation.json.gz", content, digits=9)


if __name__ == "__main__":
    main()
