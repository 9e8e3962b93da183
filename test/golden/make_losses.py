"""PyTorch's float64 answers for the multi-label losses -> losses.json.

Written in the stable logit form (log p = logsigmoid(x)), differentiated by autograd, and checked here against the
straightforward formulas where those do not overflow. Values are per element; gradients are those of their sum. A target of
null is unknown: its value and gradient are 0.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from golden_files import write_json
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


CASES = [
    ("bce", bce, {}),
    ("focal", focal, {"gamma": 2, "alpha": 0.25}),
    ("focal", focal, {"gamma": 2, "alpha": None}),
    ("focal", focal, {"gamma": 0, "alpha": 0.75}),
    ("focal", focal, {"gamma": 1.5, "alpha": None}),
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


def main():
    check_formulas()
    logits = torch.tensor(LOGITS * 3, dtype=torch.float64)
    targets = torch.tensor([t for t in (0.0, 1.0, math.nan) for _ in LOGITS], dtype=torch.float64)
    known = ~torch.isnan(targets)
    cases = []
    for name, loss, parameters in CASES:
        x = logits[known].requires_grad_()
        values = torch.zeros_like(logits)
        gradients = torch.zeros_like(logits)
        result = loss(x, targets[known], **parameters)
        result.sum().backward()
        assert torch.isfinite(result).all() and torch.isfinite(x.grad).all(), (name, parameters)
        values[known], gradients[known] = result.detach(), x.grad
        cases.append({"name": name, "parameters": parameters, "values": values, "gradients": gradients})
    write_json("losses.json", {"logits": logits, "targets": targets, "cases": cases}, digits=12)


if __name__ == "__main__":
    main()
