import pytest

from couch_explorers.local.engine.lambda_runtime import environment_pool
from couch_explorers.local.engine.lambda_runtime.environment_pool import EnvironmentPool


class FakeEnvironment:
    def __init__(self, kind):
        self.kind = kind
        self.prepared = False
        self.stopped = False

    def prepare(self):
        self.prepared = True
        return True

    def stop(self):
        self.stopped = True


@pytest.fixture
def made():
    return []


@pytest.fixture
def pool(made):
    def create(kind):
        made.append(FakeEnvironment(kind))
        return made[-1]

    return EnvironmentPool(create)


def use(pool, **arguments):
    with pool.environment(**arguments) as environment:
        return environment


def test_warm_environment_is_used_again(pool, made):
    assert use(pool) is use(pool)
    assert len(made) == 1


def test_concurrent_invocations_have_environments_of_their_own(pool):
    with pool.environment() as first, pool.environment() as second:
        assert first is not second


def test_environment_that_was_used_last_goes_first(pool):
    with pool.environment() as first, pool.environment() as second:
        pass

    # The inner one was released first, so the outer one was used last.
    assert use(pool) is first
    assert second.stopped is False


def test_environment_of_a_failed_invocation_is_not_used_again(pool, made):
    with pytest.raises(RuntimeError), pool.environment():
        raise RuntimeError

    assert made[0].stopped
    assert use(pool) is not made[0]


def test_stop_ends_idle_environments_at_once_and_busy_ones_afterwards(pool):
    with pool.environment() as busy:
        idle = use(pool)

        pool.stop()

        assert idle.stopped
        assert not busy.stopped
    assert busy.stopped


def test_kill_ends_busy_environments_too(pool):
    with pool.environment() as running:
        pool.kill()

        assert running.stopped


@pytest.mark.parametrize("limit", ["KEEP_ALIVE_S", "MAX_AGE_S"])
def test_idle_and_old_environments_end(pool, made, monkeypatch, limit):
    use(pool)
    pool.end_expired()
    assert not made[0].stopped

    monkeypatch.setattr(environment_pool, limit, -1.0)
    pool.end_expired()

    assert made[0].stopped
    assert use(pool) is not made[0]


def test_provisioned_environments_are_started_ahead_and_kept(pool, made, monkeypatch):
    assert pool.provision(2)
    assert [(each.kind, each.prepared) for each in made] == [("provisioned-concurrency", True)] * 2

    monkeypatch.setattr(environment_pool, "KEEP_ALIVE_S", -1.0)
    pool.end_expired()

    assert use(pool, provisioned=True) in made
    assert use(pool) not in made[:2]


def test_fewer_provisioned_environments_end_the_surplus(pool, made):
    pool.provision(3)

    pool.provision(1)

    assert [each.stopped for each in made].count(True) == 2
