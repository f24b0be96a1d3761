"""Study: how much memory and time does a training step of a supernet take, by simplification?"""
