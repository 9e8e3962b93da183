"""CLIPs with hashed weights: embeddings of pictures and of token sequences -> clip.json.gz

The three published shapes give embeddings, of normalised pictures in colour and of 16-bit grey ones that CLIP's mean and
deviation are applied to; a small one all gradients of Σ images·texts, and embeddings of grey pictures of other sizes, too. float64 is the reference;
`float32Error` is what PyTorch itself reaches in float32. Weights: hash_weights.py, by open_clip's names. The large shapes
take a minute and 6 GB; `--small` leaves them as they are in the file.
"""

import copy
import gzip
import json
import sys

import numpy as np
import torch
from clip_reference import CLIP
from golden_files import HERE, write_json
from golden_model import digest, make_images, make_pixels
from hash_weights import lowbias32, set_hash_weights
from torch.nn import functional as F

SAMPLES = 4
# sides of pictures that the small one is given besides: more patches than it was made for, and fewer
OTHER_SIZES = [80, 32]
NAME = "clip.json.gz"
# of the pictures that OpenAI's CLIPs were trained on, by channel
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073], dtype=torch.float64)
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711], dtype=torch.float64)


def published(patch, width, layers, text_width, activation="gelu"):
    return {
        "embedding": text_width,
        "activation": activation,
        "image": {
            "size": [224, 224],
            "patch": patch,
            "width": width,
            "layers": layers,
            "heads": width // 64,
            "hidden": 4 * width,
        },
        "text": {
            "context": 77,
            "vocabulary": 49408,
            "width": text_width,
            "layers": 12,
            "heads": text_width // 64,
            "hidden": 4 * text_width,
        },
    }


SMALL = {
    "embedding": 24,
    "activation": "quick_gelu",
    "image": {"size": [48, 32], "patch": 16, "width": 32, "layers": 2, "heads": 2, "hidden": 80},
    "text": {"context": 11, "vocabulary": 97, "width": 40, "layers": 2, "heads": 5, "hidden": 64},
}

CASES = {
    "small": {"config": SMALL, "images": 3, "texts": 4},
    "ViT-B-32": {"config": published(32, 768, 12, 512), "images": 2, "texts": 2},
    "ViT-B-16": {"config": published(16, 768, 12, 512, "quick_gelu"), "images": 1, "texts": 1},
    "ViT-L-14": {"config": published(14, 1024, 24, 768), "images": 1, "texts": 2},
}


def make_tokens(texts, context, vocabulary):
    """Start, hashed tokens, end (the largest number), padding of zeros; the lengths differ."""
    tokens = np.zeros((texts, context), dtype=np.int64)
    for t in range(texts):
        length = context if t == 0 else 3 + (5 * t) % (context - 3)
        numbers = lowbias32(np.arange(length, dtype=np.uint32) + np.uint32(1000 * t))
        tokens[t, :length] = numbers % np.uint32(vocabulary - 2)
        tokens[t, 0] = vocabulary - 2
        tokens[t, length - 1] = vocabulary - 1
    return torch.tensor(tokens)


def run(model, images, tokens, gradients):
    model.zero_grad(set_to_none=True)
    with torch.set_grad_enabled(gradients):
        pictures, texts = model.encode_image(images), model.encode_text(tokens)
    result = {"images": pictures.detach(), "texts": texts.detach()}
    if gradients:
        (pictures @ texts.T).square().sum().backward()
        result["gradients"] = {name: p.grad.clone() for name, p in model.named_parameters()}
    return result


def grey_pictures(shape):
    """float64 [n, 3, h, w]: 16-bit grey values, 0 to 1, in every channel, normalised."""
    grey = make_pixels(shape, 1).double()[..., None] / 65535
    return ((grey - MEAN) / STD).permute(0, 3, 1, 2)


def error(a, b):
    return float((a.double() - b.double()).norm() / b.double().norm())


def at_size(model, config, side, images):
    """Embeddings of square pictures of another size: positions resized, bicubic with antialiasing, the class token's kept."""
    image = config["image"]
    patch, width = image["patch"], image["width"]
    visual = copy.deepcopy(model).double().visual
    positions = visual.positional_embedding.data
    grid = positions[1:].reshape(1, image["size"][0] // patch, image["size"][1] // patch, width).permute(0, 3, 1, 2)
    new = F.interpolate(grid, size=(side // patch,) * 2, mode="bicubic", antialias=True, align_corners=False)
    visual.positional_embedding.data = torch.cat([positions[:1], new.permute(0, 2, 3, 1).reshape(-1, width)])
    with torch.no_grad():
        return {"size": side, "grey": F.normalize(visual(grey_pictures([images, side, side])), dim=-1)}


def make(name, config, images, texts):
    image = config["image"]
    pictures = make_images([images, *image["size"], 3], 1).permute(0, 3, 1, 2)
    tokens = make_tokens(texts, config["text"]["context"], config["text"]["vocabulary"])
    model = CLIP(config).eval()
    set_hash_weights(model)
    gradients = name == "small"
    single = run(model, pictures, tokens, gradients)
    reference = run(model.double(), pictures.double(), tokens, gradients)
    with torch.no_grad():
        grey = model.encode_image(grey_pictures([images, *image["size"]]))
    errors = {kind: error(single[kind], reference[kind]) for kind in ("images", "texts")}
    print(f"  {name}: float32 is off by {errors}")
    return {
        "config": config,
        "shapes": {key: list(p.shape) for key, p in model.named_parameters()},
        "tokens": tokens,
        "images": reference["images"],
        "grey": grey,
        "texts": reference["texts"],
        "float32Error": errors,
        **(
            {
                "gradients": {key: digest(key, g, SAMPLES) for key, g in reference["gradients"].items()},
                "otherSizes": [at_size(model, config, side, images) for side in OTHER_SIZES],
            }
            if gradients
            else {}
        ),
    }


def main():
    cases = {"small": CASES["small"]} if "--small" in sys.argv[1:] else CASES
    content = json.loads(gzip.decompress((HERE / NAME).read_bytes())) if (HERE / NAME).exists() else {}
    for name, case in cases.items():
        content[name] = make(name, **case)
    write_json(NAME, content, digits=9)


if __name__ == "__main__":
    main()
