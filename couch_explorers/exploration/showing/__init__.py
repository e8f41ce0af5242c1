"""Contact sheets, two pictures side by side, and the gallery of all runs."""
