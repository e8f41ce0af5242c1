"""What AWS charges beside the pictures, in USD, in eu-west-1, without the free tiers. Pictures: `core.image_models`."""

from __future__ import annotations

# Collected in November 2026; what is billed stands on the pages named.
PRICES_AS_OF = "2026-11-25"

# By what is paid for.
SOURCES = {
    "Lambda": "https://aws.amazon.com/lambda/pricing/",
    "SQS": "https://aws.amazon.com/sqs/pricing/",
    "API Gateway": "https://aws.amazon.com/api-gateway/pricing/",
}

# Lambda: arm64, the first 7.5 billion GB-seconds of a month.
LAMBDA_GB_SECOND = 0.0000133334
LAMBDA_REQUEST = 0.20 / 1e6

# SQS: standard queues, up to 100 billion requests a month; each 64 KB of a message is a request.
SQS_REQUEST = 0.40 / 1e6

# API Gateway: REST APIs, the first 333 million requests of a month.
API_REQUEST = 3.50 / 1e6

# Lambda asks a queue all the time, whether there is anything in it or not: with 5 pollers, and each asks for up to 20 s.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html and
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
POLLERS = 5
POLL_S = 20

# What a container would cost in Lambda's place, arm64 on Fargate, by the hour: https://aws.amazon.com/fargate/pricing/
# (us-east-1's list price; the page has each region's).
FARGATE_VCPU_HOUR = 0.03238
FARGATE_GB_HOUR = 0.00356
