"""A table of sources whose archives lie on a `Site`: the true names, made-up content."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from . import annotations
from .site import Site

MOST = {"archive": 10**7, "member": 10**6, "total": 10**7}


def zipped(files: Mapping[str, bytes]) -> bytes:
    """An archive of files, the same bytes at any time: some are parts of tests' names, which all workers must share."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            member = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            member.external_attr = (0o40775 << 16 | 0x10) if name.endswith("/") else (0o600 << 16)
            archive.writestr(member, content, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def jpeg(size: tuple[int, int] = annotations.SIZE, value: int = 90) -> bytes:
    """An image file."""
    made = io.BytesIO()
    noise = np.random.default_rng(value).integers(0, 255, (*size, 3), dtype=np.uint8)
    Image.fromarray(noise).save(made, "JPEG")
    return made.getvalue()


def refcoco_zip(folder: str = "refcoco", more: int = 0) -> bytes:
    """REFER's archive of the made-up annotations, with what a Mac leaves behind, and so many bytes of no use."""
    instances, refs = annotations.refer_content()
    import pickle

    return zipped(
        {
            f"{folder}/": b"",
            f"{folder}/instances.json": json.dumps(instances).encode(),
            f"{folder}/refs(unc).p": pickle.dumps(refs, protocol=2),
            f"{folder}/refs(google).p": b"not read by anybody" + np.random.default_rng(0).bytes(more),
            f"__MACOSX/{folder}/._instances.json": b"junk",
        }
    )


def file_of(image_id: int) -> str:
    return f"COCO_train2014_{image_id:012d}.jpg"


def put_images(site: Site, *image_ids: int) -> None:
    """Single images, at the site's ``/coco``."""
    for image_id in image_ids:
        site.put(f"/coco/{file_of(image_id)}", jpeg(value=image_id))


def table_on(site: Site, path: Path, **archives: Mapping[str, Any]) -> Path:
    """Writes a table: `refcoco` at ``/refcoco.zip``, single images at ``/coco``, and the archives given."""
    members = {name: f"refer/refcoco/{name}" for name in ("instances.json", "refs(unc).p")}
    table = {
        "archives": {
            "refcoco": {
                "file": "refcoco.zip",
                "holds": "RefCOCO annotations",
                "members": members,
                "most": MOST,
                "sources": [{"url": site.url("/refcoco.zip")}],
            },
            **{name.replace("_", "-"): dict(entry) for name, entry in archives.items()},
        },
        "images": {"train2014": {"most": 10**6, "sources": [{"url": site.url("/coco/{file}")}]}},
    }
    path.write_text(json.dumps(table))
    return path
