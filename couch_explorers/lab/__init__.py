"""Extend JupyterLab for `couch lab`: other defaults, and a kernel that leaves notebooks as they are in git."""
