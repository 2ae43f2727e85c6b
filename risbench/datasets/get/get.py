"""The work of `risbench data get`: keep existing files, download missing ones, and record the downloads."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...errors import DataError
from ...io import places
from ...io.hashes import sha256_of
from ...plain import counted
from ..catalog import find
from ..entry import Entry
from ..layout import layouts, present_layout
from ..load import load_split
from .download import download
from .fetch import Client, Patience
from .messages import DownloadMessages, Silence, size_of
from .orders import Images, Order, order_of
from .record import Record
from .singles import Image, fetch_images, missing_of
from .sources import ImageMembers, SourceArchive, SourceRefused, Sources, read_sources
from .unpack import unpack


@dataclass(slots=True)
class Fetched:
    """The result for one name.

    Attributes:
        name: the name on the command line.
        archives: maps each archive to ``present``, or to its source and how it was verified.
        images: number of images that its splits need; None if no images were requested.
        fetched: number of images downloaded by this call.
        failed: maps each failed image to the reason.
        check: splits to check next.
    """

    name: str
    archives: dict[str, str] = field(default_factory=dict)
    images: int | None = None
    fetched: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    check: tuple[str, ...] = ()


def get(
    names: Sequence[str],
    data_root: str | Path | None = None,
    *,
    images: Images | None = None,
    jobs: int = 4,
    prefix: str | None = None,
    talk: DownloadMessages | None = None,
    patience: Patience | None = None,
) -> list[Fetched]:
    """Download data sets.

    Args:
        names: archives of the table, ``referit``, or splits.
        data_root: the folder of the data; by default as for `load_split`.
        images: which images to download: those of the ``split``, ``all`` or ``none``; by default it depends on each
            name.
        jobs: number of parallel connections for single images.
        prefix: an http(s) URL that replaces all sources.
        talk: receives messages and progress.
        patience: time limits and retries.

    Returns:
        The result for each name, in order.

    Raises:
        UsageError: a name is unknown.
        DataError: an archive cannot be downloaded, or the data root cannot be written; earlier downloads are kept.
    """
    table = read_sources()
    if prefix is not None:
        table = table.at(prefix)
    orders = [order_of(name, images, table.archives) for name in dict.fromkeys(names)]
    root = places.data_root(data_root)
    with _locked(root) as downloads, Client(jobs, patience) as client:
        work = _Work(table, root, downloads, Record(root), client, jobs, talk or Silence())
        return [work.fill(order) for order in orders]


@contextmanager
def _locked(root: Path) -> Iterator[Path]:
    downloads = root / "downloads"
    try:
        downloads.mkdir(parents=True, exist_ok=True)
        with (downloads / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise DataError(f"{root}: another `risbench data get` is running there") from None
            yield downloads
    except OSError as error:
        fault = f"{error.filename or root}: cannot be written ({error.strerror or error})"
        raise DataError(f"{fault}; {places.ANOTHER}") from None


@dataclass(frozen=True, slots=True)
class _Work:
    table: Sources
    root: Path
    downloads: Path
    record: Record
    client: Client
    jobs: int
    talk: DownloadMessages

    def fill(self, order: Order) -> Fetched:
        fetched = Fetched(order.name, check=order.check)
        if order.entry is not None and order.entry.family == "drawn":
            self.talk.say(f"{order.name}: nothing to download; drawn scenes are drawn at the first use")
            return fetched
        if order.annotations is not None:
            if order.entry is not None and is_readable(order.entry, self.root):
                self._compare(order.annotations)
                fetched.archives[order.annotations] = "present"
                self.talk.say(f"{order.name}: its annotations exist already")
            else:
                self._archive(order.annotations, fetched)
        if order.images is not None:
            self._archive(order.images, fetched)
        if order.splits:
            self._images(order, fetched)
        return fetched

    def _archive(self, name: str, fetched: Fetched, *, lacking: bool = False) -> None:
        """Download and unpack an archive, unless its content exists; ``lacking``: a part is known to be missing."""
        if name not in self.table.archives:
            raise DataError(f"{name}: the table of sources has no such archive")
        archive = self.table.archives[name]
        if not lacking and self._is_there(archive):
            self._compare(name)
            fetched.archives[name] = "present"
            self.talk.say(f"{archive.holds}: exists already, nothing was downloaded")
            return
        found = download(self.client, archive, self.downloads, self.record, self.talk)
        with self.talk.bar(f"{archive.file}: unpacking", in_bytes=False) as on_progress:
            try:
                done = unpack(
                    found.path, found.wanted, self.root, replace=archive.images is not None, on_progress=on_progress
                )
            except SourceRefused as fault:
                found.path.unlink(missing_ok=True)
                raise DataError(f"{archive.file}: {fault}; it was removed, run the command again") from None
        files = {place: sha256_of(self.root / place) for place in archive.members.values()}
        self.record.keep(name, url=found.url, size=found.size, sha256=found.sha256, trust=found.trust, files=files)
        found.path.unlink(missing_ok=True)
        fetched.archives[name] = f"{found.url or 'downloaded before'} ({found.trust})"
        how = {
            "checksum": "its checksum is right",
            "record": "the same as before",
            "first use": "no checksum is published: it is trusted, and its SHA-256 will be compared from now on",
        }[found.trust]
        text = f"{archive.holds}: {size_of(found.size)}, {how}; {counted(done.written, 'file')} written"
        if done.kept:
            text += f", {done.kept} existed already"
        if done.replaced:
            text += f", {done.replaced} of them differed from the archive's and were replaced"
        self.talk.say(text)

    def _is_there(self, archive: SourceArchive) -> bool:
        if archive.images is None:
            return all((self.root / place).is_file() for place in archive.members.values())
        return archive.images.count is not None and images_there(archive.images, self.root) >= archive.images.count

    def _compare(self, name: str) -> None:
        """Warn if annotations are no longer the files that were unpacked here."""
        for place, sha256 in ((self.record.of(name) or {}).get("files") or {}).items():
            path = self.root / place
            if path.is_file() and sha256_of(path) != sha256:
                self.talk.say(f"warning: {path} is not the downloaded file; remove it to download that one again")

    def _images(self, order: Order, fetched: Fetched) -> None:
        needed = needed_images(order.splits, self.root)
        missing = missing_of(needed)
        fetched.images = len(needed)
        absent = f"{order.name}: {len(missing)} of its {counted(len(needed), 'image is', 'images are')} missing"
        if missing and order.singly is not None and order.singly in self.table.images:
            self.talk.say(f"{absent}; they are downloaded one by one")
            with self.talk.bar(f"{order.name}: images", in_bytes=False) as on_progress:
                brought = fetch_images(self.client, missing, self.table.images[order.singly], self.jobs, on_progress)
            fetched.fetched, fetched.failed = brought.fetched, brought.failed
            self.talk.say(f"{order.name}: {counted(brought.fetched, 'image')} downloaded, {size_of(brought.bytes)}")
        elif missing and order.archive_of_images is not None:
            self.talk.say(f"{absent}; they are downloaded as one archive")
            self._archive(order.archive_of_images, fetched, lacking=True)
            left = missing_of(needed_images(order.splits, self.root))
            fetched.fetched = len(missing) - len(left)
            fetched.failed = {image.file: f"is not in {order.archive_of_images}, or has another size" for image in left}
        else:
            self.talk.say(f"{order.name}: all its {len(needed)} images exist")


def is_readable(entry: Entry, root: Path) -> bool:
    """Whether all annotation files of a split exist, in any layout."""
    try:
        present_layout(entry, root)
    except DataError:
        return False
    return True


def needed_images(splits: Sequence[str], root: Path) -> list[Image]:
    """The images of the splits whose annotations exist, each with the path where a reader looks for it."""
    found: dict[Path, Image] = {}
    for name in splits:
        if not is_readable(find(name), root):
            continue
        split = load_split(name, root)
        for row in np.unique(split.table.ref_image[split.ref_rows]).tolist():
            file = split.table.image_file[row]
            place = split.image_files.find(file)
            found[place] = Image(file, place, split.table.size(row))
    return list(found.values())


def images_there(images: ImageMembers, root: Path) -> int:
    """The number of existing images of an archive, in the folder with most of them that a reader uses."""
    folders = {root / images.folder}
    for name in ("refcoco_val", "referit_test"):
        for way in layouts(find(name), root):
            if root / images.folder in way.folders:
                folders.update(way.folders)
    counts = [0]
    for folder in folders:
        if folder.is_dir():
            files = (*folder.iterdir(), *folder.glob("*/images/*"))
            counts.append(sum(1 for file in files if images.name.fullmatch(file.name)))
    return max(counts)
