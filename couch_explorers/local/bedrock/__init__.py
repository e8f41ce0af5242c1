"""Bedrock of the local cloud: image models that can be called without an account."""
