"""Contract of graph passes: settings, kind, conditions, result; a registry; pipelines.

A pass is an immutable value that transforms a network. Its kind says what is preserved:

- exact: the function and all its gradients;
- sharing: one-hot consistency. With all weight on one candidate, exactly that candidate is
  computed, with the slots that it was given;
- structural: only the conditions in `ensures` and the relations in `keeps`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pkgutil import walk_packages
from typing import ClassVar, Literal, TypeVar

from archwright.errors import ArchwrightError, GraphError
from archwright.graph.expr import is_zero
from archwright.graph.network import Cell, Network
from archwright.graph.ops import Conv
from archwright.graph.passes.diagnostics import Diagnostic, Report
from archwright.graph.traverse import walk_network
from archwright.graph.verify import verify, verify_discrete
from archwright.io.plugins import load_plugin, plugins

Kind = Literal["exact", "sharing", "structural"]


@dataclass(frozen=True)
class Condition:
    """Named condition on a network; `check` raises GraphError where it does not hold."""

    name: str
    check: Callable[[Network], None]


@dataclass(frozen=True)
class Invariant:
    """Named relation of the networks before and after a pass; `check` raises GraphError."""

    name: str
    check: Callable[[Network, Network], None]


@dataclass(frozen=True)
class PassResult:
    """Transformed network, whether it differs, and diagnostics of what was done and not done."""

    network: Network
    changed: bool
    diagnostics: tuple[Diagnostic, ...] = ()


def _check_fed(network: Network) -> None:
    for step in network.steps:
        cell = step.body
        if not isinstance(cell, Cell):
            continue
        for node in cell.inner():
            if all(is_zero(edge.body) for edge in cell.into(node)):
                raise GraphError(
                    f"nothing leads into node {node} of {step.name}: its width is open"
                )


def _check_plain(network: Network) -> None:
    for module in network.modules():
        if isinstance(module.primitive, Conv) and module.primitive.norm is not None:
            raise GraphError(f"the kernel of {module} in slot {module.slot} is normalised")


def _check_uniform(network: Network) -> None:
    convs = (m.primitive for m in network.modules() if isinstance(m.primitive, Conv))
    norms = dict.fromkeys(conv.norm for conv in convs if conv.norm is not None)
    if len(norms) > 1:
        raise GraphError(f"kernels are normalised in {len(norms)} ways: {[*map(str, norms)]}")


def _check_shapes(before: Network, after: Network) -> None:
    expected, found = walk_network(before), walk_network(after)
    if expected != found:
        name = next(n for n in expected if found.get(n) != expected[n])
        raise GraphError(f"{name} made {expected[name]} and now makes {found.get(name)}")


def _check_decisions(before: Network, after: Network) -> None:
    expected, found = set(before.decisions()), set(after.decisions())
    if expected != found:
        names = sorted(decision.name for decision in expected ^ found)
        raise GraphError(f"decisions appeared or are lost: {', '.join(names)}")


def _check_slots(before: Network, after: Network) -> None:
    known = {"", *(module.slot for module in before.modules())}
    if new := {module.slot for module in after.modules()} - known:
        raise GraphError(f"slots appeared: {', '.join(sorted(new))}")


VALID = Condition("a valid network", verify)
DISCRETE = Condition("a discrete network", verify_discrete)
FED_NODES = Condition("features in every node", _check_fed)
PLAIN_KERNELS = Condition("kernels without normalisation", _check_plain)
UNIFORM_KERNELS = Condition("kernels that are normalised in one way", _check_uniform)
SAME_SHAPES = Invariant("the shape of every step", _check_shapes)
SAME_DECISIONS = Invariant("all decisions", _check_decisions)
NO_NEW_SLOTS = Invariant("the slots", _check_slots)


@dataclass(frozen=True)
class Pass(ABC):
    """Transformation of a network, with its settings as fields.

    Attributes:
        name: name of the pass in errors and diagnostics.
        kind: what is preserved, see above.
        requires, ensures: conditions on the network before and after it.
        keeps: relations of the networks before and after it, which hold for every network and
            setting; checked by `verify`, and so in tests.
        idempotent: a second run changes nothing.
    """

    name: ClassVar[str]
    kind: ClassVar[Kind]
    requires: ClassVar[tuple[Condition, ...]] = (VALID,)
    ensures: ClassVar[tuple[Condition, ...]] = (VALID,)
    keeps: ClassVar[tuple[Invariant, ...]] = ()
    idempotent: ClassVar[bool] = True

    @abstractmethod
    def apply(self, network: Network, report: Report) -> Network:
        """Return the transformed network, and report what was done and what was not, and why."""

    def run(self, network: Network) -> PassResult:
        """Apply the pass without checking its conditions."""
        found: dict[Diagnostic, None] = {}
        made = self.apply(network, lambda diagnostic: found.setdefault(diagnostic))
        changed = made is not network and made != network
        return PassResult(made if changed else network, changed, tuple(found))

    def __call__(self, network: Network) -> PassResult:
        """Apply the pass, and check its conditions before and after.

        Raises:
            GraphError: a condition that the pass requires or ensures does not hold (pass and
                condition are named).
        """
        for condition in self.requires:
            with _named(f"{self.name} requires {condition.name}"):
                condition.check(network)
        result = self.run(network)
        for condition in self.ensures:
            if result.changed or condition not in self.requires:
                with _named(f"{self.name} does not give {condition.name}"):
                    condition.check(result.network)
        return result

    def verify(self, network: Network) -> PassResult:
        """Apply the pass, and check its whole contract: conditions and invariants.

        Raises:
            GraphError: as `__call__`, or an invariant does not hold.
        """
        result = self(network)
        for invariant in self.keeps:
            with _named(f"{self.name} does not keep {invariant.name}"):
                invariant.check(network, result.network)
        return result


def run_passes(network: Network, passes: Sequence[Pass], *, verify: bool = False) -> PassResult:
    """Run passes one after the other; with `verify`, check the contract of each.

    Raises:
        ArchwrightError: the error of the pass that failed, of the same class; the text names the
            pass and those before it.
    """
    diagnostics: dict[Diagnostic, None] = {}
    changed = False
    for position, one in enumerate(passes):
        before = ", ".join(p.name for p in passes[:position])
        with _named(f"{one.name} failed" + f" (after {before})" * bool(before)):
            result = one.verify(network) if verify else one.run(network)
        network, changed = result.network, changed or result.changed
        diagnostics.update(dict.fromkeys(result.diagnostics))
    return PassResult(network, changed, tuple(diagnostics))


@contextmanager
def _named(what: str) -> Generator[None]:
    """Prefix the text of an error raised inside by `what`."""
    try:
        yield
    except ArchwrightError as error:
        raise type(error)(f"{what}: {error}") from error


PLUGINS = "archwright.passes"
"""Group of the entry points through which other packages add passes, each of its pass's name."""

PASSES: dict[str, type[Pass]] = {}
"""Passes by name, of the modules that have been imported; `all_passes` imports the others."""

P = TypeVar("P", bound=type[Pass])


def register(cls: P) -> P:
    """Enter a pass into the registry.

    Raises:
        ValueError: there is another pass of that name.
    """
    if PASSES.setdefault(cls.name, cls) is not cls:
        raise ValueError(f"two passes are named {cls.name!r}: choose another name")
    return cls


def all_passes() -> dict[str, type[Pass]]:
    """Return every pass by its name: those of this package, and those of other installed ones.

    Raises:
        ConfigError: a package that adds a pass cannot be imported.
        GraphError: it does not register the pass that its entry point names.
    """
    package = import_module(__name__.rpartition(".")[0])
    for module in walk_packages(package.__path__, f"{package.__name__}."):
        import_module(module.name)
    for name, place in plugins(PLUGINS).items():
        found = load_plugin(place)
        if PASSES.get(name) is not found:
            raise GraphError(
                f"{place} does not register the pass {name!r} that its entry point names: decorate "
                f"the class with register, and set its name to {name!r}"
            )
    return dict(PASSES)
