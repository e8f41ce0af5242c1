"""A worker of the exam's shape, as a yardstick: a loop over the batch, the prompt as the body, and no answer to a failure.

An exception ends the batch: all its messages come back, those too whose picture is painted, stored and paid for.
"""

import base64
import json
import os
import random
from typing import Any

import boto3

BUCKET_NAME = os.environ["BUCKET_NAME"]
MODEL_ID = "amazon.titan-image-generator-v1"
PREFIX = "images"
LARGEST_SEED = 2147483646

bedrock = boto3.client("bedrock-runtime", region_name="us-east-1")
s3 = boto3.client("s3")


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Paint and store one picture for each message of the batch."""
    for record in event["Records"]:
        seed = random.randint(0, LARGEST_SEED)  # noqa: S311 - chance, not secrecy
        request = {
            "taskType": "TEXT_IMAGE",
            "textToImageParams": {"text": record["body"]},
            "imageGenerationConfig": {
                "numberOfImages": 1,
                "quality": "standard",
                "cfgScale": 8.0,
                "height": 512,
                "width": 512,
                "seed": seed,
            },
        }
        answer = bedrock.invoke_model(modelId=MODEL_ID, body=json.dumps(request))
        picture = base64.b64decode(json.loads(answer["body"].read())["images"][0])
        s3.put_object(Bucket=BUCKET_NAME, Key=f"{PREFIX}/titan_{seed}.png", Body=picture)
    return {"statusCode": 200, "body": json.dumps("All messages of the batch are served.")}
