"""Masks: bool ``(H, W)``, COCO's run-length codes, and a mask that is either until something needs the other."""

from .codes import MOST_PIXELS as MOST_PIXELS
from .codes import pack as pack
from .codes import runs_of as runs_of
from .codes import size_of as size_of
from .codes import whole as whole
from .lazy import LazyMask as LazyMask
from .parts import box_round as box_round
from .parts import farthest_corner as farthest_corner
from .parts import parts_of as parts_of
from .parts import rasterise as rasterise
from .pixels import at_size as at_size
from .pixels import box_of as box_of
from .pixels import decode as decode
from .pixels import encode as encode
from .pixels import union_of as union_of
from .together import read_together as read_together
from .windows import Surrounding as Surrounding
