"""Markdown tables of README.md and docs, made from bench/results; see bench/tables.py."""
