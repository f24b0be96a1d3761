"""Images in, batches out: sources, splits, decoding, augmentation."""

from archwright.data.augment import Augmentation
from archwright.data.batches import Batches
from archwright.data.decoding.pixels import BACKGROUND, WHITE_LEVEL
from archwright.data.image_sets import ImageSet, MemorySet, StreamedSet
from archwright.data.images import ImageData, default_augmentation
from archwright.data.loading import load
from archwright.data.splits import search_split
from archwright.data.summary import about, summary

__all__ = [
    "BACKGROUND",
    "WHITE_LEVEL",
    "Augmentation",
    "Batches",
    "ImageData",
    "ImageSet",
    "MemorySet",
    "StreamedSet",
    "about",
    "default_augmentation",
    "load",
    "search_split",
    "summary",
]
