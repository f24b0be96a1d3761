"""Where a lowered network keeps its modules."""

from archwright.ir import Module


def slot_key(module: Module) -> str:
    """The key of a module: its slot, or for one without state what it does."""
    return module.slot or repr(module.primitive).replace(".", "_")
