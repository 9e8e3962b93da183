"""Vision transformers in PyTorch, written from the papers (arXiv 2010.11929, 2304.07193, 2309.16588), with timm's names.

Debian has no timm; make_vit.py holds this to it where it is installed.
"""

import torch
from torch import nn
from torch.nn import functional as F

EPSILON = 1e-6

# patch, width, heads, layer scale, registers; all have 12 blocks
SIZES = {
    "vit_tiny_patch16_224": (16, 192, 3, False, 0),
    "vit_small_patch16_224": (16, 384, 6, False, 0),
    "vit_base_patch16_224": (16, 768, 12, False, 0),
    "vit_base_patch14_dinov2": (14, 768, 12, True, 0),
    "vit_base_patch14_reg4_dinov2": (14, 768, 12, True, 4),
}
BLOCKS = 12


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        n, tokens, width = x.shape
        q, k, v = self.qkv(x).view(n, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-1, -2) / (width // self.heads) ** 0.5
        return self.proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, tokens, width))


class Perceptron(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Scale(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), 1e-5))

    def forward(self, x):
        return self.gamma * x


class Block(nn.Module):
    def __init__(self, width, heads, scaled):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=EPSILON)
        self.attn = Attention(width, heads)
        self.ls1 = Scale(width) if scaled else nn.Identity()
        self.norm2 = nn.LayerNorm(width, eps=EPSILON)
        self.mlp = Perceptron(width)
        self.ls2 = Scale(width) if scaled else nn.Identity()

    def forward(self, x):
        x = x + self.ls1(self.attn(self.norm1(x)))
        return x + self.ls2(self.mlp(self.norm2(x)))


class PatchEmbedding(nn.Module):
    def __init__(self, channels, width, patch):
        super().__init__()
        self.proj = nn.Conv2d(channels, width, patch, stride=patch)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class VisionTransformer(nn.Module):
    def __init__(self, arch, size, channels, classes, width=None):
        super().__init__()
        patch, published, heads, scaled, registers = SIZES[arch]
        width = width or published
        self.grid = (size[0] // patch, size[1] // patch)
        patches = self.grid[0] * self.grid[1]
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.reg_token = nn.Parameter(torch.zeros(1, registers, width)) if registers else None
        self.pos_embed = nn.Parameter(torch.zeros(1, patches if registers else 1 + patches, width))
        self.patch_embed = PatchEmbedding(channels, width, patch)
        self.blocks = nn.Sequential(*(Block(width, heads, scaled) for _ in range(BLOCKS)))
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.head = nn.Linear(width, classes)

    def tokens(self, x):
        n, x = len(x), self.patch_embed(x)
        first = [self.cls_token.expand(n, -1, -1)]
        if self.reg_token is None:
            x = torch.cat([*first, x], 1) + self.pos_embed
        else:
            x = torch.cat([*first, self.reg_token.expand(n, -1, -1), x + self.pos_embed], 1)
        return self.norm(self.blocks(x))

    def features(self, x):
        return self.tokens(x)[:, 0]

    def map(self, x):
        """[n, h, w, c]"""
        rows, columns = self.grid
        return self.tokens(x)[:, -rows * columns :].unflatten(1, (rows, columns))

    def forward(self, x):
        return self.head(self.features(x))
