from couch_explorers.oncall import story_bucket


def test_a_picture_is_told_with_what_it_was_made_from(cloud, workspace, job):
    wanted = job("a", prompt="A fjord", seed=7)
    cloud.s3.paint(wanted)

    picture = story_bucket.look(cloud.s3, workspace, "a").picture

    assert picture.uri == "s3://bucket/42/a.png"
    assert (picture.width, picture.height, picture.seed, picture.model) == (48, 32, "7", wanted.model.id)
    assert picture.request == wanted.request


def test_only_the_head_of_a_picture_is_fetched(cloud, workspace, job, monkeypatch):
    cloud.s3.paint(job("a"))
    content, metadata = cloud.s3.objects["42/a.png"]
    cloud.s3.objects["42/a.png"] = (content + b"x" * 1_000_000, metadata)
    monkeypatch.setattr(story_bucket, "HEAD_BYTES", len(content) - 20)

    picture = story_bucket.look(cloud.s3, workspace, "a").picture

    assert picture.bytes == len(content) + 1_000_000
    assert picture.request["prompt"] == "A fjord"


def test_a_picture_that_another_program_saved_is_told_by_what_s3_knows(cloud, workspace):
    cloud.s3.objects["42/a.png"] = (b"GIF89a", {})

    picture = story_bucket.look(cloud.s3, workspace, "a").picture

    assert (picture.bytes, picture.width, picture.request) == (6, 0, {})


def test_a_note_tells_why_there_is_no_picture(cloud, workspace):
    cloud.s3.note("a", "ContentFiltered", "The prompt was blocked.", request={"prompt": "A fjord"})

    note = story_bucket.look(cloud.s3, workspace, "a").note

    assert (note.reason, note.detail, note.request) == (
        "ContentFiltered",
        "The prompt was blocked.",
        {"prompt": "A fjord"},
    )


def test_a_note_that_cannot_be_read_is_still_a_trace(cloud, workspace):
    cloud.s3.objects["42/a.error.json"] = (b"{half", {})

    assert story_bucket.look(cloud.s3, workspace, "a").note.reason == "unreadable"


def test_the_picture_of_a_job_whose_id_only_begins_alike_is_not_taken(cloud, workspace, job):
    cloud.s3.paint(job("a1"))

    kept = story_bucket.look(cloud.s3, workspace, "a")

    assert (kept.picture, kept.note, kept.notes) == (None, None, [])


def test_a_bucket_that_may_not_be_listed_is_a_note_by_the_rights_name(cloud, workspace, stand):
    cloud.s3.failures["list"] = stand.refusal()

    assert "allow s3:ListBucket" in story_bucket.look(cloud.s3, workspace, "a").notes[0]


def test_an_object_that_may_not_be_read_is_a_note_by_the_rights_name(cloud, workspace, stand, job):
    cloud.s3.paint(job("a"))
    cloud.s3.failures["get"] = stand.refusal()

    assert "allow s3:GetObject" in story_bucket.look(cloud.s3, workspace, "a").notes[0]
