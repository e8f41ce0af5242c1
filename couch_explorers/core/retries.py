"""When the queue's worker delivers a job again after a transient failure, and when it gives up."""

# Full jitter over 5 s · 2^(receives - 1): the first wait is about as long as a throttle lasts, ten receives outlast an
# outage of half an hour.
BACKOFF_BASE_S = 5
BACKOFF_CAP_S = 900
# As `max_receive_count` in infra/queue.tf.
MAX_RECEIVES = 10


def backoff_ceiling_s(receives: int) -> int:
    """The longest wait, in seconds, before the delivery that follows this many receives; the wait is drawn from 0 to it."""
    return min(BACKOFF_CAP_S, int(BACKOFF_BASE_S * 2 ** (receives - 1)))
