"""Study: how well are latencies predicted from a few measured networks, and do bounds hold?"""
