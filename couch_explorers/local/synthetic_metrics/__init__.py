"""A synthetic week of metrics for the local cloud."""
