"""PyTorch's counterpart of bench/clip-pass.ts: embeds images with a CLIP of random weights on the CPU, in float32.

    /usr/bin/python3 scripts/pytorch/clip_pass.py --model ViT-L-14 --images 20 --batch 4 --passes 3 --threads 2

The network is that of test/golden/clip_reference.py, both towers. Needs Debian's python3-torch. Prints one JSON object.
"""

import argparse
import json
import resource
import statistics
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "test" / "golden"))

from clip_reference import CLIP  # noqa: E402


def published(patch, width, layers, text_width):
    """The sizes of src/models/clip/clip-config.ts."""

    def tower(width, layers):
        return {"width": width, "layers": layers, "heads": width // 64, "hidden": 4 * width}

    return {
        "embedding": text_width,
        "activation": "gelu",
        "image": {"size": [224, 224], "patch": patch, **tower(width, layers)},
        "text": {"context": 77, "vocabulary": 49408, **tower(text_width, 12)},
    }


CLIPS = {
    "ViT-B-32": published(32, 768, 12, 512),
    "ViT-B-16": published(16, 768, 12, 512),
    "ViT-L-14": published(14, 1024, 24, 768),
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--model", choices=CLIPS, default="ViT-L-14")
    arguments.add_argument("--images", type=int, default=20)
    arguments.add_argument("--batch", type=int, default=4)
    arguments.add_argument("--passes", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=2)
    chosen = arguments.parse_args()

    torch.manual_seed(0)
    torch.set_num_threads(chosen.threads)
    config = CLIPS[chosen.model]
    clip = CLIP(config).eval()
    with torch.no_grad():
        for parameter in clip.parameters():
            parameter.normal_(0, 0.02)
        pixels = torch.rand(chosen.images, 3, *config["image"]["size"]) * 2 - 1
        clip.encode_image(pixels[: chosen.batch])
        seconds = []
        for _ in range(chosen.passes):
            start = time.perf_counter()
            embeddings = torch.cat([clip.encode_image(part) for part in pixels.split(chosen.batch)])
            seconds.append(time.perf_counter() - start)
    if not torch.isfinite(embeddings).all():
        raise SystemExit("some embeddings are no numbers: such a pass proves nothing")
    result = {
        "model": chosen.model,
        "images": chosen.images,
        "batch": chosen.batch,
        "pytorch": torch.__version__,
        "threads": chosen.threads,
        "seconds": {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds)},
        # Linux counts in KiB
        "peakRssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(result, indent=2))


main()
