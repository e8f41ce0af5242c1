"""CloudWatch to frame, to verdicts, to figures: what `notebooks/metric_review.ipynb` shows."""
