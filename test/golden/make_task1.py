"""The Task 1 system of CXR-LT 2026's winner in numbers (arXiv 2602.13430) -> task1.json

Rates and weight decays by epoch and group, from PyTorch's AdamW and LambdaLR; repeats by sample of the sampler, from its
formula. Stage 1 trains the head alone before it trains all, at rates that the paper gives without a schedule; stage 2 the head alone for 10 epochs and all for 60.
"""

import math

import numpy as np
import torch
from golden_files import write_json

EPOCHS_FINETUNE = 60
SAMPLES, CLASSES = 600, 30
# more samples, with the first class alone: so the rarest one is rare enough for the cap
COMMON = 12000


def finetune_factor(epoch):
    if epoch < 5:
        return (epoch + 1) / 5
    progress = (epoch - 5) / (EPOCHS_FINETUNE - 5)
    return max(0.01, 0.5 * (1 + math.cos(math.pi * progress)))


def rates(groups, epochs, factor):
    """[epochs][groups]: the rate that each group is trained with."""
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in groups]
    optimizer = torch.optim.AdamW(
        [{"params": [p], "lr": lr, "weight_decay": decay} for p, (lr, decay) in zip(parameters, groups)], eps=1e-5
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    table = []
    for _ in range(epochs):
        table.append([group["lr"] for group in optimizer.param_groups])
        for p in parameters:
            p.grad = torch.zeros(1)
        optimizer.step()
        schedule.step()
    return table


def repeats(labels):
    counts = labels.sum(0)
    share = counts / counts.sum()
    of_class = np.maximum(1, np.sqrt(0.01 / np.maximum(share, 1e-12)))
    result = []
    for row in labels:
        positives = np.flatnonzero(row)
        factor = of_class[positives].max() if len(positives) else 1.0
        result.append(int(np.round(min(factor, 10))))
    return result


def long_tailed_labels():
    """The most common class 300 times, the rarest once; a tenth of the samples has no positive."""
    random = np.random.RandomState(20260)
    labels = np.zeros((SAMPLES, CLASSES), dtype=int)
    for c in range(CLASSES):
        count = max(1, round(300 * 300 ** (-c / (CLASSES - 1))))
        labels[random.choice(SAMPLES - SAMPLES // 10, count, replace=False), c] = 1
    return labels


def main():
    labels = long_tailed_labels()
    write_json(
        "task1.json",
        {
            # [epoch][backbone, head and its batch norm]
            "finetune": rates([(1.5e-5, 0.01), (1.5e-4, 0.05)], EPOCHS_FINETUNE, finetune_factor),
            "head": rates([(1e-3, 0.01)], 10, lambda epoch: 1.0),
            "decays": {"head": {"head": 0.01}, "finetune": {"backbone": 0.01, "head": 0.05}},
            # positive classes of each sample, before those with the first one alone
            "positives": [np.flatnonzero(row) for row in labels],
            "common": COMMON,
            "repeats": repeats(np.vstack([labels, np.tile(np.eye(CLASSES, dtype=int)[0], (COMMON, 1))]))[:SAMPLES],
        },
    )


if __name__ == "__main__":
    main()
