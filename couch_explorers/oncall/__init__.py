"""On call: the story of one job, and what to do with the jobs that were given up on."""
