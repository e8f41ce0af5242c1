from couch_explorers.metrics import thresholds
from couch_explorers.metrics.thresholds import ReviewThreshold

ALL = [value for value in vars(thresholds).values() if isinstance(value, ReviewThreshold)]


def test_each_threshold_says_where_it_comes_from():
    assert len(ALL) > 5
    assert [each.name for each in ALL if not each.source] == []


def test_what_is_bad_is_worth_a_warning():
    assert [each.name for each in ALL if each.bad is not None and each.bad < each.warn] == []


def test_names_are_not_given_twice():
    assert len({each.name for each in ALL}) == len(ALL)


# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Best_Practice_Recommended_Alarms_AWS_Services.html
def test_the_api_is_judged_by_awss_recommended_alarms():
    assert thresholds.API_REFUSALS.warn == 0.05
    assert thresholds.API_FAILURES.bad == 0.05


def test_a_percentile_needs_so_many_samples_that_one_lies_above_it():
    for statistic, least in thresholds.MIN_SAMPLES.items():
        assert least * (1 - float(statistic[1:]) / 100) >= 0.99
