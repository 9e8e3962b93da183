"""NIH ChestX-ray14 folders and the preprocessing and augmentation of src/data, written again in numpy.

Data_Entry_2017.csv names the findings, train_val_list.txt and test_list.txt are the official split, images/ holds PNG files.
"""

import csv
import math

import numpy as np
from PIL import Image

CLASSES = [
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Effusion",
    "Emphysema",
    "Fibrosis",
    "Hernia",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pleural_Thickening",
    "Pneumonia",
    "Pneumothorax",
]


def load_nih(folder, preprocessing):
    """Rows of {image, patient, split, labels, grey}: grey is float32 [h, w] in [0, 1]."""
    lists = {}
    for split, name in (("train", "train_val_list.txt"), ("test", "test_list.txt")):
        for image in (folder / name).read_text().split():
            lists[image] = split
    rows = []
    with open(folder / "Data_Entry_2017.csv", newline="") as file:
        for record in csv.DictReader(file):
            findings = set(record["Finding Labels"].split("|")) - {"No Finding"}
            unknown = findings - set(CLASSES)
            if unknown:
                raise SystemExit(f"{record['Image Index']}: unknown findings {sorted(unknown)}")
            image = record["Image Index"]
            rows.append(
                {
                    "image": image,
                    "patient": record["Patient ID"],
                    "split": lists[image],
                    "labels": np.array([c in findings for c in CLASSES], np.float32),
                    "grey": prepare(folder / "images" / image, preprocessing),
                }
            )
    return rows


def prepare(path, preprocessing):
    """Grey values to [0, 1] by the window, then to the network's size."""
    picture = Image.open(path)
    if picture.mode in ("RGB", "RGBA"):
        picture = picture.convert("RGB").getchannel(1)  # grey in content: all channels are alike
    grey = np.asarray(picture.convert("L"), np.float64)
    window = preprocessing["window"]
    low, high = 0.0, 255.0
    if window["kind"] == "percentile":
        step = max(1, math.floor(math.sqrt(grey.size / 2000)))
        sample = grey[step // 2 :: step, step // 2 :: step]
        low, high = np.percentile(sample, [window.get("low", 0.5), window.get("high", 99.5)])
    unit = np.clip((grey - low) / (high - low), 0, 1).astype(np.float32)
    height, width = preprocessing["size"]
    if unit.shape != (height, width):
        unit = np.asarray(Image.fromarray(unit, mode="F").resize((width, height), Image.BILINEAR))
    return unit


def split_by_patient(rows, options, predictions=None):
    """{train, validation, test}: (grey [n, h, w], labels [n, classes]), validation only where something is held out; no
    patient is both trained and validated on."""
    training = [row for row in rows if row["split"] == "train"]
    if predictions is not None:
        with open(predictions, newline="") as file:
            held_out = {record["ImageID"] for record in csv.DictReader(file) if record["split"] == "validation"}
        in_validation = lambda row: row["image"] in held_out
    else:
        patients = sorted({row["patient"] for row in training})
        np.random.default_rng(options["splitSeed"]).shuffle(patients)
        chosen, count = set(), 0
        for patient in patients:
            size = sum(row["patient"] == patient for row in training)
            if count + size <= options["validationFraction"] * len(training):
                chosen.add(patient)
                count += size
        in_validation = lambda row: row["patient"] in chosen
    parts = {
        "train": [row for row in training if not in_validation(row)],
        "validation": [row for row in training if in_validation(row)],
        "test": [row for row in rows if row["split"] == "test"],
    }
    stack = lambda part: (np.stack([r["grey"] for r in part]), np.stack([r["labels"] for r in part]))
    return {name: stack(part) for name, part in parts.items() if part}


def augment(grey, options, random):
    """Changed copies of pictures [n, h, w] in [0, 1], each drawn for itself, as src/data/images/augment.ts does."""
    out = grey.copy()
    if options is False:
        return out
    for picture in out:
        flip = settings(options, "flip", {"p": 0.5})
        if flip and random.random() < flip["p"]:
            picture[:] = picture[:, ::-1].copy()
        affine = settings(options, "affine", {"p": 0.4, "shift": 0.03, "scale": 0.05, "rotate": 7})
        if affine and random.random() < affine["p"]:
            picture[:] = move(picture, affine, random)
        tone = settings(options, "brightnessContrast", {"p": 0.2, "brightness": 0.08, "contrast": 0.08})
        if tone and random.random() < tone["p"]:
            gain = 1 + random.uniform(-tone["contrast"], tone["contrast"])
            offset = random.uniform(-tone["brightness"], tone["brightness"])
            picture[:] = np.clip(picture * gain + offset, 0, 1)
        noise = settings(options, "noise", {"p": 0.15, "variance": [1, 5]})
        if noise and random.random() < noise["p"]:
            deviation = math.sqrt(random.uniform(*noise["variance"])) / 255
            picture[:] = np.clip(picture + random.normal(0, deviation, picture.shape), 0, 1)
        dropout = settings(options, "dropout", {"p": 0.15, "holes": 6, "side": 24 / 512})
        if dropout and random.random() < dropout["p"]:
            punch_holes(picture, dropout, random)
    return out


def settings(options, name, defaults):
    """One augmentation's values over their defaults; False switches it off."""
    given = options[name]
    return False if given is False else {**defaults, **given}


def move(picture, affine, random):
    """Shift, scale and rotation about the centre in one bilinear resampling, 0 outside."""
    height, width = picture.shape
    shift_x = random.uniform(-affine["shift"], affine["shift"]) * width
    shift_y = random.uniform(-affine["shift"], affine["shift"]) * height
    scale = 1 + random.uniform(-affine["scale"], affine["scale"])
    angle = math.radians(random.uniform(-affine["rotate"], affine["rotate"]))
    cos, sin = math.cos(angle) / scale, math.sin(angle) / scale
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    dx = np.arange(width)[None, :] - centre_x - shift_x
    dy = np.arange(height)[:, None] - centre_y - shift_y
    from_x, from_y = centre_x + cos * dx - sin * dy, centre_y + sin * dx + cos * dy
    left, top = np.floor(from_x).astype(int), np.floor(from_y).astype(int)
    fx, fy = from_x - left, from_y - top

    def at(y, x):
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        return np.where(inside, picture[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)], 0)

    above = at(top, left) * (1 - fx) + at(top, left + 1) * fx
    below = at(top + 1, left) * (1 - fx) + at(top + 1, left + 1) * fx
    return above * (1 - fy) + below * fy


def punch_holes(picture, dropout, random):
    height, width = picture.shape
    rows, columns = max(1, round(dropout["side"] * height)), max(1, round(dropout["side"] * width))
    for _ in range(dropout["holes"]):
        top, left = random.integers(height - rows + 1), random.integers(width - columns + 1)
        picture[top : top + rows, left : left + columns] = 0
