"""Which commit each action's tag was, read from its repository in November 2026: anyone who takes another one changes it here too.

git ls-remote https://github.com/OWNER/ACTION 'refs/tags/TAG*'
"""

PINS = {
    "actions/checkout": ("v7.0.1", "3d3c42e5aac5ba805825da76410c181273ba90b1"),
    "actions/setup-java": ("v5.7.0", "b6effb05e454b25005698d916606bdc6ffcbf961"),
    "actions/setup-python": ("v7.0.0", "5fda3b95a4ea91299a34e894583c3862153e4b97"),
    "actions/upload-artifact": ("v7.0.1", "043fb46d1a93c77aae656e7c1c64a875d1fc6a0a"),
    "aws-actions/configure-aws-credentials": ("v6.2.3", "e6de054238d6b7531b4efff3b6587d9aade6a06c"),
    "docker/build-push-action": ("v7.3.0", "53b7df96c91f9c12dcc8a07bcb9ccacbed38856a"),
    "docker/login-action": ("v4.6.0", "dbcb813823bdd20940b903addbd779551569679f"),
    "docker/metadata-action": ("v6.2.0", "dc802804100637a589fabce1cb79ff13a1411302"),
    "docker/setup-buildx-action": ("v4.2.0", "bb05f3f5519dd87d3ba754cc423b652a5edd6d2c"),
    "hashicorp/setup-terraform": ("v4.0.1", "dfe3c3f87815947d99a8997f908cb6525fc44e9e"),
}
