"""Study: which way to prune loses the fewest points at equal multiply-accumulates and latency?"""
