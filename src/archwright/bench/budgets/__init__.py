"""Study: how far from the best network within a latency budget is the one that a search finds?"""
