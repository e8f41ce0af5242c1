"""A function's URL has a name for its host.

LocalEmu puts the server's own host behind the function's id, and `ID.lambda-url.REGION.127.0.0.1` is no address. Names below
`localhost` lead to this machine by RFC 6761. https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html
"""

from typing import Any

SEAMS = {
    "localemu.services.lambda_.provider:LambdaProvider.create_function_url_config": "0d93bcbc3ce7",
    "localemu.utils.urls:localemu_host": "ec2e8697afcf",
}


def apply() -> None:
    """Name this machine `localhost` in what the Lambda provider makes of its host."""
    from localemu.config import HostAndPort  # noqa: PLC0415
    from localemu.services.lambda_ import provider  # noqa: PLC0415

    localemu_host = provider.localemu_host

    def named_host(*arguments: Any, **keywords: Any) -> Any:
        return HostAndPort(host="localhost", port=localemu_host(*arguments, **keywords).port)

    provider.localemu_host = named_host
