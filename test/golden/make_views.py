"""Views of test-time augmentation by torch.nn.functional's interpolate, pad, affine_grid, grid_sample, float64 -> views.json.gz

Sizes are whole numbers, cut off: at 512 pixels ×1.05 is 537 and ×0.95 is 486. A larger picture is cropped in the middle, a
smaller one continued by reflection; of an odd remainder the smaller half stands in front. Turned pictures are turned in pixels: the
matrix, which is of coordinates from -1 to 1, has the ratio of the sides in it. Pictures: golden_model.py.
"""

import math

import torch
from golden_files import write_json
from golden_model import make_images
from torch.nn import functional as F

PICTURES = 3
SHAPES = [[2, 20, 24, 1], [1, 64, 27, 2], [1, 31, 31, 1]]


def scaled(x, factor):
    size = x.shape[-2:]
    resized = [int(factor * side) for side in size]
    y = F.interpolate(x, size=resized, mode="bilinear", align_corners=False)
    if factor > 1:
        top, left = ((large - side) // 2 for large, side in zip(resized, size))
        return y[..., top : top + size[0], left : left + size[1]]
    (top, left) = ((side - small) // 2 for small, side in zip(resized, size))
    bottom, right = size[0] - resized[0] - top, size[1] - resized[1] - left
    return F.pad(y, (left, right, top, bottom), mode="reflect")


def rotated(x, degrees):
    height, width = x.shape[-2:]
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    theta = torch.tensor([[cos, -sin * height / width, 0], [sin * width / height, cos, 0]], dtype=x.dtype)
    grid = F.affine_grid(theta.expand(len(x), 2, 3), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def main():
    cases = []
    for shape in SHAPES:
        x = make_images(shape, PICTURES).permute(0, 3, 1, 2).double()
        views = {
            "larger": scaled(x, 1.05),
            "smaller": scaled(x, 0.95),
            "muchLarger": scaled(x, 1.1),
            "muchSmaller": scaled(x, 0.9),
            "turned": rotated(x, 5),
            "turnedBack": rotated(x, -5),
        }
        cases.append({"shape": shape, **{name: y.permute(0, 2, 3, 1).flatten() for name, y in views.items()}})
    write_json("views.json.gz", cases, digits=7)


if __name__ == "__main__":
    main()
