"""The configuration of a search."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, Self

from typing_extensions import override

from archwright.cost.registry import get_cost
from archwright.engine.options import (
    NO_FLAG,
    require,
    require_fraction,
    require_not_negative,
    require_positive,
    under_root,
)
from archwright.errors import ConfigError
from archwright.graph.passes.simplification.settings import (
    Granularity,
    Pointwise,
    Scale,
    Simplification,
    simplification,
)
from archwright.nas.budget.options import BudgetOptions
from archwright.nas.method import Method
from archwright.nas.methods import METHODS, get_method, options_of
from archwright.nas.monitor.stopping import StopRule
from archwright.nas.presets import preset_options
from archwright.nas.recipe import Derivation, Recipe, at_share


@dataclass(frozen=True, kw_only=True)
class SearchConfig(BudgetOptions):
    """Search an architecture by gradient descent. What is not given is as the method published."""

    out: Path
    """The run folder."""
    space: str = "nasbench201"
    """nasbench201, darts, spos, or a Python file that declares a space."""
    method: str = "darts"
    """Search method, by its name in the registry `nas.methods`."""
    preset: str = "paper"
    """Settings that go together, such as paper (as published) or proxy (minutes on two cores); a
    setting that is given beside it counts."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False, metadata=NO_FLAG)
    """Options of the method itself, by name; on the command line each is a flag of its own."""
    supernets: int = 1
    """Train so many supernets one after the other, from seeds of their own, in folders within
    --out, and let them decide together: by the mean of their candidates' weights, and of the
    finalists' losses. Takes so many times as long, and depends less on chance."""
    simplify: str = "all"
    """Simplify the supernet's graph first: none, all, or a +-joined subset of pms, fms, merge, norm
    (partial and floating module sharing, linear merge, kernel normalisation)."""
    lowering: Literal["fused", "naive"] = "fused"
    """How the graph is run: fused optimises exactly over all cells, naive is as it is written."""
    recompute: bool = False
    """Keep less for backward, and compute it a second time (fused lowering)."""
    pointwise: Pointwise = "shared"
    """What becomes of the pointwise convs of separable ones."""
    granularity: Granularity = "filter"
    """What is normalised together: a whole kernel, or a filter each."""
    scale: Scale = "norm"
    """What normalised kernels have in common: unit deviation of their taps, or unit norm."""
    derivation: Derivation = "flat"
    """How candidates are ranked in the end: each alone, as published (flat), or those that share
    modules first by the sum of their weights (nested). nested is a prior: the sum favours large
    groups before anything is learned (in nasbench201 convolutions). Without sharing both are the
    same."""
    keep_null: bool | None = None
    """Let the null candidate win by its weight where a node keeps all edges. By default only of
    diffgraph, which weighs connections: elsewhere, as in DARTS (section 2.4), that weight only
    scales a node, and an edge is given up only where a budget leaves nothing else."""
    watch: bool | None = None
    """Whether signs of collapse that take time are measured, too: discretisation gap and curvature.
    They are by default, where alpha learns."""
    stop_early: StopRule = "none"
    """Stop before the last epoch, and take alpha as it was before: at two skips in a normal cell
    (skips), at a curvature that rises (eigenvalue), or at ranks that have settled (stable)."""
    channels: int | None = None
    """Width of the supernet at full resolution."""
    cells: int | None = None
    """Depth: cells a stage in nasbench201, cells in all in darts, blocks in spos."""
    epochs: int | None = None
    """Passes over the weights' half of the training images."""
    batch_size: int | None = None
    """Images a step, over all processes."""
    lr: float | None = None
    """Highest learning rate of the weights."""
    lr_min: float | None = None
    """Learning rate of the weights at the end."""
    momentum: float | None = None
    """Momentum of the weights' SGD."""
    nesterov: bool | None = None
    """Nesterov's momentum."""
    weight_decay: float | None = None
    """Weight decay of the weights."""
    clip: float | None = None
    """Largest gradient norm of the weights."""
    warmup_epochs: float | None = None
    """Epochs over which the weights' rate rises from zero."""
    alpha_lr: float | None = None
    """Learning rate of alpha (Adam)."""
    alpha_lr_min: float | None = None
    """Learning rate of alpha at the end, reached by half a cosine (else its rate stays)."""
    alpha_betas: tuple[float, float] | None = None
    """Adam's decay rates for alpha."""
    alpha_weight_decay: float | None = None
    """Weight decay of alpha."""
    alpha_init: float | None = None
    """Standard deviation of the initial alpha."""
    alpha_start: int | None = None
    """Epoch from which on alpha learns."""
    alpha_first: bool | None = None
    """Whether a step trains alpha before the weights."""

    def __post_init__(self) -> None:
        """Check each setting by itself; what settings demand of each other, `Recipe` checks.

        Raises:
            ConfigError: one is out of range (its flag is named).
        """
        super().__post_init__()
        require_positive(
            self, "channels", "cells", "epochs", "batch_size", "lr", "alpha_lr", "clip"
        )
        require_not_negative(self, "lr_min", "weight_decay", "alpha_weight_decay", "warmup_epochs")
        require_not_negative(self, "alpha_init", "alpha_start", "alpha_lr_min")
        require_fraction(self, "momentum", "alpha_betas")
        require_positive(self, "supernets")
        require(
            self.supernets == 1 or self.devices == 1,
            f"--supernets {self.supernets} are trained one after the other: leave out --devices",
        )
        require(
            self.supernets * (self.seed + 1) <= 2**32,
            f"--seed {self.seed} is too large for the seeds of {self.supernets} supernets: give at "
            f"most {2**32 // self.supernets - 1}",
        )
        require(
            not self.recompute or self.lowering == "fused",
            "--recompute is of the fused lowering: leave it out, or --lowering naive",
        )
        _ = self.simplification
        if self.method in METHODS:
            require_own_names(self.method)
            METHODS[self.method].check_options(self.options)

    @classmethod
    def from_settings(cls, **settings: Any) -> Self:
        """Return the configuration of flat settings, as the command line and run folders have them.

        A name that is none of a search's own settings is an option of its method; None: not given.

        Raises:
            ConfigError: a setting is out of range (its flag is named).
        """
        return cls(**_nested(settings, {}))

    def with_settings(self, **settings: Any) -> Self:
        """Return the configuration with flat settings in place of its own, as `from_settings`.

        Raises:
            ConfigError: a setting is out of range (its flag is named).
        """
        return replace(self, **_nested(settings, self.options))

    @override
    def settings(self) -> dict[str, Any]:
        values = super().settings()
        options = values.pop("options")
        return {**values, **options}

    @property
    def simplification(self) -> Simplification:
        """What is done to the supernet's graph."""
        return simplification(
            self.simplify,
            pointwise=self.pointwise,
            granularity=self.granularity,
            scale=self.scale,
        )

    def with_preset(self) -> Self:
        """Return the configuration with the settings of its preset that are not given.

        Raises:
            ConfigError: there is no such preset, or it has nothing to say of the method; or it
                makes images smaller, and costs are limited or weighed for no stated size.
        """
        options = preset_options(self.preset, self.method, self.space)
        given = self.settings()
        left = {name: value for name, value in options.items() if given.get(name) is None}
        if self.data == "digits" and not under_root("digits", self.data_root):  # of one size
            left.pop("image_size", None)
        if self.epochs is not None and "alpha_start" in left:
            left["alpha_start"] = at_share(left["alpha_start"], options["epochs"], self.epochs)
        priced = self.limits or self.objective is not None or self.pareto is not None
        if "image_size" in left and priced and self.deploy_image_size is None:
            raise ConfigError(
                f"--preset {self.preset} searches on images of {left['image_size']} pixels, and "
                f"costs count at the size that the found network will see: give that size with "
                f"--deploy-image-size"
            )
        return self.with_settings(**left)

    def build_method(self) -> Method:
        """Return the search method, with its options.

        Raises:
            ConfigError: there is none of that name, it has no such option, or two contradict each
                other.
        """
        method = get_method(self.method, **self.options)
        if self.pareto is not None:
            asked, reason = "--pareto", "a front needs what is cheap and what is dear to the end"
        elif self.supernets > 1:
            asked = "--supernets"
            reason = "supernets that drop candidates cannot compare each other's"
        else:
            return method
        for name, value in method.unpruned.items():
            if self.options.get(name, value) != value:
                raise ConfigError(
                    f"{asked} and --{name.replace('_', '-')} contradict each other: {reason}; "
                    f"leave out one of the two"
                )
        return replace(method, **method.unpruned)

    def ensemble_member(self, number: int) -> Self:
        """Return the search of one supernet of an ensemble, which can be resumed by itself."""
        priced = {*self.limits, *self.objective_weights}
        useless: tuple[str, ...] = ()  # without the front, which is the panel's
        if not priced:
            useless += ("deploy_channels", "deploy_cells", "deploy_image_size")
        if all(get_cost(name).kind != "measured" for name in priced):
            useless += ("latency_device", "latency_table")
        return self.with_settings(
            **dict.fromkeys(useless),
            out=self.out / f"supernet{number}",
            seed=self.supernets * self.seed + number,
            resume=True,
            supernets=1,
            finalists=1,  # the panel compares them
            spend=self.spend if self.limits else BudgetOptions.spend,
            pareto=None,
            **METHODS[self.method].unpruned,
        )

    def recipe(self, published: Recipe) -> Recipe:
        """The published settings, with those given here in their place.

        Of another number of epochs, what begins or ends on the way stays at its share of them.

        Raises:
            ConfigError: two of them contradict each other.
        """
        given = {field.name: getattr(self, field.name) for field in fields(Recipe)}
        chosen = {name: value for name, value in given.items() if value is not None}
        if self.epochs is not None:
            published = published.of_epochs(self.epochs)
        return Recipe(**{**asdict(published), **chosen})


def _nested(settings: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return flat settings with the method's options among them within `options`."""
    names = {one.name for one in fields(SearchConfig)}
    kept = {name: value for name, value in settings.items() if name in names}
    own = {name: value for name, value in settings.items() if name not in names}
    merged = {**options, **kept.get("options", {}), **own}
    return {**kept, "options": {name: v for name, v in merged.items() if v is not None}}


def require_own_names(method: str) -> None:
    """Check that no option of a method has the name of a setting of every search.

    Raises:
        ConfigError: one has (it is named).
    """
    for name in sorted(options_of(method) & {one.name for one in fields(SearchConfig)}):
        raise ConfigError(
            f"method {method!r}: its option {name} has the name of a setting of every search: "
            f"rename it"
        )


def require_alpha(method: Method, config: SearchConfig) -> None:
    """Check that what is asked of the answer can be told from alpha.

    Raises:
        ConfigError: there is none (the flag is named).
    """
    asked = {
        "--pareto": config.pareto is not None,
        "--finalists": config.finalists is not None,
        "--regularity": config.regularity > 0,
        "--objective": config.objective is not None,
        "--supernets": config.supernets > 1,
    }
    for flag, given in asked.items():
        if given and not method.learns:
            raise ConfigError(f"{flag} is about what alpha learned, and {config.method} has none")
