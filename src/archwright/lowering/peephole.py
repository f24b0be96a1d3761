"""Exact rewritings of a plan: remove unused operations, and do not keep cheap values."""

from collections import Counter, defaultdict
from dataclasses import replace
from itertools import count

from archwright.graph import BatchNorm, Op, ReLU
from archwright.graph.ops import Pool
from archwright.lowering.kernels import Merged
from archwright.lowering.plan import (
    IMAGE,
    Call,
    ConvGroup,
    Convolve,
    FeatureMix,
    GetItem,
    Normalise,
    Operation,
    Plan,
    RecomputeRegion,
    WeightedSum,
    reads,
)


def optimise(plan: Plan, *, recompute: bool) -> None:
    """Apply every rewriting, in place.

    With `recompute`, of convolutions in series only the output of the last one is kept, which is
    the one before a batch norm or a sum.
    """
    fuse_activations(plan)
    drop_unused(plan)
    fuse_feature_sums(plan)
    if recompute:
        form_recompute_regions(plan)
    else:
        group_convs(plan)
    drop_unused(plan)


def drop_unused(plan: Plan) -> None:
    """Remove the operations that no output depends on."""
    needed = {plan.logits} | ({plan.auxiliary} if plan.auxiliary is not None else set())
    for value, operation in reversed(plan.operations.items()):
        if value in needed:
            needed.update(reads(operation))
    plan.operations = {v: operation for v, operation in plan.operations.items() if v in needed}


def fuse_activations(plan: Plan) -> None:
    """Let convolutions of relu(x), or of relu(bn(x)), read x, and recompute it in backward."""
    users = _users(plan)
    for value, operation in plan.operations.items():
        if not isinstance(operation, Convolve):
            continue
        made = plan.operations.get(operation.x)
        if not (isinstance(made, Call) and isinstance(made.module.primitive, ReLU)):
            continue
        plan.operations[value] = replace(operation, x=made.x, relu=True)
        norm = plan.operations.get(made.x)
        # a norm that others read would be computed, and count its batch, twice
        alone = len(users[made.x]) == len(users[operation.x]) == 1
        if alone and isinstance(norm, Normalise) and _is_plain(norm):
            fused = replace(operation, x=norm.x, relu=True, norm=norm.module)
            plan.operations[value] = fused


def _is_plain(norm: Normalise) -> bool:
    primitive = norm.module.primitive
    return isinstance(primitive, BatchNorm) and not primitive.affine and norm.coefficient is None


def fuse_feature_sums(plan: Plan) -> None:
    """Replace the weighted sums of a node and of its pools by one product that keeps x alone."""
    users = _users(plan)
    # by x, stride, and how often the sum has had the feature before
    tables: defaultdict[tuple[int, int, int], dict[int, dict[Op | None, int]]]
    tables = defaultdict(dict)
    for value, operation in plan.operations.items():
        if not isinstance(operation, WeightedSum):
            continue
        seen = Counter[tuple[int, Op | None]]()
        for term, coefficient in zip(operation.values, operation.coefficients, strict=True):
            if coefficient is not None:
                x, feature = _feature(plan, term, users[term])
                stride = 1 if feature is None else feature.primitive.stride
                again = seen[x, feature]
                seen[x, feature] += 1
                tables[x, stride, again].setdefault(value, {})[feature] = coefficient
    fresh = count(max(plan.operations, default=0) + 1)
    after: defaultdict[int, dict[int, Operation]] = defaultdict(dict)
    picked: defaultdict[int, list[int]] = defaultdict(list)
    for (x, *_), rows in tables.items():
        features = tuple(dict.fromkeys(feature for row in rows.values() for feature in row))
        table = tuple(tuple(row.get(feature) for feature in features) for row in rows.values())
        whole = next(fresh)
        after[x][whole] = FeatureMix(x, features, table)
        for row, target in enumerate(rows):
            part = next(fresh)
            after[x][part] = GetItem(whole, row)
            picked[target].append(part)
    mixed = dict(after[IMAGE])
    for value, operation in plan.operations.items():
        if isinstance(operation, WeightedSum):
            operation = _with_items(operation, picked[value])
        mixed[value] = operation
        mixed.update(after[value])
    plan.operations = mixed


def _with_items(total: WeightedSum, parts: list[int]) -> WeightedSum:
    plain = [v for v, c in zip(total.values, total.coefficients, strict=True) if c is None]
    values = (*plain, *parts)
    return WeightedSum(values, (None,) * len(values))


def form_recompute_regions(plan: Plan) -> None:
    """Replace convolutions in series by one operation that keeps its inputs alone."""
    users = _users(plan)

    def inner(value: int) -> list[tuple[int, Convolve | WeightedSum]]:
        """Return the operations of a value with one reader, in order; empty: the value is kept."""
        made = plan.operations.get(value)
        if len(users[value]) > 1:
            return []
        if isinstance(made, WeightedSum) and not any(c is not None for c in made.coefficients):
            parts = [inner(term) for term in made.values]
            return [*(o for part in parts for o in part), (value, made)] if all(parts) else []
        if isinstance(made, Convolve):
            before = [] if made.relu else inner(made.x)
            return [*before, (value, made)]
        return []

    for value, operation in plan.operations.items():
        if isinstance(operation, Convolve) and not operation.relu:
            before = inner(operation.x)
            if before:
                operations = (*before, (value, operation))
                made = {position for position, _ in operations}
                read = (x for _, inside in operations for x in reads(inside))
                inputs = tuple(dict.fromkeys(x for x in read if x not in made))
                plan.operations[value] = RecomputeRegion(inputs, operations)


def group_convs(plan: Plan) -> None:
    """Replace convolutions of the same relu(x) by one operation, which computes relu(x) once."""
    groups: defaultdict[int, dict[int, Merged]] = defaultdict(dict)
    for value, operation in plan.operations.items():
        if isinstance(operation, Convolve) and operation.relu and operation.norm is None:
            groups[operation.x][value] = operation.kernel
    fresh = count(max(plan.operations, default=0) + 1)
    grouped: dict[int, Operation] = {}
    for value, operation in plan.operations.items():
        group = groups[operation.x] if isinstance(operation, Convolve) else {}
        if value not in group or len(group) == 1:
            grouped[value] = operation
        elif value not in grouped:
            whole = next(fresh)
            grouped[whole] = ConvGroup(tuple(group.values()), reads(operation)[0])
            grouped.update((made, GetItem(whole, row)) for row, made in enumerate(group))
    plan.operations = grouped


def _feature(plan: Plan, value: int, users: list[Operation]) -> tuple[int, Op | None]:
    """Return `value` as a pool of another value, if only weighted sums read it; else unchanged."""
    made = plan.operations.get(value)
    if not isinstance(made, Call) or not isinstance(made.module.primitive, Pool):
        return value, None
    weighed = all(isinstance(user, WeightedSum) and _weighs(user, value) for user in users)
    return (made.x, made.module) if weighed else (value, None)


def _weighs(total: WeightedSum, value: int) -> bool:
    """Return whether a sum reads `value` with coefficients only."""
    terms = zip(total.values, total.coefficients, strict=True)
    return all(coefficient is not None for term, coefficient in terms if term == value)


def _users(plan: Plan) -> defaultdict[int, list[Operation]]:
    users: defaultdict[int, list[Operation]] = defaultdict(list)
    for operation in plan.operations.values():
        for value in reads(operation):
            users[value].append(operation)
    return users
