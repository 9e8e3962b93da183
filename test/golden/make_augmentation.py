"""OpenCV's answers (Debian's python3-opencv, 4.6) on changes to training pictures -> augmentation.json.gz.

The pictures come from integer arithmetic that the test repeats, so only the answers are stored: CLAHE of single-channel
pictures; CLAHE as albumentations 1.3 calls it for colour pictures (on L of CIELAB), of grey pictures in three channels;
the curves between grey and L on that way; and the affine resampling of albumentations' shift, scale, rotate. Needs python3-opencv, else the file stays.
"""

import numpy as np
from golden_files import write_json

try:
    import cv2
except ImportError:
    cv2 = None

CLIPS = [1.0, 1.37, 2.0]
TILES = 8
SIDES = [(64, 64), (28, 28), (50, 37), (24, 20), (7, 9)]
LARGE = [(200, 200)]
MOVES = [
    {"shiftX": 0.0, "shiftY": 0.0, "scale": 1.0, "degrees": 7.0},
    {"shiftX": 2.5, "shiftY": 0.0, "scale": 1.0, "degrees": 0.0},
    {"shiftX": 0.0, "shiftY": -1.25, "scale": 1.0, "degrees": 0.0},
    {"shiftX": 0.0, "shiftY": 0.0, "scale": 1.05, "degrees": 0.0},
    {"shiftX": -1.1, "shiftY": 0.7, "scale": 0.95, "degrees": -5.0},
    {"shiftX": 3.0, "shiftY": 2.0, "scale": 1.3, "degrees": 90.0},
]


def smooth(height, width):
    """A slope with a darker half: few levels a tile, counts that are clipped."""
    y, x = np.mgrid[0:height, 0:width]
    return ((y * 150) // height + (x * 70) // width + 20 * (2 * x > width)).astype(np.uint8)


def noisy(height, width):
    y, x = np.mgrid[0:height, 0:width]
    return ((((y * width + x) * 7919 + y * x * 31) % 65536) // 256).astype(np.uint8)


def mixed(height, width):
    """Texture over a slope, as in a radiograph."""
    return (smooth(height, width) // 2 + noisy(height, width) // 5 + 30).astype(np.uint8)


PICTURES = {"smooth": smooth, "noisy": noisy, "mixed": mixed}


def clahe(picture, clip):
    return cv2.createCLAHE(clipLimit=clip, tileGridSize=(TILES, TILES)).apply(picture)


def on_lightness(picture, clip):
    """The colour path. Red and blue may differ from green by one level; green has luma's value."""
    lab = cv2.cvtColor(np.repeat(picture[..., None], 3, 2), cv2.COLOR_RGB2LAB)
    if not (lab[..., 1:] == 128).all():
        raise AssertionError("a grey picture has a colour")
    lab[..., 0] = clahe(lab[..., 0].copy(), clip)
    rgb = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    if (np.abs(rgb.astype(int) - rgb[..., 1:2]) > 1).any():
        raise AssertionError("channels differ by more than one level")
    if (cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) != rgb[..., 1]).any():
        raise AssertionError("luma is not green")
    return rgb[..., 1]


def cases(sides, clips, change, pictures=("smooth", "noisy", "mixed")):
    return [
        {"picture": name, "height": h, "width": w, "clip": clip, "values": change(PICTURES[name](h, w), clip).ravel()}
        for name in pictures
        for h, w in sides
        for clip in clips
    ]


def curves():
    levels = np.arange(256, dtype=np.uint8)[None, :, None]
    neutral = np.full_like(levels, 128)
    there = cv2.cvtColor(np.repeat(levels, 3, 2), cv2.COLOR_RGB2LAB)[0, :, 0]
    back = cv2.cvtColor(np.concatenate([levels, neutral, neutral], 2), cv2.COLOR_LAB2RGB)[0, :, 1]
    return {"there": there, "back": back}


def moved(move):
    """albumentations 1.3's shift_scale_rotate with a black border, on a smooth picture of fractions."""
    height, width = 40, 33
    y, x = np.mgrid[0:height, 0:width]
    picture = (0.5 + 0.25 * np.sin(x / 5) + 0.25 * np.cos(y / 7)).astype(np.float32)
    matrix = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), move["degrees"], move["scale"])
    matrix[0, 2] += move["shiftX"]
    matrix[1, 2] += move["shiftY"]
    out = cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return {**move, "height": height, "width": width, "values": out.ravel()}


def main():
    if cv2 is None:
        print("no cv2 here: augmentation.json.gz stays as it is")
        return
    content = {
        "tiles": TILES,
        "clahe": cases(SIDES, CLIPS, clahe) + cases(LARGE, [1.37], clahe, ["smooth", "mixed"]),
        "lightness": cases([(64, 64), (50, 37)], [1.37], on_lightness)
        + cases(LARGE, [2.0], on_lightness, ["mixed"]),
        "curves": curves(),
        "moves": [moved(move) for move in MOVES],
    }
    write_json("augmentation.json.gz", content, digits=6)


if __name__ == "__main__":
    main()
