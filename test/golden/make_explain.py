"""Grad-CAM, attention of CSRA and rollout of networks with hashed weights -> explain.json.gz

float64 is the reference. The same in float32 gives `float32Error`. Weights, images: hash_weights.py, golden_model.py.

- Grad-CAM (arXiv 1610.02391) by PyTorch's own hooks and autograd: a forward hook keeps the target layer's output, autograd
  gives the logit's gradient by it. Targets are those of the field: the last block of ResNet and ConvNeXt, the last norm of
  DenseNet behind its ReLU, in a vision transformer the tokens that the last block's attention reads (`blocks[-1].norm1`)
  without those in front of the patches; a head that reads a transformer's map is explained by that map.
- CSRA's attention: the softmax of heads_reference.py's heads, the mean of several heads.
- Rollout (arXiv 2005.00928): products of whole matrices, 0.5 A + 0.5 I, heads averaged; the class token's row, or the mean of
  the patches' rows.
- `cells` are the maps at the network's own size, [n, rows, columns]; `resized` the first of them at the images' size.
"""

import torch
import torch.nn.functional as F
import torchvision
from convnext_reference import ConvNeXt
from golden_files import write_json
from golden_model import CLASSES, digest, make_images
from hash_weights import hash_tensor
from heads_reference import CsraOriginal
from make_heads import build_head, common
from vit_reference import VisionTransformer

SAMPLES = 24
CSRA = {"name": "csra", "lambda": 0.7}
ORIGINAL = {"name": "csra_original", "heads": 4, "lambda": 0.3}
DECODER = {"name": "ml_decoder", "queries": 5, "width": 32, "heads": 4, "feedForward": 48, "dropout": 0}
PROJECTION = {"name": "projection", "dims": 18, "hidden": 20}
LINEAR = {"name": "linear"}

# a class for each image
CASES = [
    {"method": "grad-cam", "arch": "resnet18", "head": LINEAR, "images": [2, 97, 131, 1], "pictures": 0, "width": 16},
    {"method": "grad-cam", "arch": "resnet18", "head": ORIGINAL, "images": [2, 97, 131, 1], "pictures": 0, "width": 16},
    {"method": "grad-cam", "arch": "resnet18", "head": PROJECTION, "images": [2, 97, 131, 1], "pictures": 0, "width": 16},
    {"method": "grad-cam", "arch": "convnext_atto", "head": LINEAR, "images": [2, 97, 131, 1], "pictures": 1},
    {"method": "grad-cam", "arch": "convnextv2_atto", "head": CSRA, "images": [2, 97, 131, 1], "pictures": 1},
    {"method": "grad-cam", "arch": "convnext_atto", "head": DECODER, "images": [2, 97, 131, 1], "pictures": 1},
    {"method": "grad-cam", "arch": "densenet121", "head": LINEAR, "images": [2, 97, 131, 1], "pictures": 1, "width": 8},
    {"method": "grad-cam", "arch": "vit_tiny_patch16_224", "head": LINEAR, "images": [2, 48, 80, 1], "pictures": 1, "width": 48},
    {"method": "grad-cam", "arch": "vit_base_patch14_reg4_dinov2", "head": CSRA, "images": [2, 42, 56, 1], "pictures": 1, "width": 48},
    {"method": "csra", "arch": "resnet18", "head": CSRA, "images": [2, 97, 131, 1], "pictures": 0, "width": 16},
    {"method": "csra", "arch": "resnet18", "head": ORIGINAL, "images": [2, 97, 131, 1], "pictures": 0, "width": 16},
    {"method": "csra", "arch": "vit_tiny_patch16_224", "head": CSRA, "images": [2, 48, 80, 1], "pictures": 1, "width": 48},
    {"method": "rollout", "arch": "vit_tiny_patch16_224", "head": LINEAR, "images": [2, 48, 80, 1], "pictures": 1, "width": 48},
    {"method": "rollout", "arch": "vit_base_patch14_reg4_dinov2", "head": LINEAR, "images": [2, 42, 56, 1], "pictures": 1, "width": 48},
    {"method": "rollout", "arch": "vit_tiny_patch16_224", "head": CSRA, "images": [2, 48, 80, 1], "pictures": 1, "width": 48},
]


def beside(module, target):
    """Keeps the layer that is hooked without making it one of the module's own a second time."""
    object.__setattr__(module, "target", target)


class NarrowResNet(torchvision.models.ResNet):
    """torchvision's ResNet-18 with `width` channels in its first stage instead of 64."""

    def __init__(self, width, channels):
        self.narrower = 64 // width
        super().__init__(torchvision.models.resnet.BasicBlock, [2, 2, 2, 2])
        self.conv1 = torch.nn.Conv2d(channels, width, 7, 2, 3, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(width)

    def _make_layer(self, block, planes, blocks, stride=1, dilate=False):
        if planes == 64:
            self.inplanes = 64 // self.narrower
        return super()._make_layer(block, planes // self.narrower, blocks, stride, dilate)


class ResNet(torch.nn.Module):
    linear = "fc"

    def __init__(self, channels, width):
        super().__init__()
        network = NarrowResNet(width, channels)
        for name, child in network.named_children():
            if name not in ("avgpool", "fc"):
                self.add_module(name, child)
        self.features = 8 * width
        beside(self, self.layer4[-1])

    def map(self, x):
        for child in self.children():
            x = child(x)
        return x

    def pooled(self, x):
        return self.map(x).mean((2, 3))


class ConvNext(torch.nn.Module):
    linear = "head.fc"

    def __init__(self, arch, channels):
        super().__init__()
        network = ConvNeXt(arch, channels, 1)
        self.stem, self.stages = network.stem, network.stages
        self.head = torch.nn.Module()
        self.head.norm = network.head.norm
        self.features = network.head.fc.in_features
        beside(self, self.stages[-1].blocks[-1])

    def map(self, x):
        return self.head.norm(self.stages(self.stem(x)).movedim(1, -1)).movedim(-1, 1)

    def pooled(self, x):
        return self.head.norm(self.stages(self.stem(x)).mean((2, 3)))


class DenseNet(torch.nn.Module):
    linear = "classifier"

    def __init__(self, channels, width):
        super().__init__()
        network = torchvision.models.DenseNet(width // 2, (6, 12, 24, 16), width)
        network.features.conv0 = torch.nn.Conv2d(channels, width, 7, 2, 3, bias=False)
        self._modules["features"] = network.features
        beside(self, torch.nn.ReLU())
        self.width = network.classifier.in_features

    def map(self, x):
        return self.target(self._modules["features"](x))

    def pooled(self, x):
        return self.map(x).mean((2, 3))


class Transformer(torch.nn.Module):
    linear = "head"

    def __init__(self, arch, images, width):
        super().__init__()
        network = VisionTransformer(arch, images[1:3], images[3], 1, width)
        del network.head
        self.network = network
        self.features = width
        beside(self, network.blocks[-1].norm1)

    def map(self, x):
        return self.network.map(x).movedim(-1, 1)

    def pooled(self, x):
        return self.network.features(x)


class Network(torch.nn.Module):
    def __init__(self, arch, head, images, width=None, **_):
        super().__init__()
        if arch == "resnet18":
            self.backbone = ResNet(images[3], width)
        elif arch.startswith("convnext"):
            self.backbone = ConvNext(arch, images[3])
        elif arch == "densenet121":
            self.backbone = DenseNet(images[3], width)
        else:
            self.backbone = Transformer(arch, images, width)
        features = self.backbone.width if arch == "densenet121" else self.backbone.features
        if head["name"] == "linear":
            self.outer = torch.nn.Linear(features, CLASSES)
            self.reads = "features"
        else:
            self.outer = build_head(head, features, self.backbone.linear)
            self.reads = self.outer.reads

    def forward(self, x):
        if self.reads == "features":
            return self.outer(self.backbone.pooled(x))
        self.last_map = self.backbone.map(x)
        return self.outer(self.last_map)

    def name(self, name):
        """In the common state dict."""
        if isinstance(self.outer, torch.nn.Linear) and name.startswith("outer."):
            return f"{self.backbone.linear}.{name.removeprefix('outer.')}"
        return common(name).removeprefix("network.")


def set_weights(model):
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(hash_tensor(model.name(name), tuple(tensor.shape)))


def grad_cam(model, images, columns, case):
    kept = {}
    handle = model.backbone.target.register_forward_hook(lambda _m, _i, output: kept.update(values=output))
    logits = model(images)
    handle.remove()
    values = kept["values"]
    transformer = case["arch"].startswith("vit")
    if transformer and model.reads == "map":
        values = model.last_map
    chosen = logits[torch.arange(len(images)), columns].sum()
    (slopes,) = torch.autograd.grad(chosen, values)
    if transformer and model.reads == "features":
        rows, cols = model.backbone.network.grid
        patches = lambda x: x[:, -rows * cols :].transpose(1, 2).unflatten(2, (rows, cols))
        values, slopes = patches(values), patches(slopes)
    weights = slopes.mean((2, 3), keepdim=True)
    return logits, (weights * values).sum(1).clamp_min(0)


def csra(model, images, columns, _case):
    logits = model(images)
    head, x = model.outer, model.last_map
    if isinstance(head, CsraOriginal):
        attentions = []
        for temperature, one in zip(head.temperatures, head.classifier.multi_head):
            w = one.head.weight.flatten(1)
            scores = torch.einsum("nfs,cf->ncs", x.flatten(2), w / w.norm(dim=1, keepdim=True))
            if temperature is None:
                attentions.append(F.one_hot(scores.argmax(2), scores.shape[2]).to(scores.dtype))
            else:
                attentions.append((scores * temperature).softmax(2))
        attention = torch.stack(attentions).mean(0)
    else:
        attention = head.head.conv_att(head.bn(x)).flatten(2).softmax(2)
    chosen = attention[torch.arange(len(images)), columns]
    return logits, chosen.unflatten(1, x.shape[2:])


def rollout(model, images, _columns, _case):
    network = model.backbone.network
    found = []

    def keep(module, inputs, _output):
        (x,) = inputs
        n, tokens, width = x.shape
        q, k, _ = module.qkv(x).view(n, tokens, 3, module.heads, width // module.heads).permute(2, 0, 3, 1, 4)
        found.append((q @ k.transpose(-1, -2) / (width // module.heads) ** 0.5).softmax(-1).mean(1))

    handles = [block.attn.register_forward_hook(keep) for block in network.blocks]
    logits = model(images)
    for handle in handles:
        handle.remove()
    identity = torch.eye(found[0].shape[1], dtype=images.dtype)
    product = identity
    for attention in found:
        product = (0.5 * attention + 0.5 * identity) @ product
    rows, columns = network.grid
    patches = rows * columns
    row = product[:, 0] if model.reads == "features" else product[:, -patches:].mean(1)
    return logits, row[:, -patches:].unflatten(1, (rows, columns))


METHODS = {"grad-cam": grad_cam, "csra": csra, "rollout": rollout}


def run(model, images, columns, case):
    set_weights(model)
    logits, cells = METHODS[case["method"]](model.eval(), images, columns, case)
    resized = F.interpolate(cells[:, None], size=images.shape[2:], mode="bilinear", align_corners=False)[0, 0]
    return logits.detach(), cells.detach(), resized.detach()


def with_map(model, images, case):
    """Classes of which the first has a map: Grad-CAM's is empty where everything speaks against a class."""
    for first in range(CLASSES):
        columns = (torch.arange(len(images)) * 3 + first) % CLASSES
        result = run(model, images, columns, case)
        if result[1][0].amax() > 0:
            return columns, result
    raise ValueError("every map of the first image is empty")


def main():
    golden = []
    for case in CASES:
        images = make_images(case["images"], case["pictures"]).permute(0, 3, 1, 2)
        model = Network(**case)
        columns, (logits, cells, resized) = with_map(model.double(), images.double(), case)
        single = run(model.float(), images, columns, case)[1]
        error = float((single.double() - cells).norm() / cells.norm())
        empty = int((cells.flatten(1).amax(1) == 0).sum())
        print(f"{case['method']} {case['arch']} {case['head']['name']}: float32 is off by {error:.1e}, {empty} empty maps")
        golden.append(
            {
                **case,
                "classes": CLASSES,
                "columns": columns,
                "shapes": {
                    model.name(name): list(t.shape) for name, t in model.state_dict().items() if t.is_floating_point()
                },
                "logits": logits,
                "cells": cells,
                "resized": digest("resized", resized, SAMPLES),
                "float32Error": error,
            }
        )
    write_json("explain.json.gz", golden, digits=9)


if __name__ == "__main__":
    main()
