"""From a supernet to a network: which architecture, and with which weights."""

from archwright.derive.discretise import discretise, is_connected, random_architecture
from archwright.derive.restrict import restrict

__all__ = ["discretise", "is_connected", "random_architecture", "restrict"]
