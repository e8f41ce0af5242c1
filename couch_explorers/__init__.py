"""The workspace of the people who run Couch Explorers."""
