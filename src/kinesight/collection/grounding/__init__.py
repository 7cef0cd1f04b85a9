"""Spatial supervision from simulated episodes: plan once, draw often, ask what the simulator knows."""
