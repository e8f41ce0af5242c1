"""The hand-in's list of deliverables: what is in it, read from the deployed system and from GitHub, written into the pages."""
