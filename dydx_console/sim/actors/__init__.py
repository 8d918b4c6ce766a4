"""Those who trade on the simulated chain: prices, makers, takers and the scripted demo trader."""
