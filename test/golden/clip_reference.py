"""CLIP's two towers in PyTorch, written from the paper (arXiv 2103.00020), with open_clip's parameter names.

Debian has neither open_clip nor transformers; make_clip.py holds this to them where they are installed.
"""

import torch
from torch import nn
from torch.nn import functional as F

EPSILON = 1e-5


def quick_gelu(x):
    return x * torch.sigmoid(1.702 * x)


class Attention(nn.Module):
    """All heads at once; queries, keys and values are the thirds of one product."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.zeros(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x, mask):
        n, tokens, width = x.shape
        packed = F.linear(x, self.in_proj_weight, self.in_proj_bias)
        q, k, v = packed.view(n, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-1, -2) / (width // self.heads) ** 0.5
        if mask is not None:
            scores = scores + mask.to(scores.dtype)
        y = scores.softmax(-1) @ v
        return self.out_proj(y.transpose(1, 2).reshape(n, tokens, width))


class Block(nn.Module):
    def __init__(self, width, heads, hidden, activation):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width, eps=EPSILON)
        self.attn = Attention(width, heads)
        self.ln_2 = nn.LayerNorm(width, eps=EPSILON)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, hidden), "c_proj": nn.Linear(hidden, width)})
        self.activation = activation

    def forward(self, x, mask=None):
        x = x + self.attn(self.ln_1(x), mask)
        return x + self.mlp["c_proj"](self.activation(self.mlp["c_fc"](self.ln_2(x))))


class Transformer(nn.Module):
    def __init__(self, width, layers, heads, hidden, activation):
        super().__init__()
        self.resblocks = nn.ModuleList(Block(width, heads, hidden, activation) for _ in range(layers))

    def forward(self, x, mask=None):
        for block in self.resblocks:
            x = block(x, mask)
        return x


class Visual(nn.Module):
    def __init__(self, config, embedding, activation):
        super().__init__()
        width, patch = config["width"], config["patch"]
        tokens = (config["size"][0] // patch) * (config["size"][1] // patch) + 1
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.positional_embedding = nn.Parameter(torch.zeros(tokens, width))
        self.proj = nn.Parameter(torch.zeros(width, embedding))
        self.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        self.ln_pre = nn.LayerNorm(width, eps=EPSILON)
        self.transformer = Transformer(width, config["layers"], config["heads"], config["hidden"], activation)
        self.ln_post = nn.LayerNorm(width, eps=EPSILON)

    def forward(self, images):
        x = self.conv1(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_embedding.expand(len(x), 1, -1), x], 1) + self.positional_embedding
        x = self.transformer(self.ln_pre(x))
        return self.ln_post(x[:, 0]) @ self.proj


class CLIP(nn.Module):
    """`config` has the fields of ClipConfig in src/models/clip/clip-config.ts."""

    def __init__(self, config):
        super().__init__()
        activation = quick_gelu if config["activation"] == "quick_gelu" else F.gelu
        text, embedding = config["text"], config["embedding"]
        self.positional_embedding = nn.Parameter(torch.zeros(text["context"], text["width"]))
        self.text_projection = nn.Parameter(torch.zeros(text["width"], embedding))
        self.visual = Visual(config["image"], embedding, activation)
        self.transformer = Transformer(text["width"], text["layers"], text["heads"], text["hidden"], activation)
        self.token_embedding = nn.Embedding(text["vocabulary"], text["width"])
        self.ln_final = nn.LayerNorm(text["width"], eps=EPSILON)

    def encode_image(self, images):
        return F.normalize(self.visual(images), dim=-1)

    def encode_text(self, tokens):
        """The end-of-text token has the largest number: the first of them ends the text."""
        mask = torch.full((tokens.shape[1],) * 2, float("-inf")).triu(1)
        x = self.transformer(self.token_embedding(tokens) + self.positional_embedding, mask)
        x = x[torch.arange(len(x)), tokens.argmax(-1)]
        return F.normalize(self.ln_final(x) @ self.text_projection, dim=-1)
