"""Vision transformers with hashed weights: logits, features, map, loss and every gradient -> vit.json.gz

float64 is the reference. The same in float32 gives `float32Error`: what PyTorch itself reaches on these numbers.

- Weights: hash_weights.py, by timm's names. Images, loss and what is kept of a large tensor: golden_model.py, 4 samples.
- The networks are vit_reference.py's, which is held to timm here where that is installed (made with 1.0.29). DINOv2's are
  narrow, 48 channels in 12 heads.
- `positions`: embeddings of square grids resized to others by torch.nn.functional.interpolate, bicubic with antialiasing.
"""

import torch
from golden_files import write_json
from golden_model import CLASSES, compact, loss_of, make_images, make_targets, relative_errors
from hash_weights import hash_tensor, set_hash_weights
from vit_reference import VisionTransformer

try:
    import timm
    from timm.layers import resample_abs_pos_embed
except ImportError:
    timm = None

SAMPLES = 4
PICTURES = 1

VARIANTS = [
    {"arch": "vit_tiny_patch16_224", "images": [2, 48, 48, 3]},
    {"arch": "vit_tiny_patch16_224", "images": [1, 32, 64, 1], "width": 48},
    {"arch": "vit_base_patch14_dinov2", "images": [2, 42, 28, 1], "width": 48},
    {"arch": "vit_base_patch14_reg4_dinov2", "images": [2, 28, 42, 1], "width": 48},
]

# side of the grid that is there, grid that is wanted, tokens in front
GRIDS = [(4, (7, 7), 1), (7, (4, 3), 1), (5, (2, 9), 0), (14, (3, 3), 5), (3, (3, 4), 1)]


def build(arch, images, width=None):
    model = VisionTransformer(arch, images[1:3], images[3], CLASSES, width)
    set_hash_weights(model)
    if timm is not None:
        sizes = {"embed_dim": width} if width else {}
        other = timm.create_model(arch, img_size=tuple(images[1:3]), in_chans=images[3], num_classes=CLASSES, **sizes)
        assert list(other.state_dict()) == list(model.state_dict())
        set_hash_weights(other)
        x = make_images(images, PICTURES).permute(0, 3, 1, 2).double()
        with torch.no_grad():
            error = float((model.double()(x) - other.double().eval()(x)).norm() / model(x).norm())
        print(f"  the reference of {arch} differs from timm by {error:.1e}")
        assert error < 1e-12, error
    return model


def run(model, images, targets):
    model.zero_grad(set_to_none=True)
    logits = model(images)
    loss = loss_of(logits, targets)
    loss.backward()
    return {
        "eval": {
            "logits": {"logits": logits.detach()},
            "features": {"features": model.features(images).detach()},
            "map": {"last map": model.map(images).detach()},
            "loss": {"loss": loss.detach()},
            "gradients": {name: p.grad.clone() for name, p in model.named_parameters()},
        }
    }


def resized(side, grid, prefix):
    channels = 3
    name = f"positions/{side}"
    embedding = hash_tensor(name, (1, prefix + side * side, channels))
    image = embedding[:, prefix:].reshape(1, side, side, channels).permute(0, 3, 1, 2)
    new = torch.nn.functional.interpolate(image.double(), size=grid, mode="bicubic", antialias=True)
    new = torch.cat([embedding[:, :prefix].double(), new.permute(0, 2, 3, 1).reshape(1, -1, channels)], 1)
    if timm is not None:
        theirs = resample_abs_pos_embed(embedding, list(grid), num_prefix_tokens=prefix)
        assert float((theirs - new).norm() / new.norm()) < 1e-6
    return {
        "name": name,
        "shape": list(embedding.shape),
        "grid": {"prefix": prefix, "rows": grid[0], "columns": grid[1]},
        "expected": new.reshape(-1),
    }


def main():
    networks = []
    for variant in VARIANTS:
        images = make_images(variant["images"], PICTURES).permute(0, 3, 1, 2)
        targets = make_targets(variant["images"][0])
        model = build(**variant)
        reference = run(model.double(), images.double(), targets)
        # back to the float32 numbers that the weights were made as
        errors = relative_errors(reference, run(model.float(), images, targets))
        for kind, e in errors.items():
            print(f"  {kind}: float32 is off by {e['worst']:.1e} at {e['at']}, median {e['median']:.1e}")
        networks.append(
            {
                **variant,
                "pictures": PICTURES,
                "classes": CLASSES,
                "targets": targets,
                "shapes": {name: list(p.shape) for name, p in model.named_parameters()},
                **compact(reference, SAMPLES),
                "float32Error": errors,
            }
        )
    write_json("vit.json.gz", {"networks": networks, "positions": [resized(*case) for case in GRIDS]}, digits=9)


if __name__ == "__main__":
    main()
