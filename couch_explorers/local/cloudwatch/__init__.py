"""CloudWatch of the local cloud: the metric store, metric data and math, and alarms; no engine in it."""
