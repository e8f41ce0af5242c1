"""The saved state of a local cloud: every change is written at most a second after it was acknowledged.

The server uses `saver.State`: `restore`, `start`, `save`, `close`. `journal` is the file; `queues`, `objects` and `stores` say what is
saved of SQS, of S3 and of every other service, and how it is restored.
"""
