"""Questions to AWS that several parts ask: what is deployed, is a model still offered, who receives an alarm, what an error means.

The same code asks AWS and the local cloud. Both buckets are given by the course; on AWS they exist before anything is deployed.
"""

REGION = "eu-west-1"
PICTURE_BUCKET = "pgr301-couch-explorers"
STATE_BUCKET = "pgr301-2024-terraform-state"
