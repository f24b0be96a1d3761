"""Verifiers: conditions on a graph at each stage, checked between passes in the tests."""

from archwright.errors import GraphError
from archwright.graph.expr import Choice, Decision
from archwright.graph.masks import masked_channels
from archwright.graph.network import INPUT, Cell, Network
from archwright.graph.primitive import Primitive
from archwright.graph.traverse import walk_network


def verify(network: Network) -> None:
    """Check the conditions that every network meets, at any stage.

    Raises:
        GraphError: no steps or steps out of order, nodes out of range, shapes that disagree, a
            module with state but no slot, a slot claimed by two different primitives, auxiliary
            logits that another step reads, a choice whose options overlap, a mask with an option
            that does something else, or a decision whose candidates differ from place to place.
    """
    if not network.steps:
        raise GraphError("a network needs at least one step")
    known = {INPUT}
    for step in network.steps:
        if step.name in known:
            raise GraphError(f"two steps are named {step.name!r}")
        for name in step.inputs:
            if name not in known:
                raise GraphError(f"{step.name} reads {name!r}, which is not computed before it")
        known.add(step.name)
        if isinstance(step.body, Cell):
            _verify_cell(step.name, step.body, len(step.inputs))
        elif len(step.inputs) != 1:
            raise GraphError(f"{step.name} is an expression and reads {len(step.inputs)} inputs")
    if network.auxiliary:
        _verify_auxiliary(network)
    walk_network(network)
    _verify_slots(network)
    decisions: dict[str, Decision] = {}
    for choice in network.choices():
        _verify_choice(choice)
        decision = choice.decision
        if decisions.setdefault(decision.name, decision) != decision:
            raise GraphError(f"{decision.name} has other candidates at another place")


def verify_discrete(network: Network) -> None:
    """Check that `network` is valid and has no open decisions.

    Raises:
        GraphError: as `verify`, or a decision is open (it is named).
    """
    verify(network)
    for decision in network.decisions():
        raise GraphError(f"{decision.name} is undecided: derive the network first")


def _verify_auxiliary(network: Network) -> None:
    """Check the step of auxiliary logits, which is not computed in evaluation mode."""
    name = network.auxiliary
    if name not in {step.name for step in network.steps}:
        raise GraphError(f"there is no step {name!r} to take auxiliary logits from")
    if name == network.output or any(name in step.inputs for step in network.steps):
        raise GraphError(
            f"{name!r} computes auxiliary logits: no step can read it, and it cannot be the last"
        )


def _verify_cell(name: str, cell: Cell, inputs: int) -> None:
    if len(cell.inputs) != inputs:
        raise GraphError(f"{name} has {len(cell.inputs)} input nodes and reads {inputs} steps")
    last = len(cell.inputs) + cell.nodes
    for edge in cell.edges:
        if not (0 <= edge.source < edge.target and edge.target in cell.inner()):
            raise GraphError(f"{name}: edge {edge.source}->{edge.target} does not lead forward")
    targets = [edge.target for edge in cell.edges]
    if targets != sorted(targets):
        raise GraphError(f"{name}: edges are not ordered by the node that they end in")
    if not cell.output or any(not 0 <= node < last for node in cell.output):
        raise GraphError(f"{name}: output nodes {cell.output} are not all among 0 to {last - 1}")


def _verify_slots(network: Network) -> None:
    owners: dict[str, Primitive] = {}
    for module in network.modules():
        if module.primitive.stateful and not module.slot:
            raise GraphError(f"a module {module} has weights or statistics but names no slot")
        if "." in module.slot:
            raise GraphError(
                f"slot {module.slot}: a dot separates names in state dicts; leave it out"
            )
        owner = owners.setdefault(module.slot, module.primitive) if module.slot else None
        if owner not in (None, module.primitive):
            raise GraphError(
                f"slot {module.slot} is claimed by both {owner} and {module.primitive}"
            )


def _verify_choice(choice: Choice) -> None:
    seen: set[int] = set()
    for option in choice.options:
        if option.members & seen or not option.members:
            raise GraphError(f"{choice.decision.name}: options overlap or are empty")
        seen |= option.members
    if not seen <= choice.given <= set(range(len(choice.decision.candidates))):
        raise GraphError(f"{choice.decision.name}: options are outside of the given candidates")
    if choice.form == "mask":
        masked_channels(choice)
