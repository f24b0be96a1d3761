"""Search spaces: candidates, cells and skeletons, declared in terms of the graph."""

from archwright.spaces import operations
from archwright.spaces.cells import CellSpec, EdgeSpec, dense_cell
from archwright.spaces.contract import PlaceCell, Size, Skeleton
from archwright.spaces.notation import (
    PUBLISHED,
    named_space,
    read_architecture,
    reference_architecture,
    write_architecture,
)
from archwright.spaces.operations import Candidate, Site
from archwright.spaces.registry import SPACES, get_space, space_of
from archwright.spaces.skeletons import Blocks, Staged, TwoInput
from archwright.spaces.space import Space

__all__ = [
    "PUBLISHED",
    "SPACES",
    "Blocks",
    "Candidate",
    "CellSpec",
    "EdgeSpec",
    "PlaceCell",
    "Site",
    "Size",
    "Skeleton",
    "Space",
    "Staged",
    "TwoInput",
    "dense_cell",
    "get_space",
    "named_space",
    "operations",
    "read_architecture",
    "reference_architecture",
    "space_of",
    "write_architecture",
]
