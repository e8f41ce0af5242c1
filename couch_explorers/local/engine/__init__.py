"""The local cloud on LocalEmu: AWS's answers from there; what it lacks or answers otherwise from here.

Runs in an environment of its own (`local/environments/engine.in`); only `settings` and `lambda_runtime` are importable elsewhere.
"""
