"""Size of the networks that a latency table is measured for."""

from typing import Protocol

from archwright.spaces import Size, Space


class SizeOptions(Protocol):
    """Options that give a size; None stands for the published one."""

    @property
    def channels(self) -> int | None:
        """Width at full resolution."""
        ...

    @property
    def cells(self) -> int | None:
        """Depth, in the space's own count."""
        ...

    @property
    def classes(self) -> int:
        """Outputs of the classifier."""
        ...

    @property
    def image_size(self) -> int | None:
        """Side of an image in pixels."""
        ...

    @property
    def image_channels(self) -> int:
        """Channels of an image."""
        ...


def deployed_size(options: SizeOptions, space: Space) -> Size:
    """Return the size that the options give, else that of the space's trained networks.

    Raises:
        ConfigError: a value is out of range (named).
    """
    channels, cells = space.train_size
    return Size(
        channels=options.channels or channels,
        cells=options.cells or cells,
        classes=options.classes,
        image_size=options.image_size or space.image_size,
        image_channels=options.image_channels,
    )
