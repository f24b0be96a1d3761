"""Study: which pruning method loses the fewest points at equal multiply-accumulates and latency?"""
