"""The groups of commands in ``risbench --help``, and the examples in each command's help."""

from __future__ import annotations

import click

# A command that is in no group is listed last.
GROUPS = {
    "Data": ("data", "list"),
    "Run and score": ("check", "run", "merge", "score", "predict"),
    "Look": ("report", "compare", "sweep", "runs"),
    "Train": ("train", "weights"),
    "Share": ("export", "leaderboard", "submit"),
}

# By the words of the command; a group of commands (`data`) has the examples of its commands only.
EXAMPLES = {
    "run": (
        "risbench run --method tris --split shapes_val",
        "risbench run --method ./mine.py --split refcoco_val --set power=2 --limit 100",
        "risbench run --method clip_sim --split refcoco_val --weights RN50.pt --rules clean --out runs/clip",
    ),
    "merge": (
        "risbench merge runs/mine",
        "risbench merge runs/mine --metrics mIoU,oIoU",
        "risbench merge runs/mine --overwrite --json",
    ),
    "score": (
        "risbench score masks.jsonl --split refcoco_val --name mine",
        "risbench score folder_of_png --split refcocog_val_u --rules lavt",
        "risbench score runs/mine --split refcoco_val --rules clean --threshold 0.4",
    ),
    "list": (
        "risbench list methods tris",
        "risbench list splits",
        "risbench list recipes tris/shapes",
    ),
    "check": (
        "risbench check tris",
        "risbench check ./mine.py --set power=2",
        "risbench check ./mine.py:Small --images 1 --device cpu",
    ),
    "predict": (
        "risbench predict photo.jpg 'the man on the right' --method tris --weights stage2.pth --overlay out.png",
        "risbench predict photo.jpg 'left dog' 'right dog' --method ./mine.py --mask mask.png",
        "risbench predict scene.png 'the red circle' --method tris --weights shapes --heat heat.npy",
    ),
    "train": (
        "risbench train tris --recipe shapes --out runs/tris",
        "risbench train lavt --recipe refcoco --set batch=16 --device cuda",
        "risbench train tris --recipe my_recipe.toml --stage 2",
    ),
    "weights show": (
        "risbench weights show stage2.pth",
        "risbench weights show tris.safetensors --json",
        "risbench weights show checkpoint.pth --of lavt",
    ),
    "weights convert": (
        "risbench weights convert stage2.pth",
        "risbench weights convert stage2.pth tris.safetensors",
        "risbench weights convert checkpoint.pth lavt.safetensors --of lavt",
    ),
    "data get": (
        "risbench data get refcoco_val",
        "risbench data get refcoco refcoco+ refcocog --images none",
        "risbench data get referit --data-root data --jobs 8",
    ),
    "data import": (
        "risbench data import --from /datasets/refer",
        "risbench data import --from refcoco.zip --data-root data --copy",
        "risbench data import mine.json --as mysplit",
    ),
    "data check": (
        "risbench data check refcoco_val",
        "risbench data check refcoco_val refcoco_testA --no-images",
        "risbench data check refcocog_val_u --deep --json",
    ),
    "data where": (
        "risbench data where refcoco_val",
        "risbench data where referit_test --data-root data",
        "risbench data where refcocog_val_g --json",
    ),
    "data leaks": (
        "risbench data leaks",
        "risbench data leaks refcoco_train refcocog_val_g",
        "risbench data leaks refcoco_val --images my_training_images.txt",
    ),
    "report": (
        "risbench report runs/tris runs/mine --as latex --out table.tex",
        "risbench report last --as grid --rows worst --count 8 --out worst.png",
        "risbench report last:2 last --by failure --out failures.pdf",
    ),
    "compare": (
        "risbench compare last last:2",
        "risbench compare runs/mine runs/tris --metrics mIoU,PointM --no-slices",
        "risbench compare runs --as latex --out compared.tex",
    ),
    "sweep": (
        "risbench sweep runs/mine --split refcoco_val --out curve.png",
        "risbench sweep runs/mine --split shapes_val --rules clean --thresholds 0.1:0.9:0.1",
        "risbench sweep folder_of_npy --split refcoco_val --metrics mIoU,P@0.5",
    ),
    "export": (
        "risbench export runs/mine --out coco",
        "risbench export runs/mine runs/tris --out coco --data-root data",
        "risbench export runs --out coco --json",
    ),
    "leaderboard": (
        "risbench leaderboard",
        "risbench leaderboard --split shapes_test --metrics mIoU,PointM",
        "risbench leaderboard --as html --out board.html",
    ),
    "submit": (
        "risbench submit runs/mine",
        "risbench submit runs/mine --name mine --replace",
        "risbench submit runs/mine --board my_board --json",
    ),
    "runs": (
        "risbench runs",
        "risbench runs --json",
        "risbench report last --as html --out gallery.html",
    ),
    "data show": (
        "risbench data show shapes_val",
        "risbench data show shapes_val --text red",
        "risbench data show refcoco_val --data-root data",
    ),
}


def with_examples(command: click.Command, words: str) -> click.Command:
    """The command with its examples below its help, which -h shows too; of a group, each of its commands.

    Args:
        command: a command, which is changed.
        words: how it is called, such as ``data get``.
    """
    # Stated for each command too: click keeps the names from the first context in which a command is used.
    command.context_settings = {**command.context_settings, "help_option_names": ["-h", "--help"]}
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            with_examples(one, f"{words} {name}")
    elif words in EXAMPLES:
        command.epilog = "\n".join(["\b", "Examples:", *(f"  {line}" for line in EXAMPLES[words])])
    return command


def in_groups(texts: dict[str, str]) -> dict[str, list[tuple[str, str]]]:
    """The commands with their texts by the title of their group; a command in no group is under "More"."""
    grouped = {name for names in GROUPS.values() for name in names}
    groups = {**GROUPS, "More": tuple(name for name in texts if name not in grouped)}
    found = {title: [(name, texts[name]) for name in names if name in texts] for title, names in groups.items()}
    return {title: rows for title, rows in found.items() if rows}
