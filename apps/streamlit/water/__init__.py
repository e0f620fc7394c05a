"""The parts of the water-loss page, one a module: what the reader sees first, balance, leaks, orders, survey, what-if."""
