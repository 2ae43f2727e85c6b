"""The methods of the paper's tables: what each is called there, how it is run here, and how its network is trained."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ComparedMethod:
    """A row of the comparison.

    Attributes:
        title: the paper's name of it.
        folder: of its run.
        method: its name in risbench.
        settings: options of the method, ``NAME=VALUE``.
        published: its names among the published figures.
        trainer: the trainer of its network; None if it has none of its own.
        weights: the file that it takes from the trainer's folder.
    """

    title: str
    folder: str
    method: str
    settings: tuple[str, ...] = ()
    published: tuple[str, ...] = ()
    trainer: str | None = None
    weights: str = ""


_WWBL = ComparedMethod(
    "WWbL", "wwbl", "wwbl", (), ("WWbL", "WWbL (VG-trained)", "WWbL (COCO-trained)"), "wwbl", "wwbl.safetensors"
)
_GBS = ComparedMethod("GbS", "gbs", "gbs", (), ("GbS (VG-trained)", "GbS (COCO-trained)"), "gbs", "gbs.safetensors")
_MG = ComparedMethod(
    "MG",
    "mg",
    "mg",
    (),
    tuple(f"MG {kind}+VGG ({data}-trained)" for kind in ("BiLSTM", "ELMo") for data in ("VG", "COCO")),
    "mg",
    "mg.safetensors",
)
TRIS = ComparedMethod("TRIS", "tris", "tris", (), ("TRIS",), "tris", "stage2.safetensors")

# In the order of the paper's groups: masks, boxes, classes, text, nothing.
TABLE1 = (
    ComparedMethod("LAVT", "lavt", "lavt", (), ("LAVT",), "lavt", "lavt.safetensors"),
    ComparedMethod(
        "CTS (re-implemented)", "cts_style", "cts_style", (), ("CTS",), "cts_style", "cts_style.safetensors"
    ),
    ComparedMethod("AMR", "amr", "amr", (), ("AMR",), "amr", "amr.safetensors"),
    TRIS,
    _WWBL,
    _GBS,
    _MG,
    ComparedMethod("CLIP-ES", "clip_es", "clip_es", (), ("CLIP-ES",), "clip-vit", "clip_vit.safetensors"),
    ComparedMethod("GroupViT", "groupvit", "groupvit", (), ("GroupViT",), "groupvit", "groupvit.safetensors"),
)
TABLE2 = (
    ComparedMethod(
        "TRIS, stage 1", "tris_stage1", "tris", ("stage=1",), ("TRIS, stage 1",), "tris", "stage1.safetensors"
    ),
    _WWBL,
    _GBS,
    _MG,
    ComparedMethod(
        "CLIP relevance",
        "clip_gae",
        "clip_gae",
        (),
        ("CLIP relevance (GAE, ViT-B/32)",),
        "clip-vit",
        "clip_vit.safetensors",
    ),
    ComparedMethod("centre point", "centre", "centre", (), ("centre point",)),
    ComparedMethod("random point", "random_point", "random_point", (), ("random point",)),
)
ALL = tuple(dict.fromkeys((*TABLE1, *TABLE2)))
METRICS1 = ("mIoU", "oIoU", "P@0.5", "PointM")
METRICS2 = ("PointIt", "Accbox")
