"""The exam's list of deliverables: read from the deployed system and from GitHub, and written into the pages."""
