from couch_explorers.metrics import facts, grouping, series

AGE_NOW, AGE_BEFORE = ("now", *series.AGE), ("before", *series.AGE)


def test_the_rows_of_each_series_are_found_by_window_and_key(frame_of):
    frame = frame_of({series.AGE: [7, 8]}, before={series.AGE: [9]}, calm=False)

    assert frame["value"].iloc[grouping.rows_of(frame, AGE_NOW)].tolist() == [7, 8]
    assert frame["value"].iloc[grouping.rows_of(frame, AGE_BEFORE)].tolist() == [9]


def test_a_series_that_is_not_there_has_no_rows(frame_of):
    empty = frame_of(calm=False)

    assert len(grouping.rows_of(empty, AGE_NOW)) == 0
    assert facts.points(empty, series.AGE).empty


def test_a_part_of_a_frame_has_rows_of_its_own(frame_of):
    frame = frame_of({series.AGE: [7, 8, 9]}, calm=False)
    assert len(grouping.rows_of(frame, AGE_NOW)) == 3

    rest = frame[frame["value"] > 7]

    assert rest["value"].iloc[grouping.rows_of(rest, AGE_NOW)].tolist() == [8, 9]


def test_a_frame_is_not_kept_alive(frame_of):
    kept = len(grouping._found)
    frame = frame_of()
    grouping.rows_of(frame, AGE_NOW)
    assert len(grouping._found) == kept + 1

    del frame

    assert len(grouping._found) == kept
