"""The ResNets of src/models/backbones/resnet.ts: torchvision's blocks with any width, depth of one block a stage, and small stems."""

import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

ARCHITECTURES = {
    "resnet10": (BasicBlock, [1, 1, 1, 1]),
    "resnet18": (BasicBlock, [2, 2, 2, 2]),
    "resnet34": (BasicBlock, [3, 4, 6, 3]),
    "resnet50": (Bottleneck, [3, 4, 6, 3]),
}


class NarrowResNet(ResNet):
    """`width` channels in the first stage instead of 64, one input channel."""

    def __init__(self, block, depths, stem, width, classes):
        super().__init__(block, depths, num_classes=classes)
        kernel, stride = {"imagenet": (7, 2), "small": (3, 1), "small-stride2": (3, 2)}[stem]
        self.inplanes = width
        self.conv1 = nn.Conv2d(1, width, kernel, stride, kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        if stem != "imagenet":
            self.maxpool = nn.Identity()
        for stage, depth in enumerate(depths):
            layer = self._make_layer(block, width * 2**stage, depth, stride=1 if stage == 0 else 2)
            setattr(self, f"layer{stage + 1}", layer)
        self.fc = nn.Linear(width * 8 * block.expansion, classes)


def build_resnet(model, classes):
    """Convolutions Kaiming normal by fan-out, batch norm 1 and 0, classifier uniform in ±1/sqrt(inputs)."""
    block, depths = ARCHITECTURES[model["arch"]]
    net = NarrowResNet(block, depths, model["stem"], model["width"], classes)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    bound = net.fc.in_features**-0.5
    with torch.no_grad():
        net.fc.weight.uniform_(-bound, bound)
        net.fc.bias.uniform_(-bound, bound)
    return net
