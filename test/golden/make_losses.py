"""PyTorch's float64 answers for the multi-label losses -> losses.json.

Written in the stable logit form (log p = logsigmoid(x)), differentiated by autograd, and checked here against the
straightforward formulas where those do not overflow. Logits and targets are [N, 3]; the value is the sum over all entries
(of two-way: over all images and classes; of auc-margin and smooth-ap: over all classes), and gradients are that sum's. A
target of null is unknown: its gradient is 0.
`ranking` has scikit-learn's average precision of scores without ties, to which smooth-ap tends as its temperature falls.
"""

import math
import random

import numpy as np
import torch
import torch.nn.functional as F
from golden_files import write_json
from sklearn.metrics import average_precision_score
from torchvision.ops import sigmoid_focal_loss

LOGITS = [0, 1 / 64, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 15, 18, 19, 25, 40, 60, 80]
LOGITS = [-x for x in reversed(LOGITS[1:])] + LOGITS + [float(np.float32(math.log(p / (1 - p)))) for p in (0.01, 0.9)]


def bce(x, y):
    return -(y * F.logsigmoid(x) + (1 - y) * F.logsigmoid(-x))


def focal(x, y, gamma, alpha):
    """Lin et al. 2017, eq. 5; alpha None leaves the balance out (eq. 4)."""
    signed = torch.where(y == 1, x, -x)
    value = torch.sigmoid(-signed) ** gamma * -F.logsigmoid(signed)
    return value if alpha is None else value * (alpha * y + (1 - alpha) * (1 - y))


def asl(x, y, gammaNeg, gammaPos, margin, eps, weightGradient):
    """Ridnik et al. 2021, eqs. 4-7. Probabilities are kept >= eps inside the logarithms, as in the authors' release."""
    positive = torch.clamp(F.logsigmoid(x), min=math.log(eps) if eps > 0 else None, max=0)
    if margin > 0:
        kept = torch.clamp(torch.sigmoid(-x) + margin, max=1)  # 1 - p_m
        negative, shifted = torch.log(torch.clamp(kept, min=eps)), 1 - kept
    else:
        negative = torch.clamp(F.logsigmoid(-x), min=math.log(eps) if eps > 0 else None, max=0)
        shifted = torch.sigmoid(x)
    weight = torch.where(y == 1, torch.sigmoid(-x) ** gammaPos, shifted**gammaNeg)
    if not weightGradient:
        weight = weight.detach()
    return -weight * torch.where(y == 1, positive, negative)


def asl_as_published(x, y, gammaNeg, gammaPos, margin, eps):
    p = torch.sigmoid(x)
    p_m = torch.clamp(p - margin, min=0)
    plus = (1 - p) ** gammaPos * torch.log(torch.clamp(p, min=eps))
    minus = p_m**gammaNeg * torch.log(torch.clamp(1 - p_m, min=eps))
    return -(y * plus + (1 - y) * minus)


# Positives of the three classes, of so many images.
COUNTS, SAMPLES = torch.tensor([500.0, 40.0, 3.0], dtype=torch.float64), 1000
PRIOR = COUNTS / SAMPLES


def weighted_bce(x, y, form):
    if form == "balanced":
        return F.binary_cross_entropy_with_logits(x, y, pos_weight=(SAMPLES - COUNTS) / COUNTS, reduction="none")
    # CheXFusion: e^(1 - pi) for positives, e^pi for negatives
    return bce(x, y) * torch.where(y == 1, torch.exp(1 - PRIOR), torch.exp(PRIOR))


def effective_weights(beta):
    """Cui et al. 2019, as in the authors' code: scaled to a sum of C."""
    weights = (1 - beta) / (1 - beta**COUNTS)
    return weights / weights.sum() * len(COUNTS)


def cb_focal(x, y, beta, gamma):
    return effective_weights(beta) * focal(x, y, gamma, None)


def db(x, y, known, alpha=0.1, beta=10, mu=0.2, lambda_=2, kappa=0.05, gamma=2, balance=2):
    """Wu et al. 2020, in the steps of the authors' code: weights, logits, focusing."""
    rate = 1 / COUNTS
    per_image = (torch.where(known, y, 0) * rate).sum(1, keepdim=True)
    weight = alpha + torch.sigmoid(beta * (rate / per_image - mu))
    logit = x - kappa / lambda_ * torch.log(SAMPLES / COUNTS - 1)
    logit = torch.where(y == 1, logit, lambda_ * logit)
    weight = torch.where(y == 1, weight, weight / lambda_)
    cost = bce(logit, y)
    # 1 - p_t without cancellation
    miss = torch.sigmoid(torch.where(y == 1, -logit, logit))
    return balance * miss**gamma * weight * cost


def db_margin(x, y, beta=0.9999, power=0.5, maxMargin=0.2):
    """Stage 2 of arXiv 2602.13430."""
    rarity = (1 - beta) / (1 - beta**COUNTS)
    rarity = rarity / rarity.mean()
    inverse = 1 / (rarity + 1e-6)
    margin = maxMargin * (inverse - inverse.min()) / (inverse.max() - inverse.min())
    return rarity**power * bce(x - y * margin, y)


def ldam(x, y, maxMargin=0.5, scale=30):
    """Cao et al. 2019."""
    margin = COUNTS**-0.25
    margin = margin * (maxMargin / margin.max())
    return bce(scale * (x - y * margin), y)


def ldam_drw(x, y, progress=0, reweightFrom=0.8, beta=0.9999):
    return ldam(x, y) * (effective_weights(beta) if progress >= reweightFrom else 1)


def logit_adjusted(x, y, tau=1):
    return bce(x + tau * torch.log(PRIOR / (1 - PRIOR)), y)


def logit_adjusted_asl(x, y, tau=1):
    return asl(x + tau * torch.log(PRIOR / (1 - PRIOR)), y, 4, 1, 0.05, 1e-8, True)


def hill(x, y, lambda_=1.5, margin=1, gamma=2):
    """Zhang et al. 2021: Hill loss with focal margin loss for positives."""
    positive = torch.sigmoid(margin - x) ** gamma * F.logsigmoid(x - margin)
    p = torch.sigmoid(x)
    return -y * positive + (1 - y) * (lambda_ - p) * p**2


def splc(x, y, epoch=0, tau=0.6, changeEpoch=1, margin=1, gamma=2):
    """The same paper, in the steps of the authors' code."""
    logit = torch.where(y == 1, x - margin, x)
    if epoch >= changeEpoch:
        y = torch.where(torch.sigmoid(logit) > tau, torch.ones_like(y), y)
    return focal(logit, y, gamma, None)


def ral(x, y, gammaNeg=4, gammaPos=0, margin=0.05, lambda_=1.5, eps=1e-8):
    """Park et al. 2023."""
    p, a = torch.sigmoid(x), torch.sigmoid(-x)
    log_p = torch.clamp(F.logsigmoid(x), min=math.log(eps) if eps > 0 else None, max=0)
    reached = log_p > math.log(eps) if eps > 0 else torch.ones_like(y, dtype=torch.bool)
    miss = torch.where(reached, a, a.detach())
    positive = a**gammaPos * (log_p + miss - 1.25 * miss**2)
    q = torch.clamp(a + margin, max=1)
    negative = (1 - q) ** gammaNeg * torch.log(q) * (lambda_ - p) * p**2 * (lambda_ - q)
    return -(y * positive + (1 - y) * negative)


def two_way(x, y, known, tp=4, tn=1):
    """Kobayashi 2023: the sums over images and over classes, of those that have a positive."""
    nothing = torch.full_like(x, -math.inf)
    total = 0
    for dim in (0, 1):
        counted = ((y == 1) & known).any(dim) & ((y == 0) & known).any(dim)
        positives = torch.logsumexp(torch.where((y == 1) & known, -x / tp, nothing), dim)[counted] * tp
        negatives = torch.logsumexp(torch.where((y == 0) & known, x / tn, nothing), dim)[counted] * tn
        total = total + F.softplus(positives + negatives, threshold=1e9).sum()
    return total


def auc_margin(x, y, known, margin=1):
    """The mean over pairs of a positive and a negative of a class, summed over the classes that have both."""
    total = 0
    for c in range(x.shape[1]):
        positives, negatives = x[known[:, c] & (y[:, c] == 1), c], x[known[:, c] & (y[:, c] == 0), c]
        if len(positives) > 0 and len(negatives) > 0:
            total = total + torch.clamp(margin - (positives[:, None] - negatives[None, :]), min=0).square().mean()
    return total


def smooth_ap(x, y, known, temperature=0.5):
    """Brown et al. 2020: 1 - AP with sigmoids for the steps of both ranks, summed over the classes that have both labels."""
    total = 0
    for c in range(x.shape[1]):
        scores, labels = x[known[:, c], c], y[known[:, c], c]
        if not 0 < labels.sum() < len(labels):
            continue
        # row i: how far each other score is above that of i
        above = torch.sigmoid((scores[None, :] - scores[:, None]) / temperature)
        above = above * (1 - torch.eye(len(scores), dtype=torch.float64))
        rank, among_positives = 1 + above.sum(1), 1 + (above * labels).sum(1)
        total = total + 1 - (among_positives / rank)[labels == 1].mean()
    return total


OF_BATCHES = (two_way, auc_margin, smooth_ap)

CASES = [
    ("bce", bce, {}),
    ("weighted-bce", weighted_bce, {"form": "balanced"}),
    ("weighted-bce", weighted_bce, {"form": "exponential"}),
    ("focal", focal, {"gamma": 2, "alpha": 0.25}),
    ("focal", focal, {"gamma": 2, "alpha": None}),
    ("focal", focal, {"gamma": 0, "alpha": 0.75}),
    ("focal", focal, {"gamma": 1.5, "alpha": None}),
    ("cb-focal", cb_focal, {"beta": 0.9999, "gamma": 2}),
    ("cb-focal", cb_focal, {"beta": 0.99, "gamma": 0.5}),
    ("db", db, {}),
    ("db", db, {"mu": 0.3, "lambda": 5}),
    ("db-margin", db_margin, {}),
    ("ldam", ldam, {}),
    ("ldam", ldam, {"maxMargin": 1, "scale": 4}),
    ("ldam-drw", ldam_drw, {"progress": 0}),
    ("ldam-drw", ldam_drw, {"progress": 0.9}),
    ("logit-adjusted", logit_adjusted, {}),
    ("logit-adjusted", logit_adjusted, {"tau": 0.5}),
    ("logit-adjusted-asl", logit_adjusted_asl, {}),
    ("logit-adjusted-asl", logit_adjusted_asl, {"tau": 0.5}),
    ("hill", hill, {}),
    ("splc", splc, {"epoch": 0}),
    ("splc", splc, {"epoch": 1}),
    ("ral", ral, {}),
    ("ral", ral, {"gammaPos": 1, "eps": 0}),
    ("two-way", two_way, {}),
    ("two-way", two_way, {"tp": 1, "tn": 2}),
    ("auc-margin", auc_margin, {}),
    ("auc-margin", auc_margin, {"margin": 5}),
    ("smooth-ap", smooth_ap, {}),
    ("smooth-ap", smooth_ap, {"temperature": 4}),
    ("smooth-ap", smooth_ap, {"temperature": 0.02}),
]
for gammas in ((4, 1, 0.05), (4, 0, 0.05), (2, 2, 0), (3, 1.5, 0.1), (0, 0, 0)):
    for eps in (1e-8, 0):
        for weight_gradient in (True, False):
            names = ("gammaNeg", "gammaPos", "margin", "eps", "weightGradient")
            CASES.append(("asl", asl, dict(zip(names, (*gammas, eps, weight_gradient)))))


def check_formulas():
    x = torch.linspace(-12, 12, 97, dtype=torch.float64)
    for label in (0.0, 1.0):
        y = torch.full_like(x, label)
        torch.testing.assert_close(bce(x, y), F.binary_cross_entropy_with_logits(x, y, reduction="none"))
        torch.testing.assert_close(focal(x, y, 2, 0.25), sigmoid_focal_loss(x, y, 0.25, 2))
        torch.testing.assert_close(focal(x, y, 2, None), sigmoid_focal_loss(x, y, -1, 2))
        for gammas in ((4, 1, 0.05, 1e-8), (2, 2, 0, 1e-8)):
            torch.testing.assert_close(asl(x, y, *gammas, True), asl_as_published(x, y, *gammas))
    # What the authors' values give a negative at p = 0.01 and p = 0.9.
    p = torch.tensor([0.01, 0.9], dtype=torch.float64)
    values = asl(torch.log(p / (1 - p)), torch.zeros(2), 4, 1, 0.05, 1e-8, True)
    assert values[0] == 0 and abs(values[1] - 0.990) < 5e-4, values


def case(name, loss, parameters, logits, targets):
    known = ~torch.isnan(targets)
    # an unknown target's value is arbitrary: it is left out afterwards
    y = torch.where(known, targets, torch.zeros_like(targets))
    x = logits.clone().requires_grad_()
    arguments = {"lambda_" if key == "lambda" else key: value for key, value in parameters.items()}
    if loss is db or loss in OF_BATCHES:
        arguments["known"] = known
    result = loss(x, y, **arguments)
    total = result if loss in OF_BATCHES else torch.where(known, result, torch.zeros_like(result)).sum()
    total.backward()
    assert torch.isfinite(total) and torch.isfinite(x.grad).all(), (name, parameters)
    assert (x.grad[~known] == 0).all(), (name, parameters)
    return {"name": name, "parameters": parameters, "value": total.detach(), "gradients": x.grad.flatten()}


def ranking():
    draw = np.random.default_rng(11)
    scores = draw.permutation(np.arange(40)) / 8 - 2.5
    labels = (draw.random(40) < 0.3).astype(float)
    weights = draw.integers(1, 5, 40) / 2
    return {
        "scores": scores,
        "labels": labels,
        "weights": weights,
        "averagePrecision": average_precision_score(labels, scores),
        "weighted": average_precision_score(labels, scores, sample_weight=weights),
    }


def main():
    check_formulas()
    # rows of negatives, of positives, of unknowns, and of a mixture
    draw = random.Random(5)
    mixed = [draw.choice((0.0, 1.0, 0.0, math.nan)) for _ in LOGITS * 2]
    order = draw.sample(LOGITS, len(LOGITS))
    logits = torch.tensor(LOGITS * 3 + order * 2, dtype=torch.float64).reshape(-1, 3)
    labels = [t for t in (0.0, 1.0, math.nan) for _ in LOGITS] + mixed
    targets = torch.tensor(labels, dtype=torch.float64).reshape(-1, 3)
    content = {
        "logits": logits.flatten(),
        "targets": targets.flatten(),
        "classCounts": COUNTS,
        "samples": SAMPLES,
        "ranking": ranking(),
        "cases": [case(*each, logits, targets) for each in CASES],
    }
    write_json("losses.json", content, digits=12)


if __name__ == "__main__":
    main()
