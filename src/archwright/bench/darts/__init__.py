"""Study: how accurate are the networks that methods find in the DARTS space, once trained?"""
