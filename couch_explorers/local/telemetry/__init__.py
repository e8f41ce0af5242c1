"""What the local cloud measures of itself: metrics of queues, functions, the API and log lines."""
