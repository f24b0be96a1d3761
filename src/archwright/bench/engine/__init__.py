"""Shared parts of all studies: options, arms, results files, tables, statistics, freezes."""
