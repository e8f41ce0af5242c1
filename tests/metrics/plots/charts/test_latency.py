from couch_explorers.metrics import series, thresholds
from couch_explorers.metrics.model import SeriesState
from couch_explorers.metrics.plots import latency as make
from couch_explorers.metrics.plots.charts import latency

P50, P95 = (series.api_latency(statistic) for statistic in ("p50", "p95"))


def test_the_figure_has_the_requests_under_the_latency(frame_of):
    titles = [axes.get_title(loc="left") for axes in make(frame_of()).figure.axes]

    assert titles == ["API latency", "API requests"]


def test_both_parts_draw_on_any_axes(frame_of, ax):
    assert latency.draw(frame_of(), ax) is ax
    assert latency.draw_counts(frame_of(), ax) is ax


def test_the_gateways_limit_is_drawn_and_named(frame_of, ax, written):
    latency.draw(frame_of({P95: [20_000] * 24, series.API_COUNT: 1}), ax)

    assert "gateway ends at 29 s" in written(ax).replace("\n", " ")
    assert [thresholds.API_GATEWAY_TIMEOUT_S] * 2 in [list(line.get_ydata()) for line in ax.lines]


def test_the_sentence_tells_latency_and_what_went_wrong(frame_of):
    frame = frame_of(
        {P50: [8000] * 24, P95: [9000] * 23 + [14_500], series.API_COUNT: 1, series.API_5XX: {1055: 5}, series.API_4XX: {1: 1, 900: 1}},
        before={P95: [9900] * 24, series.API_COUNT: 1, series.API_5XX: 0, series.API_4XX: {1: 7}},
    )  # fmt: skip

    assert latency.read(frame) == (
        "1,440 requests, p95 at most 14.5 s (08:00\u201309:00), 50 % of the 29 s that the gateway waits; "
        "the day before at most 9.9 s; 5 failed with 5XX (02:30\u201302:40, the day before none); "
        "2 were refused with 4XX (the day before 7)."
    )


def test_few_requests_carry_no_percentile(frame_of):
    told = latency.read(frame_of({series.API_COUNT: {0: 3}, P95: [9000], P50: [8000]}))

    assert told.startswith("3 requests, too few at a time for a 95th percentile;")


def test_an_api_that_may_not_be_asked_for_says_so(frame_of, ax, written):
    frame = frame_of(states=dict.fromkeys((P50, P95, series.API_COUNT), SeriesState.DENIED), compare=None)

    latency.draw(frame, ax)

    assert "may not ask CloudWatch about the API (cloudwatch:GetMetricData)" in written(ax).replace("\n", " ")
    assert latency.read(frame).startswith("API requests: not known")
