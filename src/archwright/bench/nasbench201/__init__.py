"""Study: how accurate are the cells that methods find in NAS-Bench-201, and what does it cost?"""
