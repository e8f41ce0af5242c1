"""The local cloud: real templates on one laptop, with rights enforced and an honest stand-in for the image models."""
