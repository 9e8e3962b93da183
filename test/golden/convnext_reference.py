"""ConvNeXt and ConvNeXt V2 in PyTorch, written from the papers (arXiv 2201.03545, 2301.00808), with timm's parameter names.

Debian has neither timm nor a ConvNeXt V2; make_convnext.py holds this to torchvision's V1, and to timm where it is there.
"""

import torch
from torch import nn
from torch.nn import functional as F

EPSILON = 1e-6

# depths, channels of the first stage, whether timm keeps the perceptron's layers as 1x1 convolutions
SIZES = {
    "atto": ((2, 2, 6, 2), 40, True),
    "tiny": ((3, 3, 9, 3), 96, False),
    "base": ((3, 3, 27, 3), 128, False),
}


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of [n, c, h, w]."""

    def __init__(self, channels):
        super().__init__(channels, eps=EPSILON)

    def forward(self, x):
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class GlobalResponseNorm(nn.Module):
    """Section 3.2 of the V2 paper, over [n, h, w, c]."""

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        response = x.norm(dim=(1, 2), keepdim=True)
        relative = response / (response.mean(dim=-1, keepdim=True) + EPSILON)
        return self.weight * (x * relative) + self.bias + x


class Perceptron(nn.Module):
    def __init__(self, channels, version, convolutions):
        super().__init__()
        layer = (lambda i, o: nn.Conv2d(i, o, 1)) if convolutions else nn.Linear
        self.fc1 = layer(channels, 4 * channels)
        self.grn = GlobalResponseNorm(4 * channels) if version == 2 else nn.Identity()
        self.fc2 = layer(4 * channels, channels)

    def forward(self, x):
        hidden = F.gelu(F.linear(x, self.fc1.weight.flatten(1), self.fc1.bias))
        return F.linear(self.grn(hidden), self.fc2.weight.flatten(1), self.fc2.bias)


class Block(nn.Module):
    def __init__(self, channels, version, convolutions):
        super().__init__()
        self.gamma = nn.Parameter(torch.full((channels,), 1e-6)) if version == 1 else None
        self.conv_dw = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=EPSILON)
        self.mlp = Perceptron(channels, version, convolutions)

    def forward(self, x):
        y = self.mlp(self.norm(self.conv_dw(x).movedim(1, -1)))
        if self.gamma is not None:
            y = self.gamma * y
        return x + y.movedim(-1, 1)


class Stage(nn.Module):
    def __init__(self, inputs, channels, depth, version, convolutions):
        super().__init__()
        self.downsample = nn.Identity()
        if inputs != channels:
            self.downsample = nn.Sequential(ChannelNorm(inputs), nn.Conv2d(inputs, channels, 2, stride=2))
        self.blocks = nn.Sequential(*(Block(channels, version, convolutions) for _ in range(depth)))

    def forward(self, x):
        return self.blocks(self.downsample(x))


class ConvNeXt(nn.Module):
    """`arch` as in timm, e.g. convnextv2_atto; the ending _ols means the overlapping stem."""

    def __init__(self, arch, channels, classes):
        super().__init__()
        family, size, *stem = arch.split("_")
        version = 2 if family.endswith("v2") else 1
        depths, width, convolutions = SIZES[size]
        if stem == ["ols"]:
            between = {"atto": 24}[size]
            convs = [nn.Conv2d(channels, between, 3, 2, 1), nn.Conv2d(between, width, 3, 2, 1)]
        else:
            convs = [nn.Conv2d(channels, width, 4, 4)]
        self.stem = nn.Sequential(*convs, ChannelNorm(width))
        widths = [width * 2**i for i in range(4)]
        self.stages = nn.Sequential(
            *(Stage(i, o, d, version, convolutions) for i, o, d in zip([width, *widths], widths, depths))
        )
        self.head = nn.Module()
        self.head.norm = nn.LayerNorm(widths[3], eps=EPSILON)
        self.head.fc = nn.Linear(widths[3], classes)

    def features(self, x):
        """What timm calls the pre-logits: [n, f]."""
        return self.head.norm(self.stages(self.stem(x)).mean((2, 3)))

    def forward(self, x):
        return self.head.fc(self.features(x))
