"""Lambda functions on a cloud under test."""

import io
import json
import zipfile
from contextlib import closing, contextmanager
from itertools import count

from tests.waiting import wait_until


def archive(files):
    """A zip that holds each file's text under its name."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as zipped:
        for name, text in files.items():
            zipped.writestr(name, text)
    return data.getvalue()


def role(cloud, name="functions", service="lambda.amazonaws.com", allowed="*"):
    """The ARN of a role that `service` may take, with the right to the actions `allowed` on everything."""
    with closing(cloud.client("iam")) as iam:
        return _role(iam, name, service, allowed)


def _role(iam, name, service, allowed):
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    try:
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    except iam.exceptions.EntityAlreadyExistsException:
        return iam.get_role(RoleName=name)["Role"]["Arn"]
    rights = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": allowed, "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=json.dumps(rights))
    return arn


class Functions:
    """Makes Lambda functions on a cloud; `cleared` deletes what was made."""

    _numbers = count(1)

    def __init__(self, cloud):
        self.client = cloud.client("lambda")
        self.role = role(cloud)
        self.made = []

    def create(self, code, *, name=None, handler="app.handler", files=None, **settings):
        """The name of a new, active function whose module `app` is `code`."""
        name = name or f"function-{next(self._numbers)}"
        self.client.create_function(
            **{"FunctionName": name, "Runtime": "python3.12", "Role": self.role, "Handler": handler, **settings},
            Code={"ZipFile": archive({"app.py": code, **(files or {})})},
        )
        self.made.append(name)
        wait_until(lambda: self.client.get_function(FunctionName=name)["Configuration"]["State"] == "Active", what=name)
        return name

    def invoke(self, name, event=None, **arguments):
        """The response with its payload parsed."""
        response = self.client.invoke(FunctionName=name, Payload=json.dumps(event or {}), **arguments)
        body = response["Payload"].read()
        return response | {"Payload": json.loads(body) if body else None}

    @contextmanager
    def cleared(self):
        try:
            yield self
        finally:
            for name in self.made:
                try:
                    self.client.delete_function(FunctionName=name)
                except self.client.exceptions.ResourceNotFoundException:
                    continue
            self.client.close()
