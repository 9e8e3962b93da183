"""PyTorch's counterpart of a tailray run on an NIH ChestX-ray14 folder, for an honest comparison on the same CPU.

    /usr/bin/python3 scripts/pytorch/train_nih1000.py --recipe recipes/nih1000.yaml --data DIR --seeds 0 1 2

Reads the same recipe and does the same: network (nih_resnet.py), data and augmentation (nih_data.py), optimizer, schedule,
moving average, choice of the best epoch by validation mAP, metrics on the official test list. The seeds number the runs;
the random numbers behind them are PyTorch's own. `--split-from` takes the validation images from a tailray run's
predictions.csv, so that both train on the same pictures. A recipe field that is not mirrored here is an error.

Needs Debian's python3-torch, python3-sklearn, python3-pil and python3-yaml. Prints one JSON object.
"""

import argparse
import copy
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import yaml
from nih_data import CLASSES, augment, load_nih, split_by_patient
from nih_resnet import build_resnet
from scipy.stats import t as student
from sklearn.metrics import average_precision_score, roc_auc_score

DEFAULTS = {
    "data": {"validationFraction": 0.1, "splitSeed": 42},
    "preprocessing": {"size": [64, 64], "channels": 1, "bits": 16, "window": {"kind": "percentile"}, "mean": [0.5], "std": [0.25]},
    "augment": {"flip": {}, "affine": {}, "clahe": {}, "brightnessContrast": {}, "noise": {}, "dropout": {}, "mixup": False, "cutmix": False},
    "model": {"arch": "resnet18", "stem": "imagenet", "width": 64, "head": "linear", "dropRate": 0},
    "loss": {"name": "bce"},
    "optimizer": {"name": "adamw", "lr": 1e-3, "weightDecay": 0.01, "clipNorm": 1, "betas": [0.9, 0.999], "eps": 1e-8},
    "schedule": {"epochs": 10, "kind": "cosine", "warmupEpochs": 0, "floor": 0.01},
    "ema": {"decay": 0.9999, "warmup": True},
}
# Without a default here: how files are read and cached, how a split is drawn (see --split-from), a loss's parameters.
ALSO_KNOWN = {"data": {"path", "images", "layout", "stratify", "cacheMiB"}, "loss": {"gammaNeg", "gammaPos", "margin"}}
ASL = {"gammaNeg": 4, "gammaPos": 1, "margin": 0.05}


def read_recipe(path, overrides):
    given = yaml.safe_load(Path(path).read_text()) or {}
    for text in overrides:
        key, value = text.split("=", 1)
        *parents, last = key.split(".")
        place = given
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = yaml.safe_load(value)
    recipe = {"batchSize": given.pop("batchSize", 32)}
    for section, defaults in DEFAULTS.items():
        value = given.pop(section, {})
        known = {*defaults, *ALSO_KNOWN.get(section, ())}
        unknown = sorted(set(value or ()) - known)
        require(not unknown, f"{path}: {section} has {unknown}, not mirrored here")
        recipe[section] = value if value is False else {**defaults, **value}
    require(not given, f"{path}: {sorted(given)} is not mirrored here")
    require(recipe["model"]["head"] == "linear" and recipe["model"]["dropRate"] == 0, "only the plain linear head")
    require(recipe["optimizer"]["name"] == "adamw", "only AdamW")
    require(recipe["preprocessing"]["channels"] == 1, "only one channel")
    require(recipe["preprocessing"]["bits"] == 16, "only pictures of 16 bits")
    changes = recipe["augment"] or {}
    for change in ("clahe", "mixup", "cutmix"):
        require(changes.get(change, False) is False, f"augment.{change} must be false")
    require(recipe["loss"]["name"] in ("bce", "asl"), "only the losses bce and asl")
    return recipe


def require(condition, message):
    if not condition:
        raise SystemExit(message)


def loss_of(logits, targets, loss):
    """Mean over known targets, in the stable logit form."""
    known = ~torch.isnan(targets)
    x, y = logits[known], targets[known]
    if loss["name"] == "bce":
        return F.binary_cross_entropy_with_logits(x, y)
    gamma_neg, gamma_pos, margin = ({**ASL, **loss}[key] for key in ("gammaNeg", "gammaPos", "margin"))
    kept = torch.clamp(torch.sigmoid(-x) + margin, max=1)
    positive = torch.sigmoid(-x) ** gamma_pos * F.logsigmoid(x)
    negative = (1 - kept) ** gamma_neg * torch.log(torch.clamp(kept, min=1e-8))
    return -(y * positive + (1 - y) * negative).mean()


def rate_factor(step, total, warmup, schedule):
    if step < warmup:
        return (step + 1) / warmup
    if schedule["kind"] == "constant":
        return 1.0
    progress = min(1.0, (step - warmup) / max(1, total - warmup))
    return schedule["floor"] + (1 - schedule["floor"]) * 0.5 * (1 + math.cos(math.pi * progress))


def follow(average, net, decay):
    """Moves every floating-point tensor of `average`, batch norm's statistics included, towards the net's."""
    with torch.no_grad():
        for mean, value in zip(average.state_dict().values(), net.state_dict().values()):
            if value.is_floating_point():
                mean.lerp_(value, 1 - decay)


def predict(net, images):
    net.eval()
    with torch.no_grad():
        return torch.cat([torch.sigmoid(net(batch)) for batch in images.split(64)]).numpy()


def score(probabilities, targets):
    """Per class and macro: mAP over classes with positives, AUROC over classes with both outcomes."""
    per_class = {}
    for c, name in enumerate(CLASSES):
        y = targets[:, c]
        ap = average_precision_score(y, probabilities[:, c]) if y.any() else None
        auroc = roc_auc_score(y, probabilities[:, c]) if 0 < y.sum() < len(y) else None
        per_class[name] = {"positives": int(y.sum()), "ap": ap, "auroc": auroc}
    mean = lambda key: float(np.mean([row[key] for row in per_class.values() if row[key] is not None]))
    return {"mAP": mean("ap"), "auroc": mean("auroc"), "perClass": per_class}


def train(recipe, parts, seed, log):
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    began = time.perf_counter()
    images, targets = parts["train"]
    norm = recipe["preprocessing"]
    normalise = lambda grey: (torch.from_numpy(grey)[:, None] - norm["mean"][0]) / norm["std"][0]
    held_out = {name: normalise(part[0]) for name, part in parts.items() if name != "train"}
    net = build_resnet(recipe["model"], len(CLASSES))
    average = copy.deepcopy(net)
    optimizer = make_optimizer(net, recipe["optimizer"])
    schedule, ema, batch = recipe["schedule"], recipe["ema"], recipe["batchSize"]
    per_epoch = len(images) // batch
    total, warmup = schedule["epochs"] * per_epoch, round(schedule["warmupEpochs"] * per_epoch)
    step, best = 0, None
    for epoch in range(schedule["epochs"]):
        net.train()
        order = random.permutation(len(images))
        losses = []
        for chosen in order[: per_epoch * batch].reshape(per_epoch, batch):
            for group in optimizer.param_groups:
                group["lr"] = recipe["optimizer"]["lr"] * rate_factor(step, total, warmup, schedule)
            x = normalise(augment(images[chosen], recipe["augment"], random))
            loss = loss_of(net(x), torch.from_numpy(targets[chosen]), recipe["loss"])
            optimizer.zero_grad()
            loss.backward()
            if recipe["optimizer"]["clipNorm"]:
                torch.nn.utils.clip_grad_norm_(net.parameters(), recipe["optimizer"]["clipNorm"])
            optimizer.step()
            if ema:
                warm = 1 - (1 + step) ** (-2 / 3) if ema["warmup"] else 1.0
                follow(average, net, min(ema["decay"], warm))
            losses.append(loss.item())
            step += 1
        judged = average if ema else net
        validation = None
        if "validation" in parts:
            validation = score(predict(judged, held_out["validation"]), parts["validation"][1])["mAP"]
        if best is None or validation is None or validation > best["mAP"]:
            best = {"mAP": validation, "epoch": epoch, "net": copy.deepcopy(judged)}
        log(f"seed {seed} epoch {epoch + 1}: loss {np.mean(losses):.4f}, validation mAP {validation}")
    test = score(predict(best["net"], held_out["test"]), parts["test"][1])
    last = score(predict(judged, held_out["test"]), parts["test"][1])
    return {
        "seed": seed,
        "testAuroc": test["auroc"],
        "testMap": test["mAP"],
        "bestEpoch": best["epoch"] + 1,
        "lastEpoch": {"testAuroc": last["auroc"], "testMap": last["mAP"]},
        "finalLoss": float(np.mean(losses)),
        "seconds": time.perf_counter() - began,
        "perClass": test["perClass"],
    }


def make_optimizer(net, options):
    """Weight decay on matrices and filters only."""
    groups = [
        {"params": [p for p in net.parameters() if p.ndim > 1], "weight_decay": options["weightDecay"]},
        {"params": [p for p in net.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=options["lr"], betas=tuple(options["betas"]), eps=options["eps"])


def interval(values):
    """Mean and 95 % interval of the mean over runs (Student's t)."""
    mean, n = float(np.mean(values)), len(values)
    half = float(student.ppf(0.975, n - 1) * np.std(values, ddof=1) / math.sqrt(n)) if n > 1 else None
    return {"mean": mean, "low": mean - half, "high": mean + half} if n > 1 else {"mean": mean}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--data", required=True, help="folder with Data_Entry_2017.csv, the two lists and images/")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="as tailray's --set")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--split-from", help="a tailray run's predictions.csv: its validation images are held out")
    parser.add_argument("--out", help="JSON file; printed where absent")
    parser.add_argument("--quiet", action="store_true")
    arguments = parser.parse_args()
    recipe = read_recipe(arguments.recipe, arguments.set)
    data = load_nih(Path(arguments.data), recipe["preprocessing"])
    parts = split_by_patient(data, recipe["data"], arguments.split_from)
    log = (lambda text: None) if arguments.quiet else (lambda text: print(text, flush=True))
    runs = [train(recipe, parts, seed, log) for seed in arguments.seeds]
    result = {
        "images": {name: len(part[0]) for name, part in parts.items()},
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "testAuroc": interval([run["testAuroc"] for run in runs]),
        "testMap": interval([run["testMap"] for run in runs]),
        "runs": runs,
    }
    text = json.dumps(result, indent=1)
    if arguments.out:
        Path(arguments.out).write_text(text + "\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
