"""The local cloud on LocalEmu, with what LocalEmu lacks or answers differently from AWS.

The server runs in a Python environment of its own (`local/environments/engine.in`), since LocalEmu pins botocore.
"""
