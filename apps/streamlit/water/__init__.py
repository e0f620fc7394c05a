"""The parts of the water-loss page, one a module: what is first, balance, leaks, orders, survey, what-if."""
