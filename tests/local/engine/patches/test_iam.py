"""Who may do what on LocalEmu: signatures, policies, sessions and what services check before they act for somebody."""

import base64
import hashlib
import io
import json
import time
import zipfile
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

ACCOUNT, OTHER_ACCOUNT = "000000000000", "111111111111"
GITHUB = "token.actions.githubusercontent.com"


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trust(principal, action="sts:AssumeRole", **more):
    return document({"Effect": "Allow", "Principal": principal, "Action": action, **more})


def session(key, secret="any", token=None):
    return boto3.Session(key, secret, token, region_name="eu-west-1")


def of(credentials):
    return session(credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials.get("SessionToken"))


def refused(call, *arguments, **keywords):
    """Status, code and message of a refusal; nothing where the call is allowed."""
    try:
        call(*arguments, **keywords)
    except ClientError as error:
        answer = error.response
        return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"].get("Message", "")
    return None


def client_of(cloud, service, credentials, **arguments):
    """A client of the cloud with credentials of its own, which asks once."""
    config = Config(retries={"total_max_attempts": 1}).merge(arguments.pop("config", Config()))
    return cloud.client(service, session=credentials, endpoint_url=cloud.endpoint, config=config, **arguments)


class Somebody:
    """An IAM user with an access key."""

    def __init__(self, cloud):
        self.name = f"ada-{uuid4().hex[:8]}"
        self.iam = cloud.client("iam")
        self.arn = self.iam.create_user(UserName=self.name)["User"]["Arn"]
        self.key = self.iam.create_access_key(UserName=self.name)["AccessKey"]
        self.cloud = cloud

    def may(self, *statements):
        self.iam.put_user_policy(UserName=self.name, PolicyName="may", PolicyDocument=document(*statements))
        return self

    def client(self, service, **arguments):
        return client_of(self.cloud, service, of(self.key), **arguments)

    def role(self, policy=None, **trusted):
        name = f"role-{uuid4().hex[:8]}"
        trusted = trusted or {"principal": {"AWS": self.arn}}
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(**trusted))["Role"]["Arn"]
        if policy:
            self.iam.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=document(*policy))
        return arn


@pytest.fixture
def user(engine_cloud):
    return Somebody(engine_cloud)


@pytest.fixture
def queue(engine_cloud):
    return engine_cloud.client("sqs").create_queue(QueueName=f"q-{uuid4().hex[:8]}")["QueueUrl"]


@pytest.fixture
def bucket(engine_cloud):
    s3, name = engine_cloud.client("s3"), f"b-{uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket=name, Key="42/a", Body=b"a")
    s3.put_object(Bucket=name, Key="43/b", Body=b"b")
    return name


def queue_arn(url):
    return f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{url.rsplit('/', 1)[-1]}"


CALLS = {
    # service → call, code of an unknown key, code of a wrong signature, code where no policy allows, status of JSON's errors
    "sqs": (lambda c: c.list_queues(), "InvalidClientTokenId", "SignatureDoesNotMatch", "AccessDenied", 403),
    "sns": (lambda c: c.list_topics(), "InvalidClientTokenId", "SignatureDoesNotMatch", "AuthorizationError", 403),
    "iam": (lambda c: c.list_users(), "InvalidClientTokenId", "SignatureDoesNotMatch", "AccessDenied", 403),
    "cloudwatch": (lambda c: c.list_metrics(), "InvalidClientTokenId", "SignatureDoesNotMatch", "AccessDenied", 403),
    "cloudformation": (lambda c: c.list_stacks(), "InvalidClientTokenId", "SignatureDoesNotMatch", "AccessDenied", 403),
    "s3": (lambda c: c.list_buckets(), "InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", 403),
    "lambda": (
        lambda c: c.list_functions(),
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "AccessDeniedException",
        403,
    ),
    "logs": (
        lambda c: c.describe_log_groups(),
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "AccessDeniedException",
        400,
    ),
    "bedrock": (
        lambda c: c.list_foundation_models(),
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "AccessDeniedException",
        403,
    ),
}


@pytest.mark.parametrize("service", CALLS)
def test_refusals_are_the_services_own_errors(engine_cloud, user, service):
    call, unknown, mismatch, denied, status = CALLS[service]
    stranger = client_of(engine_cloud, service, session("AKIAQAAAAAAAAAAAAAAA"))
    impostor = client_of(engine_cloud, service, session(user.key["AccessKeyId"], "another"))

    assert refused(call, stranger)[:2] == (status, unknown)
    assert refused(call, impostor)[:2] == (status, mismatch)
    assert refused(call, user.client(service))[:2] == (status, denied)
    assert f"User: {user.arn} is not authorized to perform: " in refused(call, user.client(service))[2]


def test_message_of_a_denied_call_is_that_of_aws(user, queue):
    assert refused(user.client("sqs").send_message, QueueUrl=queue, MessageBody="x") == (
        403,
        "AccessDenied",
        (
            f"User: {user.arn} is not authorized to perform: sqs:sendmessage on resource: {queue_arn(queue)} "
            "because no identity-based policy allows the sqs:sendmessage action"
        ),
    )


def test_root_signs_with_any_secret_in_any_account(engine_cloud):
    for account in (ACCOUNT, OTHER_ACCOUNT):
        identity = client_of(engine_cloud, "sts", session(account, "whatever")).get_caller_identity()

        assert identity["Arn"] == f"arn:aws:iam::{account}:root"


def test_prefix_of_a_listing_is_a_condition(user, bucket):
    condition = {"StringLike": {"s3:prefix": "42/*"}}
    user.may(allow("s3:ListBucket", f"arn:aws:s3:::{bucket}", Condition=condition))
    s3 = user.client("s3")

    assert refused(s3.list_objects_v2, Bucket=bucket, Prefix="42/") is None
    assert refused(s3.list_objects_v2, Bucket=bucket, Prefix="43/")[1] == "AccessDenied"
    assert refused(s3.list_objects_v2, Bucket=bucket)[1] == "AccessDenied"


def test_missing_key_is_reported_only_with_permission_to_list(user, bucket):
    user.may(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
    s3 = user.client("s3")
    assert refused(s3.get_object, Bucket=bucket, Key="none")[:2] == (403, "AccessDenied")

    user.may(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"), allow("s3:ListBucket", f"arn:aws:s3:::{bucket}"))

    assert refused(s3.get_object, Bucket=bucket, Key="none")[:2] == (404, "NoSuchKey")


def fetch(url):
    try:
        with urlopen(Request(url), timeout=60) as answer:
            return answer.status
    except HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_presigned_url_is_held_against_its_signature(engine_cloud, user, bucket, version):
    user.may(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/42/*"))
    config = Config(signature_version=version)
    impostor = client_of(engine_cloud, "s3", session(user.key["AccessKeyId"], "another"), config=config)

    def url(client, key="42/a"):
        return client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=600)

    assert fetch(url(user.client("s3", config=config))) == 200
    assert fetch(url(user.client("s3", config=config)).replace("42/a", "43/b")) == 403
    assert fetch(url(user.client("s3", config=config), "43/b")) == 403
    assert fetch(url(impostor)) == 403
    assert fetch(url(engine_cloud.client("s3", config=config), "43/b")) == 200
    assert fetch(f"{engine_cloud.endpoint}/{bucket}/42/a") == 403


def test_missing_bucket_is_reported_to_everybody(engine_cloud, user):
    assert refused(user.client("s3").list_objects_v2, Bucket="no-such-bucket-here")[:2] == (404, "NoSuchBucket")
    assert fetch(f"{engine_cloud.endpoint}/no-such-bucket-here") == 404


def test_upload_of_a_user_is_stored_unchanged(user, bucket):
    user.may(allow("s3:*", f"arn:aws:s3:::{bucket}/*"))
    content = bytes(range(256)) * 4000  # a megabyte: compared by its hash, as a difference that long is no help

    user.client("s3").put_object(Bucket=bucket, Key="a b/ø+c", Body=content)

    stored = user.client("s3").get_object(Bucket=bucket, Key="a b/ø+c")["Body"].read()
    assert hashlib.sha256(stored).hexdigest() == hashlib.sha256(content).hexdigest()


def test_queue_policy_allows_and_denies(engine_cloud, user, queue):
    sqs, arn = engine_cloud.client("sqs"), queue_arn(queue)
    send = user.client("sqs").send_message
    stranger = client_of(engine_cloud, "sqs", session(OTHER_ACCOUNT)).send_message

    def policy(*statements):
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": document(*statements)})

    policy({**allow("sqs:SendMessage", arn), "Principal": {"AWS": [user.arn, OTHER_ACCOUNT]}})
    assert refused(send, QueueUrl=queue, MessageBody="x") is None
    assert refused(stranger, QueueUrl=queue, MessageBody="x") is None

    user.may(allow("sqs:*"))
    policy({"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn})
    assert "explicit deny in a resource-based policy" in refused(send, QueueUrl=queue, MessageBody="x")[2]
    assert "explicit deny in a resource-based policy" in refused(sqs.send_message, QueueUrl=queue, MessageBody="x")[2]
    assert refused(stranger, QueueUrl=queue, MessageBody="x")[1] == "AccessDenied"
    policy({**allow("sqs:SendMessage", arn), "Principal": {"AWS": user.arn}})


def test_boundary_limits_a_user(user, queue):
    user.may(allow("sqs:*"))
    boundary = user.iam.create_policy(PolicyName=user.name, PolicyDocument=document(allow("sqs:ReceiveMessage")))
    user.iam.put_user_permissions_boundary(UserName=user.name, PermissionsBoundary=boundary["Policy"]["Arn"])

    assert refused(user.client("sqs").receive_message, QueueUrl=queue) is None
    denied = refused(user.client("sqs").send_message, QueueUrl=queue, MessageBody="x")
    assert "no permissions boundary allows" in denied[2]


def test_trust_policy_decides_who_assumes_a_role(engine_cloud, user, queue):
    external = {"StringEquals": {"sts:ExternalId": "42"}}
    role = user.role([allow("sqs:*")], principal={"AWS": user.arn}, Condition=external)
    sts, other = user.client("sts"), Somebody(engine_cloud)
    other.may(allow("sts:AssumeRole"))

    assert refused(sts.assume_role, RoleArn=role, RoleSessionName="run") == (
        403,
        "AccessDenied",
        f"User: {user.arn} is not authorized to perform: sts:AssumeRole on resource: {role}",
    )
    refusal = refused(other.client("sts").assume_role, RoleArn=role, RoleSessionName="run", ExternalId="42")
    assert refusal[1] == "AccessDenied"
    assert refused(sts.assume_role, RoleArn=role + "x", RoleSessionName="run", ExternalId="42")[1] == "AccessDenied"

    narrow = document(allow("sqs:ReceiveMessage"))
    given = sts.assume_role(RoleArn=role, RoleSessionName="run", ExternalId="42", Policy=narrow)["Credentials"]
    sqs = client_of(engine_cloud, "sqs", of(given))
    assert refused(sqs.receive_message, QueueUrl=queue) is None
    assert "no session policy allows" in refused(sqs.send_message, QueueUrl=queue, MessageBody="x")[2]
    without_token = client_of(engine_cloud, "sqs", session(given["AccessKeyId"], given["SecretAccessKey"]))
    assert refused(without_token.receive_message, QueueUrl=queue)[1] == "InvalidClientTokenId"


def test_session_of_a_user_acts_as_the_user(engine_cloud, user, queue):
    user.may(allow("sqs:ReceiveMessage"), allow("sts:GetFederationToken"))
    own = of(user.client("sts").get_session_token()["Credentials"])
    federated = of(user.client("sts").get_federation_token(Name="bob")["Credentials"])

    assert client_of(engine_cloud, "sts", own).get_caller_identity()["Arn"] == user.arn
    assert refused(client_of(engine_cloud, "sqs", own).receive_message, QueueUrl=queue) is None
    bob = client_of(engine_cloud, "sts", federated).get_caller_identity()["Arn"]
    assert bob == f"arn:aws:sts::{ACCOUNT}:federated-user/bob"
    # Without a policy of its own a federated user may nothing.
    assert "no session policy" in refused(client_of(engine_cloud, "sqs", federated).receive_message, QueueUrl=queue)[2]


def token(**claims):
    parts = ({"alg": "RS256"}, {"iss": f"https://{GITHUB}", "exp": time.time() + 600} | claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "signature"])


@pytest.fixture(scope="module")
def github(engine_cloud):
    return engine_cloud.client("iam").create_open_id_connect_provider(
        Url=f"https://{GITHUB}", ClientIDList=["sts.amazonaws.com"], ThumbprintList=["a" * 40]
    )["OpenIDConnectProviderArn"]


TOKENS = [
    ({"aud": "sts.amazonaws.com", "sub": "repo:me/couch:ref:refs/heads/main"}, None),
    ({"aud": "sts.amazonaws.com", "sub": "repo:eve/couch:ref:refs/heads/main"}, "AccessDenied"),
    ({"aud": "somewhere.else", "sub": "repo:me/couch:x"}, "InvalidIdentityToken"),
    ({"aud": "sts.amazonaws.com", "sub": "repo:me/couch:x", "iss": "https://other.example"}, "InvalidIdentityToken"),
    ({"aud": "sts.amazonaws.com", "sub": "repo:me/couch:x", "exp": 1}, "ExpiredTokenException"),
]


@pytest.mark.parametrize(("claims", "code"), TOKENS)
def test_web_identity_is_judged_by_its_claims(user, github, claims, code):
    condition = {"StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"}, "StringLike": {f"{GITHUB}:sub": "repo:me/*"}}
    role = user.role(principal={"Federated": github}, action="sts:AssumeRoleWithWebIdentity", Condition=condition)
    assume = user.cloud.client("sts").assume_role_with_web_identity

    found = refused(assume, RoleArn=role, RoleSessionName="deploy", WebIdentityToken=token(**claims))

    assert (found and found[1]) == code


@pytest.mark.parametrize(("audience", "code"), [("couch", None), ("other", "AccessDenied")])
def test_web_identity_of_google_needs_no_provider_in_the_account(user, audience, code):
    google = "accounts.google.com"
    condition = {"StringEquals": {f"{google}:aud": "couch"}}
    role = user.role(principal={"Federated": google}, action="sts:AssumeRoleWithWebIdentity", Condition=condition)
    assume = user.cloud.client("sts").assume_role_with_web_identity
    presented = token(iss=f"https://{google}", aud=audience, sub="me")

    found = refused(assume, RoleArn=role, RoleSessionName="deploy", WebIdentityToken=presented)

    assert (found and found[1]) == code


CODE = "def handler(event, context):\n    return 1\n"


def test_function_needs_a_role_that_is_passed_and_trusts_lambda(user):
    archive = zipped(CODE)
    role = user.role(principal={"Service": "lambda.amazonaws.com"})
    other = user.role(principal={"Service": "ec2.amazonaws.com"})
    name = f"f-{uuid4().hex[:8]}"
    create = {"FunctionName": name, "Runtime": "python3.12", "Handler": "app.handler", "Code": {"ZipFile": archive}}
    lambda_ = user.client("lambda")
    user.may(allow("lambda:*"))
    assert "iam:PassRole" in refused(lambda_.create_function, Role=role, **create)[2]

    passed = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    user.may(allow("lambda:*"), allow("iam:PassRole", [role, other], Condition=passed))

    assert refused(lambda_.create_function, Role=other, **create)[1:] == (
        "InvalidParameterValueException",
        "The role defined for the function cannot be assumed by Lambda.",
    )
    assert refused(lambda_.create_function, Role=role, **create) is None
    lambda_.get_waiter("function_active_v2").wait(FunctionName=name)
    assert lambda_.invoke(FunctionName=name)["Payload"].read() == b"1"

    user.iam.update_assume_role_policy(
        RoleName=role.rsplit("/", 1)[-1], PolicyDocument=trust({"Service": "ec2.amazonaws.com"})
    )
    assert refused(lambda_.invoke, FunctionName=name)[:2] == (403, "AccessDeniedException")
    lambda_.delete_function(FunctionName=name)


def zipped(code):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", code)
    return archive.getvalue()


STACK = {
    "Resources": {
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": json.loads(trust({"Service": "lambda.amazonaws.com"}))},
        },
    }
}


def test_stack_is_made_with_the_rights_of_its_creator_or_of_its_role(user):
    role = user.role([allow("*")], principal={"Service": "cloudformation.amazonaws.com"})
    user.may(allow("cloudformation:*"), allow("sqs:*"), allow("iam:PassRole", role))

    assert "CREATE_FAILED" in made(user)
    assert made(user, RoleARN=role) == "CREATE_COMPLETE"


def made(user, **options):
    """How making a stack ends; with the reason where it fails."""
    stacks, name = user.client("cloudformation"), f"s-{uuid4().hex[:8]}"
    stacks.create_stack(StackName=name, TemplateBody=json.dumps(STACK), **options)
    deadline = time.monotonic() + 120
    while (status := stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]).endswith("IN_PROGRESS"):
        assert time.monotonic() < deadline, status
        time.sleep(0.1)
    events = stacks.describe_stack_events(StackName=name)["StackEvents"]
    if any("iam:CreateRole" in event.get("ResourceStatusReason", "") for event in events):
        return "CREATE_FAILED for want of iam:CreateRole"
    return status
