from couch_explorers.aws import discovery


def test_the_api_is_reached_through_an_endpoint_where_one_is_set():
    url = "https://abc123.execute-api.eu-west-1.amazonaws.com/prod/generate-image"

    assert discovery.through_endpoint(None, url) == url
    assert (
        discovery.through_endpoint("http://127.0.0.1:4566", url)
        == "http://127.0.0.1:4566/_aws/execute-api/abc123/prod/generate-image"
    )
