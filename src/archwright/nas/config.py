"""Configuration of a search."""

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
    """Search an architecture by gradient descent. Defaults are those that the method published."""

    out: Path
    """Run folder."""
    space: str = "nasbench201"
    """Search space: nasbench201, darts, spos, or a Python file that declares a space."""
    method: str = "darts"
    """Search method, by its name in the registry `nas.methods`."""
    preset: str = "paper"
    """Named group of settings: paper (as published), proxy (minutes on two cores) or another of the
    method. Settings that are given beside it take precedence."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False, metadata=NO_FLAG)
    """Options of the method, by name; on the command line each is a flag of its own."""
    supernets: int = 1
    """Number of supernets in an ensemble, trained one after the other with different seeds in
    folders within --out. The architecture is derived from the mean of their weights of candidates,
    and finalists are compared by their mean loss. The time grows with the number; the result
    depends less on the seed."""
    simplify: str = "all"
    """Simplifications of the supernet's graph: none, all, or a +-joined subset of pms, fms, merge
    and norm (partial and floating module sharing, linear merge, kernel normalisation)."""
    lowering: Literal["fused", "naive"] = "fused"
    """Lowering of the graph: fused (exact optimisations over all cells) or naive (as written)."""
    recompute: bool = False
    """Store fewer activations for backward, and recompute them there (fused lowering)."""
    pointwise: Pointwise = "shared"
    """Treatment of the pointwise convolutions in separable ones."""
    granularity: Granularity = "filter"
    """Weights that are normalised together: a whole kernel, or each filter."""
    scale: Scale = "norm"
    """Scale of normalised kernels: unit deviation of their taps, or unit norm."""
    derivation: Derivation = "flat"
    """Ranking of candidates: each alone, as published (flat), or first groups of candidates that
    share modules, by the sum of their weights (nested). nested is a prior: the sum favours large
    groups before anything is learned (convolutions in nasbench201). Without sharing both are
    equal."""
    keep_null: bool | None = None
    """Allow none to be selected by its own weight where a node keeps all edges. Default: only with
    diffgraph, which weighs connections. In other methods, as in DARTS (section 2.4), this weight
    only scales a node, and an edge is left out only if a budget requires it."""
    watch: bool | None = None
    """Measure the collapse indicators that take time: discretisation gap and curvature. Default:
    yes, if alpha learns."""
    stop_early: StopRule = "none"
    """Early stopping rule, which also chooses the epoch whose alpha is used: two skips in a normal
    cell (skips), a rise of the curvature (eigenvalue), or a stable ranking (stable)."""
    channels: int | None = None
    """Width of the supernet at full resolution."""
    cells: int | None = None
    """Depth: cells per stage in nasbench201, all cells in darts, blocks in spos."""
    epochs: int | None = None
    """Epochs over the half of the training images that trains the weights."""
    batch_size: int | None = None
    """Images per step, over all processes."""
    lr: float | None = None
    """Largest learning rate of the weights."""
    lr_min: float | None = None
    """Learning rate of the weights at the end."""
    momentum: float | None = None
    """Momentum of SGD on the weights."""
    nesterov: bool | None = None
    """Use Nesterov's momentum."""
    weight_decay: float | None = None
    """Weight decay of the weights."""
    clip: float | None = None
    """Largest gradient norm of the weights; larger gradients are clipped."""
    warmup_epochs: float | None = None
    """Epochs over which the learning rate of the weights rises from zero."""
    alpha_lr: float | None = None
    """Learning rate of alpha (Adam)."""
    alpha_lr_min: float | None = None
    """Learning rate of alpha at the end of a cosine schedule. Default: a constant rate."""
    alpha_betas: tuple[float, float] | None = None
    """Adam's decay rates for alpha."""
    alpha_weight_decay: float | None = None
    """Weight decay of alpha."""
    alpha_init: float | None = None
    """Standard deviation of the initial alpha."""
    alpha_start: int | None = None
    """First epoch in which alpha is trained, from 0."""
    alpha_first: bool | None = None
    """Train alpha before the weights in each step."""

    def __post_init__(self) -> None:
        """Check each setting by itself; `Recipe` checks their combination.

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
            "--recompute needs the fused lowering: leave out --recompute, or --lowering naive",
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
        """Simplification of the supernet's graph."""
        return simplification(
            self.simplify,
            pointwise=self.pointwise,
            granularity=self.granularity,
            scale=self.scale,
        )

    def with_preset(self) -> Self:
        """Return the configuration, completed by the settings of its preset.

        Raises:
            ConfigError: there is no such preset, or the method has none of that name; or it makes
                images smaller, and costs are limited or weighed without a deployment size.
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
                f"costs depend on the image size of the found network: give it with "
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
            asked = "--pareto"
            reason = "a front needs the cheapest and the dearest candidates until the end"
        elif self.supernets > 1:
            asked = "--supernets"
            reason = "a supernet without some candidates cannot evaluate all finalists"
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
        useless: tuple[str, ...] = ()  # without the front, which is the ensemble's
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
            finalists=1,  # the ensemble compares them
            spend=self.spend if self.limits else BudgetOptions.spend,
            pareto=None,
            **METHODS[self.method].unpruned,
        )

    def recipe(self, published: Recipe) -> Recipe:
        """Return the published settings, replaced by those given here.

        With another number of epochs, the start of alpha and the warmup are scaled with it.

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
    """Check that options that need alpha are given only where alpha learns.

    Raises:
        ConfigError: alpha does not learn (the flag is named).
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
            raise ConfigError(
                f"{flag} needs alpha, which {config.method} does not learn: leave it out"
            )
