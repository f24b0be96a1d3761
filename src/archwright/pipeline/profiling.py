"""Latencies of operations on this machine, for the budget of a build."""

from functools import partial

from archwright.backends.timing import benchmark_interleaved
from archwright.cost.expected.decision_table import DecisionTable
from archwright.cost.files import write_rows
from archwright.pipeline.plan import Plan
from archwright.pipeline.stages import TABLE
from archwright.profiling.profile import profile
from archwright.profiling.runtimes import runtime

_NETWORKS, _REPEATS = 24, 30


def measure_machine(plan: Plan) -> None:
    """Write the latency table of this machine, at the size of the final network; an existing one
    stays.

    The conditions are those of the exported file: one image, one CPU thread, onnxruntime.
    """
    path = plan.config.out / TABLE
    if path.exists():
        return
    found = profile(
        DecisionTable(plan.space, plan.size),
        runtime("onnxruntime", "cpu", 1),
        networks=_NETWORKS,
        counted="used",
        timer=partial(benchmark_interleaved, repeats=_REPEATS),
    )
    write_rows(path, found.rows("onnxruntime", "cpu", 1))
