"""Study: do supernets rank architectures as stand-alone training does?"""
