"""The heads in PyTorch, written from the papers, with the parameter names of the authors' state dicts.

A head is a module whose own children have the names that they have in the whole network's state dict; `forward` takes
the map [n, f, h, w], or pooled features [n, f] where `reads` says so.
"""

import math
import re

import torch
from torch import nn
from torch.nn import functional as F


class Csra(nn.Module):
    """arXiv 2602.13430, as in METHOD: z = W mean(x) + b + lambda (W sum(a x) + b), a = softmax of a 1x1 convolution."""

    reads = "map"

    def __init__(self, features, classes, name_of_linear, **options):
        super().__init__()
        self.weight_of_attention = options["lambda"]
        self.bn = nn.BatchNorm2d(features)
        self.head = nn.Module()
        self.head.classifier = nn.Linear(features, classes)
        self.head.conv_att = nn.Conv2d(features, classes, 1, bias=False)

    def forward(self, x):
        x = self.bn(x)
        attention = self.head.conv_att(x).flatten(2).softmax(dim=2)
        gathered = torch.einsum("ncs,nfs->ncf", attention, x.flatten(2))
        w, b = self.head.classifier.weight, self.head.classifier.bias
        attended = torch.einsum("ncf,cf->nc", gathered, w) + b
        return self.head.classifier(x.mean((2, 3))) + self.weight_of_attention * attended


class CsraOriginal(nn.Module):
    """Zhu & Wu, arXiv 2108.02456, equations 3 to 6; None stands for the maximum."""

    reads = "map"
    TEMPERATURES = {1: [1], 2: [1, None], 4: [1, 2, 4, None], 6: [1, 2, 3, 4, 5, None], 8: [1, 2, 3, 4, 5, 6, 7, None]}

    def __init__(self, features, classes, name_of_linear, **options):
        super().__init__()
        self.weight_of_attention = options["lambda"]
        self.temperatures = self.TEMPERATURES[options["heads"]]
        self.classifier = nn.Module()
        self.classifier.multi_head = nn.ModuleList()
        for _ in self.temperatures:
            one = nn.Module()
            one.head = nn.Conv2d(features, classes, 1, bias=False)
            self.classifier.multi_head.append(one)

    def forward(self, x):
        total = 0
        for temperature, one in zip(self.temperatures, self.classifier.multi_head):
            w = one.head.weight.flatten(1)
            scores = torch.einsum("nfs,cf->ncs", x.flatten(2), w / w.norm(dim=1, keepdim=True))
            if temperature is None:
                attended = scores.max(dim=2)[0]
            else:
                attended = ((scores * temperature).softmax(dim=2) * scores).sum(dim=2)
            total = total + scores.mean(dim=2) + self.weight_of_attention * attended
        return total


class MlDecoder(nn.Module):
    """arXiv 2111.12933: fixed queries attend to the map in one decoder layer without self-attention, then a group FC."""

    reads = "map"

    def __init__(self, features, classes, name_of_linear, queries, width, heads, feedForward, dropout):
        super().__init__()
        assert dropout == 0
        groups = min(queries, classes)
        decoder = nn.Module()
        layer = nn.Module()
        layer.norm1 = nn.LayerNorm(width)
        layer.multihead_attn = nn.MultiheadAttention(width, heads, batch_first=True)
        layer.linear1 = nn.Linear(width, feedForward)
        layer.linear2 = nn.Linear(feedForward, width)
        layer.norm2 = nn.LayerNorm(width)
        layer.norm3 = nn.LayerNorm(width)
        layer.activation = nn.ReLU()
        decoder.layers = nn.ModuleList([layer])
        decoder.embed_standart = nn.Linear(features, width)
        decoder.activation = nn.ReLU()
        decoder.query_embed = nn.Embedding(groups, width).requires_grad_(False)
        decoder.duplicate_pooling = nn.Parameter(torch.zeros(groups, width, math.ceil(classes / groups)))
        decoder.duplicate_pooling_bias = nn.Parameter(torch.zeros(classes))
        self.classes = classes
        # the authors put the module where the network has its classifier: `fc`, or all of `head`
        self.place = name_of_linear.split(".")[0]
        setattr(self, self.place, nn.Module())
        getattr(self, self.place).decoder = decoder

    def forward(self, x):
        decoder = getattr(self, self.place).decoder
        layer = decoder.layers[0]
        memory = decoder.activation(decoder.embed_standart(x.flatten(2).transpose(1, 2)))
        queries = decoder.query_embed.weight.expand(len(x), -1, -1)
        # without dropout the layer's first residual doubles the queries
        y = layer.norm1(queries + queries)
        y = layer.norm2(y + layer.multihead_attn(y, memory, memory, need_weights=False)[0])
        y = layer.norm3(y + layer.linear2(layer.activation(layer.linear1(y))))
        logits = torch.einsum("nqd,qdk->nqk", y, decoder.duplicate_pooling).flatten(1)
        return logits[:, : self.classes] + decoder.duplicate_pooling_bias


BUCKET_HASH = 0x811C9DC5
BUCKET_PRIME = 0x01000193


def word_bags(texts, buckets):
    """Words and their runs of 3 to 5 letters, each in the bucket of its FNV-1a hash; rows of length 1, in float64."""
    bags = torch.zeros(len(texts), buckets, dtype=torch.float64)
    for row, text in zip(bags, texts):
        for word in re.findall(r"[a-z0-9]+", text.lower()):
            word = f"<{word}>"
            runs = [word[i : i + n] for n in (3, 4, 5) if n < len(word) for i in range(len(word) - n + 1)]
            features = [(word, 0.5 if runs else 1.0)] + [(run, 0.5 / len(runs)) for run in runs]
            for feature, weight in features:
                value = BUCKET_HASH
                for byte in feature.encode():
                    value = (value ^ byte) * BUCKET_PRIME % 2**32
                row[value % buckets] += weight
    return F.normalize(bags)


class Projection(nn.Module):
    """An embedding of length 1 by a linear layer, or by a perceptron; logits are scaled cosines to those of the classes."""

    reads = "features"

    def __init__(
        self, features, classes, name_of_linear, dims, hidden, bias=False, embeddings="learned", buckets=0, wordHidden=0, prompts=()
    ):
        super().__init__()
        self.head = nn.Module()
        if hidden == 0:
            self.head.proj = nn.Linear(features, dims, bias=False)
        else:
            self.head.mlp = nn.Module()
            self.head.mlp.fc1 = nn.Linear(features, hidden)
            self.head.mlp.fc2 = nn.Linear(hidden, dims, bias=False)
        if embeddings == "words":
            self.head.text = nn.Module()
            self.head.text.fc1 = nn.Linear(buckets, wordHidden)
            self.head.text.fc2 = nn.Linear(wordHidden, dims, bias=False)
            self.bags = [word_bags(texts, buckets) for texts in prompts]
        else:
            self.head.class_embeddings = nn.Parameter(torch.zeros(classes, dims), requires_grad=embeddings == "learned")
        self.logit_scale = nn.Parameter(torch.zeros(1))
        if bias:
            self.logit_bias = nn.Parameter(torch.zeros(1))

    def classes(self, like):
        if not hasattr(self, "bags"):
            return self.head.class_embeddings
        text = self.head.text
        means = [F.normalize(text.fc2(F.gelu(text.fc1(bags.to(like))))).mean(0) for bags in self.bags]
        return torch.stack(means)

    def forward(self, x):
        head = self.head
        self.embedding = F.normalize(head.proj(x) if hasattr(head, "proj") else head.mlp.fc2(F.gelu(head.mlp.fc1(x))))
        scale = self.logit_scale.clamp(max=math.log(100)).exp()
        logits = scale * self.embedding @ F.normalize(self.classes(x)).T
        return logits + self.logit_bias if hasattr(self, "logit_bias") else logits


HEADS = {"csra": Csra, "csra_original": CsraOriginal, "ml_decoder": MlDecoder, "projection": Projection}
