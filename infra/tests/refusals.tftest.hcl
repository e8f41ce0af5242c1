# What is refused before anything is planned, each by the variable that is wrong: of several in one run, every one must be refused.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  candidate    = "42"
  alarm_email  = "on-call@example.com"
  archive_path = "./lambda.tf" # any file serves: nobody unpacks it here
}

run "texts_of_the_wrong_form" {
  command = plan

  variables {
    candidate    = "42a"
    alarm_email  = "on-call"
    bucket_name  = "PGR301"
    region       = "Ireland"
    model_arns   = ["stability.stable-image-core-v1:1"]
    archive_path = "./no-such.zip"
    commit       = "the newest"
  }

  expect_failures = [
    var.candidate,
    var.alarm_email,
    var.bucket_name,
    var.region,
    var.model_arns,
    var.archive_path,
    var.commit,
  ]
}

run "texts_that_are_almost_right" {
  command = plan

  variables {
    alarm_email = "on-call@localhost"
    model_arns  = ["arn:aws:bedrock:us-west-2:123456789012:foundation-model/stability.stable-image-core-v1:1"]
    bucket_name = "pgr301..couch"
    commit      = "ab12cd" # one digit short
  }

  expect_failures = [
    var.alarm_email,
    var.model_arns,
    var.bucket_name,
    var.commit,
  ]
}

run "texts_that_would_reach_too_far" {
  command = plan

  variables {
    candidate   = "4/2"
    alarm_email = "a@example.com, b@example.com"
    bucket_name = "arn:aws:s3:::pgr301"
    model_arns  = ["arn:aws:bedrock:us-west-2::foundation-model/*"]
  }

  expect_failures = [
    var.candidate,
    var.alarm_email,
    var.bucket_name,
    var.model_arns,
  ]
}

run "a_star_for_a_models_region" {
  command = plan

  variables {
    model_arns = ["arn:aws:bedrock:*::foundation-model/stability.stable-image-core-v1:1"]
  }

  expect_failures = [
    var.model_arns,
  ]
}

run "the_same_model_twice" {
  command = plan

  variables {
    model_arns = ["arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1", "arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1"]
  }

  expect_failures = [
    var.model_arns,
  ]
}

run "an_inference_profile_without_the_model_behind_it" {
  command = plan

  variables {
    model_arns = ["arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/a1b2c3d4e5f6"]
  }

  expect_failures = [
    var.model_arns,
  ]
}

run "two_models_with_a_plus_sign_between" {
  command = plan

  variables {
    model_arns = ["arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1+arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-ultra-v1:1"]
  }

  expect_failures = [
    var.model_arns,
  ]
}

run "nothing_at_all" {
  command = plan

  variables {
    candidate   = ""
    alarm_email = ""
    model_arns  = []
  }

  expect_failures = [
    var.candidate,
    var.alarm_email,
    var.model_arns,
  ]
}

run "less_than_aws_takes" {
  command = plan

  variables {
    function_timeout_s      = 2
    memory_mb               = 64
    maximum_concurrency     = 1
    queue_retention_days    = 0
    log_retention_days      = 0
    dead_letters_threshold  = -1
    worker_errors_threshold = -1
    failed_jobs_threshold   = -1
  }

  expect_failures = [
    var.function_timeout_s,
    var.memory_mb,
    var.maximum_concurrency,
    var.queue_retention_days,
    var.log_retention_days,
    var.dead_letters_threshold,
    var.worker_errors_threshold,
    var.failed_jobs_threshold,
  ]
}

run "more_than_aws_takes" {
  command = plan

  variables {
    function_timeout_s   = 901
    memory_mb            = 10241
    maximum_concurrency  = 1001
    queue_retention_days = 14
    log_retention_days   = 10000
  }

  expect_failures = [
    var.function_timeout_s,
    var.memory_mb,
    var.maximum_concurrency,
    var.queue_retention_days,
    var.log_retention_days,
  ]
}

run "halves" {
  command = plan

  variables {
    function_timeout_s      = 7.5
    memory_mb               = 512.5
    maximum_concurrency     = 2.5
    queue_retention_days    = 1.5
    log_retention_days      = 1.5
    dead_letters_threshold  = 0.5
    worker_errors_threshold = 0.5
    failed_jobs_threshold   = 0.5
  }

  expect_failures = [
    var.function_timeout_s,
    var.memory_mb,
    var.maximum_concurrency,
    var.queue_retention_days,
    var.log_retention_days,
    var.dead_letters_threshold,
    var.worker_errors_threshold,
    var.failed_jobs_threshold,
  ]
}

run "an_objective_that_nothing_could_meet" {
  command = plan

  variables {
    objective_s       = 0.5
    objective_percent = 100
  }

  expect_failures = [
    var.objective_s,
    var.objective_percent,
  ]
}

run "an_objective_longer_than_a_job_is_kept" {
  command = plan

  variables {
    queue_retention_days = 1
    objective_s          = 86401
  }

  expect_failures = [
    var.objective_s,
  ]
}

run "an_age_alarm_that_rings_while_a_job_is_served" {
  command = plan

  variables {
    function_timeout_s             = 300
    oldest_message_age_threshold_s = 300
  }

  expect_failures = [
    var.oldest_message_age_threshold_s,
  ]
}

run "an_age_alarm_that_could_never_ring" {
  command = plan

  variables {
    queue_retention_days           = 1
    oldest_message_age_threshold_s = 86400
  }

  expect_failures = [
    var.oldest_message_age_threshold_s,
  ]
}

run "an_age_alarm_of_more_minutes_than_it_looks_at" {
  command = plan

  variables {
    oldest_message_age_periods    = 3
    oldest_message_age_datapoints = 4
  }

  expect_failures = [
    var.oldest_message_age_datapoints,
  ]
}

run "an_age_alarm_that_looks_at_no_minute" {
  command = plan

  variables {
    oldest_message_age_periods = 0
  }

  expect_failures = [
    var.oldest_message_age_periods,
  ]
}

run "an_age_alarm_that_needs_half_a_minute" {
  command = plan

  variables {
    oldest_message_age_datapoints = 0.5
  }

  expect_failures = [
    var.oldest_message_age_datapoints,
  ]
}
