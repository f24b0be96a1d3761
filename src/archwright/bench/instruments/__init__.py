"""Instruments of measurement: operator calls, peaks of memory, bytes of a step, threads."""
