"""PyTorch's counterpart of bench/input-pipeline.ts: the same pictures through the same preprocessing, as batches of a DataLoader.

    /usr/bin/python3 scripts/pytorch/input_pipeline.py FOLDER --size 224 --batch 64 --batches 4 --passes 5 --workers 2

Decodes 8- and 16-bit grey PNGs with OpenCV or PIL, takes the window from percentiles of the same sample of pixels, resizes
with the antialiased triangle filter, and rounds to 8 bits. `cacheFolder` reads the prepared pictures from .npy files. Needs
Debian's python3-torch, python3-opencv and python3-pil. Prints one JSON object.
"""

import argparse
import json
import resource
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy
import torch
from PIL import Image
from torch.nn.functional import interpolate
from torch.utils.data import DataLoader, Dataset

SAMPLE = 2000


def decode(path, library):
    if library == "opencv":
        return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return numpy.asarray(Image.open(path))


def prepare(grey, size):
    """Window, resize and rounding of src/data/images/prepare.ts."""
    height, width = grey.shape
    step = max(1, int((height * width / SAMPLE) ** 0.5))
    low, high = numpy.percentile(grey[step // 2 :: step, step // 2 :: step], (0.5, 99.5))
    values = (torch.from_numpy(grey.astype(numpy.float32)) - float(low)) / float(high - low)
    values = values.clamp_(0, 1)[None, None]
    resized = interpolate(values, size=(size, size), mode="bilinear", antialias=True)[0, 0]
    return (resized * 255).round_().to(torch.uint8)


class Pictures(Dataset):
    """The files in turns."""

    def __init__(self, files, count, size, library):
        self.files, self.count, self.size, self.library = files, count, size, library

    def __len__(self):
        return self.count

    def __getitem__(self, at):
        path = self.files[at % len(self.files)]
        if path.suffix == ".npy":
            return torch.from_numpy(numpy.load(path))
        return prepare(decode(path, self.library), self.size)


def in_worker(_):
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def rates(files, library, chosen):
    count = chosen.batch * chosen.batches
    loader = DataLoader(
        Pictures(files, count, chosen.size, library),
        batch_size=chosen.batch,
        num_workers=chosen.workers,
        worker_init_fn=in_worker,
        persistent_workers=chosen.workers > 0,
    )
    seconds, cpu = [], cpu_seconds()
    for _ in range(chosen.passes + 1):
        start = time.perf_counter()
        for batch in loader:
            assert batch.shape[1:] == (chosen.size, chosen.size) and batch.dtype == torch.uint8
        seconds.append(time.perf_counter() - start)
    # the first pass starts the workers
    per_second = [count / each for each in seconds[1:]]
    spread = {"median": statistics.median(per_second), "min": min(per_second), "max": max(per_second)}
    # the time of workers is counted when they have ended
    del loader
    return {"imagesPerSecond": spread, "cpuMsPerImage": 1000 * (cpu_seconds() - cpu) / (count * len(seconds))}


def cpu_seconds():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--size", type=int, default=224)
    arguments.add_argument("--batch", type=int, default=64)
    arguments.add_argument("--batches", type=int, default=4)
    arguments.add_argument("--passes", type=int, default=5)
    arguments.add_argument("--workers", type=int, default=2)
    chosen = arguments.parse_args()

    torch.set_num_threads(1)
    files = sorted(chosen.folder.rglob("*.png"))
    if not files:
        raise SystemExit(f"{chosen.folder} holds no PNG")
    result = {"images": len(files), **{key: getattr(chosen, key) for key in ("size", "batch", "batches", "passes", "workers")}}
    result["pytorch"] = torch.__version__
    for library in ("opencv", "pil"):
        result[f"decoded by {library}"] = rates(files, library, chosen)
    with tempfile.TemporaryDirectory() as folder:
        prepared = []
        for i, path in enumerate(files):
            prepared.append(Path(folder) / f"{i}.npy")
            numpy.save(prepared[-1], prepare(decode(path, "opencv"), chosen.size).numpy())
        result["cacheFolder"] = rates(prepared, "opencv", chosen)
    print(json.dumps(result, indent=2))


main()
