"""Study: does a profiled latency table predict the time of whole networks on this machine?"""
