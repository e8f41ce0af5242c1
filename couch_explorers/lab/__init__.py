"""What `couch lab` adds to JupyterLab: other defaults, and a kernel that leaves notebooks as git has them."""
