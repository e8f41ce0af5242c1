"""The SAM template of the API, and what SAM makes of it."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import boto3
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

TEMPLATE = Path(__file__).parents[1] / "sam_lambda" / "template.yaml"


def read():
    """Read the template."""
    return yaml_parse(TEMPLATE.read_text(encoding="utf-8"))


def expand(template, **parameters):
    """Give the resources that SAM makes of the template with these parameters."""
    given = {name: value.get("Default", "") for name, value in template["Parameters"].items()} | parameters
    body = copy.deepcopy(template)
    body["Resources"]["GenerateImageFunction"]["Properties"]["CodeUri"] = "s3://bucket/key"
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name="eu-west-1"))
    return translator.translate(body, parameter_values=given | {"CandidateNumber": "42"})["Resources"]


def api_document():
    """Give the OpenAPI document of the API that SAM hands to API Gateway, without what only CloudFormation can fill in."""
    document = json.loads(json.dumps(expand(read())["GenerateImageApi"]["Properties"]["Body"]))
    del document["servers"]
    return document | {"info": document["info"] | {"title": "couch-explorers-42-api"}}
