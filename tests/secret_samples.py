"""One secret of each kind that is looked for; none of them was ever good for anything."""

SECRET = "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY"
# A value that is planted by itself, and one text of each kind that is known by its looks.
PLANTED = {
    "an AWS access key id": "AKIAIOSFODNN7EXAMPLE",
    "a GitHub token": "ghp_" + "a1" * 18,
    "a private key": "-----BEGIN RSA PRIVATE KEY-----",
    "an AWS secret access key": "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "an AWS session token": "AWS_SESSION_TOKEN=" + "IQoJb3JpZ2luX2Vj" * 10,
    "a signed URL": "https://b.s3.amazonaws.com/42/a.png?X-Amz-Signature=" + "0f" * 32,
    "a Docker Hub token": "dckr_pat_" + "a1B2" * 7,
    "an API key": "x-api-key: " + "a1B2" * 10,
    "a JSON Web Token": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyZXBvOmEvYiJ9." + "a1B2" * 10,
}
