"""timm's state dicts: name and shape of every tensor of each architecture, 1,000 classes, RGB -> timm-shapes.json.gz

Needs timm (made with 1.0.29), which Debian has not: `pip install --no-deps timm==1.0.29`, or its sources on PYTHONPATH.
Without it the file stays as it is.
"""

from golden_files import write_json

try:
    import timm
except ImportError:
    timm = None

RESNETS = [f"resnet{size}{d}" for size in (18, 34, 50, 101, 152) for d in ("", "d")]
SIZES = ["atto", "femto", "pico", "nano", "tiny", "small", "base", "large"]
CONVNEXTS = [f"convnext_{size}{stem}" for size in SIZES for stem in (["", "_ols"] if size in SIZES[:4] else [""])]
TRANSFORMERS = [
    *(f"vit_{size}_patch16_224" for size in ("tiny", "small", "base")),
    *(f"vit_base_patch14_{kind}dinov2" for kind in ("", "reg4_")),
]
ARCHITECTURES = [*RESNETS, "densenet121", *CONVNEXTS, *(f"convnextv2_{size}" for size in SIZES), *TRANSFORMERS]


def main():
    if timm is None:
        print("no timm here: timm-shapes.json.gz stays as it is")
        return
    content = {}
    for arch in ARCHITECTURES:
        model = timm.create_model(arch, num_classes=1000)
        # batch norm's counter is a scalar and of no use here
        content[arch] = {name: list(t.shape) for name, t in model.state_dict().items() if t.is_floating_point()}
        print(f"{arch}: {sum(p.numel() for p in model.parameters()):,} parameters")
    write_json("timm-shapes.json.gz", {"timm": timm.__version__, "architectures": content})


if __name__ == "__main__":
    main()
