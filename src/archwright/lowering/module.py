"""Naive lowering: every expression is evaluated as it is written.

This is the supernet as the original DARTS code builds it, operation by operation, and the network
of a found architecture. Other lowerings must agree with it.

Legend: B batch, C channels, H height, W width.
"""

from dataclasses import replace
from functools import reduce
from operator import add, mul

import torch
from torch import Tensor, nn
from typing_extensions import override

from archwright.errors import GraphError
from archwright.graph import (
    INPUT,
    Cell,
    Chain,
    Choice,
    Concat,
    Decision,
    Edge,
    Expr,
    Network,
    Op,
    Option,
    Step,
)
from archwright.graph.expr import choices, identity_like, map_modules
from archwright.graph.masks import mask_widths, masked_channels
from archwright.lowering.kernels import Merged, Term, geometry, merged_kernels
from archwright.lowering.masks import channel_mask
from archwright.lowering.mixture import Mixture


class GraphModule(nn.Module):
    """Module that runs the graph of a network step by step.

    The keys of the state dict are slots (`slots.<slot>.weight`), independent of the expressions:
    a network can inherit the weights of another one with the same slots.

    Attributes:
        network: the graph.
        decisions: the open decisions; row e of a mixture belongs to the e-th.
        slots: the modules, by slot; those without state by their primitive.
        drop_path: probability with which an edge of a cell is dropped, for each image, in
            training (Larsson et al., FractalNet, ICLR 2017, as DARTS uses it). Identity-like edges
            are never dropped, nor is the only edge into a node.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.decisions: tuple[Decision, ...] = network.decisions()
        self.drop_path = 0.0
        self.slots = nn.ModuleDict()
        # a slot for stateless modules, too: while tracing, torch.compile cannot make up their keys
        self._steps = tuple(map(_keyed, network.steps))
        for module in network.modules():
            key = _slot_key(module)
            if key not in self.slots:
                self.slots[key] = module.primitive.build()
        self._rows = {decision.name: row for row, decision in enumerate(self.decisions)}
        self._last_use = {
            name: position for position, step in enumerate(network.steps) for name in step.inputs
        }

    @torch.no_grad()
    def inherit(self, other: "GraphModule") -> None:
        """Copy the weights and statistics of every slot from a network that has the same slots.

        Raises:
            GraphError: a slot is missing there, or holds another module (both are named).
        """
        hint = "depth, width and space must be the same"
        wanted, found = (
            {_slot_key(module): module.primitive for module in network.modules()}
            for network in (self.network, other.network)
        )
        for name, module in self.slots.items():
            if not module.state_dict():
                continue
            if name not in other.slots:
                raise GraphError(
                    f"weights cannot be inherited: the other network has no {name}; {hint}"
                )
            state = found[name].state_for(wanted[name], other.slots[name].state_dict())
            try:
                module.load_state_dict(state)
            except RuntimeError:
                raise GraphError(
                    f"weights cannot be inherited: {name} is another module in the other "
                    f"network; {hint}"
                ) from None

    @override
    def forward(
        self, images: Tensor, mixture: Mixture | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Return the logits [B, classes] of images [B, C, H, W], and the auxiliary logits or None.

        Auxiliary logits are computed in training mode only.

        Raises:
            GraphError: the network has open decisions and no mixture is given.
        """
        if self.decisions and mixture is None:
            raise GraphError("this network has open decisions: give a mixture to weigh them by")
        weights = _Weights(mixture, self._rows)
        made = {INPUT: images}
        auxiliary: Tensor | None = None
        for position, step in enumerate(self._steps):
            if step.name == self.network.auxiliary and not self.training:
                continue
            given = [made[name] for name in step.inputs]
            if isinstance(step.body, Cell):
                made[step.name] = self._cell(step.body, given, weights)
            else:
                made[step.name] = self._whole(step.body, given[0], weights)
            if step.name == self.network.auxiliary:
                auxiliary = made[step.name]
            for name in step.inputs:  # what is not read again may be freed
                if self._last_use[name] == position:
                    made.pop(name, None)
        return made[self.network.output], auxiliary

    def _cell(self, cell: Cell, given: list[Tensor], weights: "_Weights") -> Tensor:
        nodes = [
            self._eval(expr, features, weights)
            for expr, features in zip(cell.inputs, given, strict=True)
        ]
        for node in cell.inner():
            edges = [edge for edge in cell.into(node) if weights.runs(edge.body)]
            nodes.append(self._sum(edges, nodes, weights))
        outputs = [nodes[node] for node in cell.output]
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=1)

    def _sum(self, edges: list[Edge], nodes: list[Tensor], weights: "_Weights") -> Tensor:
        """Return the features of a node: the sum of the edges that end in it."""
        drop_path = self.drop_path if self.training and len(edges) > 1 else 0.0
        return reduce(add, (self._edge(e.body, nodes[e.source], weights, drop_path) for e in edges))

    def _edge(self, body: Expr, x: Tensor, weights: "_Weights", drop_path: float) -> Tensor:
        made = self._whole(body, x, weights)
        if not drop_path or identity_like(body):
            return made
        keep = 1.0 - drop_path
        mask = torch.empty(len(made), 1, 1, 1, device=made.device).bernoulli_(keep)
        return made * mask.to(made.dtype).div_(keep)

    def _whole(self, body: Expr, x: Tensor, weights: "_Weights") -> Tensor:
        """Evaluate an edge or a step, and multiply its output by the presence of the edge.

        Where candidates are sampled, their weights are multiplied there, too.
        """
        made = self._eval(body, x, weights)
        if weights.sampling:
            made = weights.of_sample(body, made)
        return weights.of_edge(body, made)

    def _eval(self, expr: Expr, x: Tensor, weights: "_Weights") -> Tensor:
        match expr:
            case Op():
                return self.slots[expr.slot](x)
            case Chain(items):
                for item in items:
                    x = self._eval(item, x, weights)
                return x
            case Concat(branches):
                return torch.cat([self._eval(b, x, weights) for b in branches], dim=1)
            case Choice() if weights.sampling:
                return self._eval(weights.sampled(expr).body, x, weights)
            case Choice(form="kernel"):
                return self._merged(expr, x, weights)
            case Choice(form="mask"):
                return self._masked(expr, x, weights)
            case Choice(_, options):  # stacked ones too: side by side is a sum
                parts = (
                    weights.of(expr, option) * self._eval(option.body, x, weights)
                    for option in options
                )
                return reduce(add, parts)

    def _merged(self, choice: Choice, x: Tensor, weights: "_Weights") -> Tensor:
        numbers = torch.stack([weights.of(choice, option) for option in choice.options])
        terms = (Term(option.body, index) for index, option in enumerate(choice.options))
        merged = Merged(geometry(choice), tuple(terms))
        (kernel,) = merged_kernels([merged], numbers, lambda module: self.slots[module.slot])
        return merged.geometry(x, kernel)

    def _masked(self, choice: Choice, x: Tensor, weights: "_Weights") -> Tensor:
        numbers = torch.stack([weights.of(choice, option) for option in choice.options])
        widths = mask_widths(choice)
        assert widths is not None, "a network is verified before it is lowered"
        return x * channel_mask(masked_channels(choice), widths, numbers).to(x.dtype)


class _Weights:
    """Scalar weights of options in a mixture, each computed once a forward pass."""

    def __init__(self, mixture: Mixture | None, rows: dict[str, int]) -> None:
        self._rows = rows
        self._mixture = mixture
        self._scalars = (
            [] if mixture is None else [row.unbind() for row in mixture.weights.unbind()]
        )
        present = None if mixture is None else mixture.edge_weights
        self._edge_weights = () if present is None else present.unbind()
        self._known: dict[tuple[str, frozenset[int], frozenset[int]], Tensor] = {}

    @property
    def sampling(self) -> bool:
        """Return whether only sampled candidates are executed."""
        return self._mixture is not None and self._mixture.sample is not None

    def sampled(self, choice: Choice) -> Option:
        """Return the option of the sampled candidate."""
        sample = self._sample(choice.decision.name)
        return next(option for option in choice.options if sample in option.members)

    def of_sample(self, body: Expr, made: Tensor) -> Tensor:
        """Weigh the output of the samples of a body; other candidates are added as scalars of zero.

        All weights are applied here and none within groups, where they would not learn: a batch
        norm behind a group cancels both the scale of the sampled candidate and an added scalar.
        """
        for decision in dict.fromkeys(choice.decision for choice in choices(body)):
            scalars = list(self._scalars[self._rows[decision.name]][: len(decision.candidates)])
            taken = scalars.pop(self._sample(decision.name))
            made = taken * made
            if taken.requires_grad and scalars:
                made = made + reduce(add, scalars)
        return made

    def of_edge(self, body: Expr, made: Tensor) -> Tensor:
        """Multiply the output of an edge by its weight."""
        if not self._edge_weights:
            return made
        decisions = dict.fromkeys(choice.decision.name for choice in choices(body))
        return reduce(mul, (self._edge_weights[self._rows[name]] for name in decisions), made)

    def runs(self, body: Expr) -> bool:
        """Return whether an edge is executed: not where one of its decisions has no sample."""
        return not self.sampling or all(
            self._sample(choice.decision.name) >= 0 for choice in choices(body)
        )

    def _sample(self, decision: str) -> int:
        assert self._mixture is not None, "asked for where there is a sample"
        assert self._mixture.sample is not None, "asked for where there is a sample"
        return self._mixture.sample[self._rows[decision]]

    def of(self, choice: Choice, option: Option) -> Tensor:
        """Return p(members | given), see `Mixture`."""
        row = self._rows[choice.decision.name]
        everything = len(choice.given) == len(choice.decision.candidates)
        if everything and len(option.members) == 1:
            return self._scalars[row][next(iter(option.members))]
        key = (choice.decision.name, option.members, choice.given)
        if key not in self._known:
            self._known[key] = self._sum(
                row, sorted(option.members), sorted(choice.given), everything
            )
        return self._known[key]

    def _sum(self, row: int, members: list[int], given: list[int], everything: bool) -> Tensor:
        assert self._mixture is not None, "checked by forward"
        if everything:
            return self._mixture.weights[row, members].sum()
        conditional = self._mixture.conditional(row, given)
        return conditional[[given.index(member) for member in members]].sum()


def _keyed(step: Step) -> Step:
    """Return `step` with the key of its module in every slot."""

    def keyed(expr: Expr) -> Expr:
        return map_modules(expr, lambda module, _: replace(module, slot=_slot_key(module)))

    if not isinstance(step.body, Cell):
        return replace(step, body=keyed(step.body))
    inputs = tuple(map(keyed, step.body.inputs))
    edges = tuple(replace(edge, body=keyed(edge.body)) for edge in step.body.edges)
    return replace(step, body=replace(step.body, inputs=inputs, edges=edges))


def _slot_key(module: Op) -> str:
    """Return the key of a module: its slot, or for one without state its primitive."""
    return module.slot or repr(module.primitive).replace(".", "_")
