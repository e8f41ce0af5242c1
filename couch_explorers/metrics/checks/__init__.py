"""The checks of a review, by the part of the system that they judge; each makes one `Finding` of the review's data."""
