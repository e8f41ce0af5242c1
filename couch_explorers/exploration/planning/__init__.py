"""What would be asked, and what it costs: axes, cells, lifecycle, expected time."""
