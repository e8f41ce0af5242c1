"""The local cloud's own metrics: of queues, functions, the API and log lines."""
