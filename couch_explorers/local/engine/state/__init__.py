"""What the engine remembers: every change is on disk at most a second after it was acknowledged.

`saver.State` is the whole of it for the server: `restore`, `start`, `save`, `close`. `journal` is the file; `queues`, `objects`,
`logs` and `stores` say what of the engine is kept and how it comes back.
"""
