"""Fused lowering: the function of the naive one, in fewer and larger operations.

Every optimisation is exact (see `plan` and `peephole`): outputs, gradients and running statistics
equal those of the naive lowering to rounding.

Legend: B batch, C channels, H height, W width, N coefficients.
"""

from collections import defaultdict
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from archwright.errors import GraphError
from archwright.graph import Network, Op
from archwright.lowering.coefficients import Coefficients, index_tensor
from archwright.lowering.functions import (
    Checkpoint,
    MixFeatures,
    NormReluConv,
    ReluConvs,
    mix_features,
)
from archwright.lowering.kernels import Merged, merged_kernels
from archwright.lowering.masks import channel_mask
from archwright.lowering.mixture import Mixture
from archwright.lowering.module import GraphModule
from archwright.lowering.peephole import optimise
from archwright.lowering.plan import (
    IMAGE,
    Call,
    ConcatFeatures,
    ConvGroup,
    Convolve,
    FeatureMix,
    GetItem,
    MaskChannels,
    Normalise,
    Operation,
    Plan,
    RecomputeRegion,
    WeightedSum,
    reads,
)

Value = Tensor | tuple[Tensor, ...]
"""Value of an operation: several tensors of a feature mix or a group of convolutions."""


class FusedNetwork(GraphModule):
    """Supernet with exact optimisations over all its cells.

    Attributes:
        keeps_all: keep for backward everything that autograd would. Gradients can then be
            differentiated again; otherwise cheap values are recomputed in backward.
    """

    def __init__(self, network: Network, *, recompute: bool = False) -> None:
        """Lower `network`.

        With `recompute`, convolutions that only convolutions read are not kept either: the
        memory of a separable conv goes to a third, for a third more time.
        """
        super().__init__(network)
        self.keeps_all = False
        self._recompute = recompute
        self._programs: dict[tuple[bool, bool], _Program] = {}
        for training in (True, False):
            self._program(training, present=False)

    def _program(self, training: bool, *, present: bool) -> "_Program":
        """Return the program for training or evaluation, with or without the presence of edges."""
        if (training, present) not in self._programs:
            keyed = replace(self.network, steps=self._steps)
            coefficients = Coefficients(self.decisions)
            plan = Plan(keyed, coefficients, auxiliary=training, present=present)
            program = _Program(plan, coefficients, recompute=self._recompute)
            for alias, known in plan.aliases.items():
                self.slots[alias] = self.slots[known]
            self._programs[training, present] = program
        return self._programs[training, present]

    @override
    def forward(
        self, images: Tensor, mixture: Mixture | None = None
    ) -> tuple[Tensor, Tensor | None]:
        if self.drop_path:
            raise GraphError("the fused lowering has no drop path: use GraphModule")
        if self.decisions and mixture is None:
            raise GraphError("this network has open decisions: give a mixture to weigh them by")
        if images.device.type == "cpu":
            images = images.contiguous(memory_format=torch.channels_last)
        if mixture is not None and mixture.sample is not None:
            return super().forward(images, mixture)  # a path of its own: nothing runs side by side
        present = mixture is not None and mixture.edge_weights is not None
        program = self._program(self.training, present=present)
        executor = Executor(self, program, mixture)
        values: dict[int, Value] = {IMAGE: images}
        for value, operation in program.plan.operations.items():
            values[value] = executor.execute(operation, values)
            for last in program.frees[value]:  # what is not read again may be freed
                del values[last]
                executor.forget(last)
        auxiliary = program.plan.auxiliary
        return _one(values[program.plan.logits]), (
            None if auxiliary is None else _one(values[auxiliary])
        )


class _Program:
    """Plan, with everything that can be computed before it runs."""

    def __init__(self, plan: Plan, coefficients: Coefficients, *, recompute: bool) -> None:
        optimise(plan, recompute=recompute)
        self.plan, self.coefficients = plan, coefficients
        groups: defaultdict[object, list[Merged]] = defaultdict(list)
        last: dict[int, int] = {}
        for value, operation in plan.operations.items():
            for kernel in _kernels(operation):
                groups[kernel.structure].append(kernel)
            last.update(dict.fromkeys(reads(operation), value))
        self.groups = list(groups.values())
        self.frees: defaultdict[int, list[int]] = defaultdict(list)
        for value, user in last.items():
            if value not in (plan.logits, plan.auxiliary):
                self.frees[user].append(value)


def _kernels(operation: Operation) -> list[Merged]:
    """Return the kernels of an operation."""
    match operation:
        case Convolve(kernel):
            return [kernel]
        case ConvGroup(kernels):
            return list(kernels)
        case RecomputeRegion(_, inside):
            return [kernel for _, one in inside for kernel in _kernels(one)]
        case _:
            return []


class Executor:
    """Executor of a program in one forward pass, with the coefficients and kernels of a mixture."""

    def __init__(self, network: FusedNetwork, program: _Program, mixture: Mixture | None) -> None:
        self._network = network
        numbers = None if mixture is None else program.coefficients.evaluate(mixture)
        self._numbers = numbers
        self._scalars = () if numbers is None else numbers.unbind()
        self._kernels: dict[Merged, Tensor] = {}
        for group in program.groups:
            made = merged_kernels(group, numbers, self._slot)
            self._kernels.update(zip(group, made, strict=True))
        # under a compiler, which decides itself what to keep, plain operations are best
        self._recomputes = (
            torch.is_grad_enabled() and not network.keeps_all and not torch.compiler.is_compiling()
        )
        self._activations: dict[int, Tensor] = {}

    def execute(self, operation: Operation, values: dict[int, Value]) -> Value:
        """Return the value of an operation."""
        match operation:
            case Call(module, x):
                return self._slot(module)(_one(values[x]))
            case Normalise(module, coefficient, x):
                scale = None if coefficient is None else self._scalars[coefficient]
                return _normalise(self._norm(module), _one(values[x]), scale)
            case Convolve():
                kernel = self._kernels[operation.kernel]
                return self._convolve(operation, _one(values[operation.x]), kernel)
            case MaskChannels():
                return self._masked(operation, _one(values[operation.x]))
            case ConvGroup():
                return self._conv_group(operation, _one(values[operation.x]))
            case WeightedSum(terms, coefficients):
                parts = (
                    _one(values[x]) if c is None else self._scalars[c] * _one(values[x])
                    for x, c in zip(terms, coefficients, strict=True)
                )
                return _sum(list(parts))
            case ConcatFeatures(parts):
                return torch.cat([_one(values[x]) for x in parts], dim=1)
            case FeatureMix():
                return self._feature_mix(operation, _one(values[operation.x]))
            case GetItem(x, row):
                return values[x][row]
            case RecomputeRegion(inputs):
                return self._recompute_region(operation, [_one(values[x]) for x in inputs])

    def forget(self, value: int) -> None:
        """Free the activation of a value that no later operation reads."""
        self._activations.pop(value, None)

    def _slot(self, module: Op) -> nn.Module:
        return self._network.slots[module.slot]

    def _norm(self, module: Op) -> nn.BatchNorm2d:
        norm = self._slot(module)
        assert isinstance(norm, nn.BatchNorm2d), "a batch norm is built as one"
        return norm

    def _convolve(
        self, operation: Convolve, x: Tensor, kernel: Tensor, *, again: bool = False
    ) -> Tensor:
        """Convolve; `again`: without counting the batch into running statistics twice."""
        geometry = operation.kernel.geometry
        if not operation.relu:
            return geometry(x, kernel)
        norm = None if operation.norm is None else self._norm(operation.norm)
        if not self._recomputes or (norm is not None and not norm.training):
            normed = x if norm is None else norm(x)
            active = functional.relu(normed) if again else self._activation(operation.x, normed)
            return geometry(active, kernel)
        if norm is None:
            with torch.no_grad():
                # in a recomputation nothing is held on to: backward frees as it goes
                active = functional.relu(x) if again else self._activation(operation.x, x)
            (made,) = ReluConvs.apply(x, active, (geometry,), kernel)
            return made
        statistics = (None, None) if again else (norm.running_mean, norm.running_var)
        momentum = 0.0 if again else _count_batch(norm)
        with torch.no_grad():
            normed, mean, deviation = torch.native_batch_norm(
                x, None, None, *statistics, True, momentum, norm.eps
            )
            active = functional.relu_(normed)
        return NormReluConv.apply(x, active, mean, deviation, kernel, geometry, norm.eps)

    def _masked(self, operation: MaskChannels, x: Tensor) -> Tensor:
        assert self._numbers is not None, "coefficients need a mixture"
        weights = self._numbers[index_tensor(operation.coefficients, x.device)]
        return x * channel_mask(operation.channels, operation.widths, weights).to(x.dtype)

    def _conv_group(self, operation: ConvGroup, x: Tensor) -> tuple[Tensor, ...]:
        kernels = [self._kernels[kernel] for kernel in operation.kernels]
        geometries = [kernel.geometry for kernel in operation.kernels]
        if not self._recomputes:
            active = functional.relu(x)
            pairs = zip(geometries, kernels, strict=True)
            return tuple(geometry(active, kernel) for geometry, kernel in pairs)
        with torch.no_grad():
            active = functional.relu(x)
        return ReluConvs.apply(x, active, geometries, *kernels)

    def _recompute_region(self, operation: RecomputeRegion, inputs: list[Tensor]) -> Tensor:
        kernels = [self._kernels[kernel] for kernel in _kernels(operation)]

        def run(*tensors: Tensor, again: bool = False) -> Tensor:
            values = dict(zip(operation.inputs, tensors, strict=False))
            rest = iter(tensors[len(operation.inputs) :])
            made = tensors[0]
            for value, one in operation.operations:
                if isinstance(one, Convolve):
                    made = self._convolve(one, values[one.x], next(rest), again=again)
                else:
                    made = _sum([values[x] for x in one.values])
                values[value] = made
            return made

        if self._recomputes:
            return Checkpoint.apply(run, *inputs, *kernels)
        return run(*inputs, *kernels)

    def _activation(self, x: int, features: Tensor) -> Tensor:
        """Return relu(features) of value x, computed once for all convolutions that read it."""
        if x not in self._activations:
            self._activations[x] = functional.relu(features)
        return self._activations[x]

    def _feature_mix(self, operation: FeatureMix, x: Tensor) -> tuple[Tensor, ...]:
        assert self._numbers is not None, "coefficients need a mixture"
        weights = self._table(operation.rows)
        features = [None if f is None else self._slot(f) for f in operation.features]
        if self._recomputes:
            return MixFeatures.apply(x, weights, features)
        return mix_features([x if f is None else f(x) for f in features], weights)

    def _table(self, rows: tuple[tuple[int | None, ...], ...]) -> Tensor:
        """Return the coefficients [J, K], 0 where there is none."""
        assert self._numbers is not None, "coefficients need a mixture"
        padded = functional.pad(self._numbers, (0, 1))
        last = len(self._numbers)
        flat = tuple(last if c is None else c for row in rows for c in row)
        return padded[index_tensor(flat, padded.device)].view(len(rows), -1)


def _sum(parts: list[Tensor]) -> Tensor:
    """Add up at least one tensor; the running sum is updated in place."""
    if len(parts) == 1:
        return parts[0]
    total = parts[0] + parts[1]
    for part in parts[2:]:
        total += part
    return total


def _one(value: Value) -> Tensor:
    assert isinstance(value, Tensor), (
        "only a feature mix and a group of convolutions make several tensors"
    )
    return value


def _normalise(norm: nn.BatchNorm2d, x: Tensor, scale: Tensor | None) -> Tensor:
    """Return `scale` times the norm of x, computed by scaling the norm's own scale and shift."""
    if scale is None:
        return norm(x)
    # laid out in memory: torch's kernel for channels-last reads a weight of stride 0 out of bounds
    weight = norm.weight * scale if norm.affine else scale.expand(x.shape[1]).contiguous()
    bias = norm.bias * scale if norm.affine else None
    momentum = _count_batch(norm) if norm.training else 0.0
    return functional.batch_norm(
        x, norm.running_mean, norm.running_var, weight, bias, norm.training, momentum, norm.eps
    )


def _count_batch(norm: nn.BatchNorm2d) -> float:
    """Count a batch as the module itself would; return the momentum of its running statistics."""
    assert norm.num_batches_tracked is not None, "statistics are tracked"
    norm.num_batches_tracked.add_(1)
    if norm.momentum is None:  # a plain mean over all batches
        return 1.0 / float(norm.num_batches_tracked)
    return norm.momentum
