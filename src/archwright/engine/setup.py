"""Start of every run: images, batches, and after all checks, processes and the folder."""

from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from archwright import data
from archwright.cost import degenerate_batch_norm, estimate_training_bytes
from archwright.engine.device import conditions, require_memory
from archwright.engine.options import RunOptions
from archwright.engine.progress import say
from archwright.engine.runs.folder import CONDITIONS, RunFolder, hold, open_run, say_changes
from archwright.errors import ConfigError, DataError
from archwright.graph import Network
from archwright.spaces import Size

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def load_images(options: RunOptions) -> data.ImageData:
    """Load the images that the options name, and print a summary of them.

    Raises:
        DataError: they cannot be used.
    """
    images = data.load(
        options.data,
        root=options.data_root,
        image_size=options.image_size,
        limit=options.limit,
        test_limit=options.test_limit,
        background=options.background,
        white_level=options.white_level,
    )
    if not len(images.test):
        raise DataError(f"{images.name} has no test images: there is nothing to score on")
    say(data.summary(images))
    return images


def size_for(images: data.ImageData, channels: int, cells: int) -> Size:
    """Return the size of a network for these images and their classes."""
    return Size(
        channels=channels,
        cells=cells,
        classes=len(images.classes),
        image_size=images.image_size,
        image_channels=images.channels,
    )


def training_batches(
    fabric: "Fabric",
    options: RunOptions,
    images: data.ImageData,
    batch_size: int,
    *,
    stream: str,
    part: data.ImageSet | None = None,
    augment: data.Augmentation | None = None,
) -> data.Batches:
    """Return shuffled, augmented batches of full size of the training images (or of a `part`).

    Raises:
        DataError: the batch is larger than the images, or does not divide over the processes.
    """
    return data.Batches(
        part or images.train,
        batch_size,
        seed=options.seed,
        stream=stream,
        mean=images.mean,
        std=images.std,
        augment=augment or data.default_augmentation(images),
        shuffle=True,
        drop_last=True,
        device=fabric.device,
        rank=fabric.global_rank,
        world_size=options.devices,
        workers=options.workers,
    )


def require_trainable(
    fabric: "Fabric", options: RunOptions, network: Network, batch_size: int, what: str
) -> None:
    """Check that `network` can be trained here, before any of it is built.

    Raises:
        ConfigError: it does not fit into memory (the estimate is named), or a batch norm would
            see a single value a channel.
    """
    batch = -(-batch_size // options.devices)
    sharing = options.devices if fabric.device.type == "cpu" else 1  # processes of one memory
    needed = sharing * estimate_training_bytes(network, batch)
    require_memory(needed, fabric.device, what)
    norm = degenerate_batch_norm(network, batch)
    if norm is not None:
        raise ConfigError(
            f"--batch-size {batch_size} leaves the batch norm {norm} a single value a channel: "
            f"give at least {2 * options.devices}"
        )


@contextmanager
def open_run_folder(
    fabric: "Fabric",
    options: RunOptions,
    kind: str,
    images: data.ImageData,
    resolved: Mapping[str, Any],
) -> Generator[RunFolder]:
    """Open the run's folder, then start its other processes, after all other checks.

    The options, the `resolved` settings, and a description of the images are written. Until the run
    has ended, no other process may write the folder.

    Raises:
        RunError: the folder is taken or in use, or of another configuration (see `open_run`).
    """
    folder = RunFolder(options.out)
    with ExitStack() as held:
        if fabric.is_global_zero:
            settings = {**options.settings(), **resolved, **_about(options, images)}
            settings[CONDITIONS] = conditions(fabric.device)
            if not folder.ended:
                held.enter_context(hold(options.out))
            say_changes(open_run(options.out, kind, settings, resume=options.resume), settings)
        fabric.launch()
        fabric.barrier()
        yield folder


def _about(options: RunOptions, images: data.ImageData) -> dict[str, Any]:
    """Return the input and the output of a network that was trained on these images."""
    return {
        "classes": list(images.classes),
        "image_size": images.image_size,
        "image_channels": images.channels,
        "task": images.task.name,
        "background": options.background or data.BACKGROUND,
        "white_level": options.white_level or data.WHITE_LEVEL,
        # Rounded: a resume compares them, perhaps on a machine that sums in another order.
        "mean": [round(value, 8) for value in images.mean],
        "std": [round(value, 8) for value in images.std],
        "data_title": images.title,
        "data_fingerprint": images.fingerprint,
        "data_summary": data.about(images),
    }
