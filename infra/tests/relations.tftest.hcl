# The numbers that must fit together, stated as what they are to each other. Nothing is called: the provider is a mock.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  candidate    = "42"
  alarm_email  = "on-call@example.com"
  archive_path = "./lambda.tf" # any file serves: nobody unpacks it here
}

run "the_queue_fits_the_function" {
  command = plan

  variables {
    function_timeout_s = 25
  }

  assert {
    condition     = aws_sqs_queue.jobs.visibility_timeout_seconds == 6 * aws_lambda_function.worker.timeout
    error_message = "A job must stay hidden for six times as long as the function may take."
  }

  assert {
    condition     = aws_lambda_function.worker.timeout == 25
    error_message = "The function's time-out is the variable."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.jobs.batch_size == 1 && tolist(aws_lambda_event_source_mapping.jobs.function_response_types) == tolist(["ReportBatchItemFailures"])
    error_message = "One job a call, and a failed one fails alone."
  }
}

run "the_worker_carries_the_commit_that_it_was_deployed_from" {
  command = plan

  variables {
    commit = "ab12cd3"
  }

  assert {
    condition     = aws_lambda_function.worker.tags == tomap({ commit = "ab12cd3" })
    error_message = "A metric review reads the tag commit of the function."
  }
}

run "without_a_commit_the_worker_carries_no_tag_of_one" {
  command = plan

  assert {
    condition     = aws_lambda_function.worker.tags == null
    error_message = "An empty tag would name a deploy by nothing."
  }
}

run "the_dead_letter_queue_keeps_longer_even_at_the_longest_wait" {
  command = plan

  variables {
    queue_retention_days = 13
  }

  assert {
    condition     = aws_sqs_queue.dead_letter.message_retention_seconds > aws_sqs_queue.jobs.message_retention_seconds
    error_message = "A message keeps its first enqueue time: the dead-letter queue must keep longer than the queue."
  }
}

run "the_alarms_fit_what_they_watch" {
  command = plan

  assert {
    condition = toset([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name]) == toset([
      for name in ["oldest-message-age", "time-to-picture", "dead-letters", "worker-errors", "failed-jobs"] : "couch-explorers-42-${name}"
    ])
    error_message = "There are five alarms, and others rely on their names."
  }

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.this : alarm.treat_missing_data == "notBreaching" && length(alarm.alarm_description) > 0 && length(alarm.alarm_description) <= 1024
    ])
    error_message = "A queue at rest is well, and every alarm says what to do (CloudWatch takes 1024 characters)."
  }

  assert {
    condition     = !anytrue([for alarm in aws_cloudwatch_metric_alarm.this : strcontains(alarm.alarm_description, "\n")])
    error_message = "The runbook is one line."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["oldest-message-age"].statistic == "Maximum"
      && aws_cloudwatch_metric_alarm.this["oldest-message-age"].threshold > aws_lambda_function.worker.timeout
      && aws_cloudwatch_metric_alarm.this["oldest-message-age"].threshold < aws_sqs_queue.jobs.message_retention_seconds
    )
    error_message = "The age alarm must not ring for a job that is being served, and must ring before the queue drops one."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["oldest-message-age"].dimensions.QueueName == aws_sqs_queue.jobs.name && aws_cloudwatch_metric_alarm.this["dead-letters"].dimensions.QueueName == aws_sqs_queue.dead_letter.name
    error_message = "Age is watched on the queue, depth on the dead-letter queue."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["time-to-picture"].extended_statistic == "p95"
      && aws_cloudwatch_metric_alarm.this["time-to-picture"].statistic == null
      && aws_cloudwatch_metric_alarm.this["time-to-picture"].threshold == 60000
      && aws_cloudwatch_metric_alarm.this["time-to-picture"].period == 900
      && aws_cloudwatch_metric_alarm.this["time-to-picture"].evaluate_low_sample_count_percentiles == "ignore"
    )
    error_message = "The time to picture is watched by the objective's percentile, in milliseconds, over enough pictures to carry it."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["oldest-message-age"].extended_statistic == null && aws_cloudwatch_metric_alarm.this["oldest-message-age"].period == 60
    error_message = "Only the time to picture is watched by a percentile."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["dead-letters"].threshold == 0 && aws_cloudwatch_metric_alarm.this["dead-letters"].comparison_operator == "GreaterThanThreshold"
    error_message = "One dead-letter message is enough."
  }
}

run "the_dashboard_shows_what_the_stack_has" {
  command = plan

  assert {
    condition = (
      aws_cloudwatch_dashboard.review[0].dashboard_name == "couch-explorers-42"
      && alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.review[0].dashboard_body).widgets : try(widget.properties.region, var.region) == var.region])
      && anytrue([for widget in jsondecode(aws_cloudwatch_dashboard.review[0].dashboard_body).widgets : try(widget.properties.annotations.horizontal[0].value, null) == aws_cloudwatch_metric_alarm.this["oldest-message-age"].threshold])
      && anytrue([for widget in jsondecode(aws_cloudwatch_dashboard.review[0].dashboard_body).widgets : try(widget.properties.annotations.horizontal[0].value, null) == aws_cloudwatch_metric_alarm.this["time-to-picture"].threshold])
      && strcontains(aws_cloudwatch_dashboard.review[0].dashboard_body, aws_sqs_queue.jobs.name)
      && strcontains(aws_cloudwatch_dashboard.review[0].dashboard_body, aws_lambda_function.worker.function_name)
    )
    error_message = "The dashboard shows this stack's parts, and the lines of its alarms."
  }
}

run "the_dashboard_can_be_switched_off" {
  command = plan

  variables {
    dashboard = false
  }

  assert {
    condition     = length(aws_cloudwatch_dashboard.review) == 0
    error_message = "Without the variable there is no dashboard."
  }
}

run "the_objective_sets_its_alarm" {
  command = plan

  variables {
    objective_s       = 12.5
    objective_percent = 99.9
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["time-to-picture"].extended_statistic == "p99.9" && aws_cloudwatch_metric_alarm.this["time-to-picture"].threshold == 12500
    error_message = "The alarm's percentile and threshold are the objective's."
  }

  assert {
    condition     = aws_lambda_function.worker.environment[0].variables.OBJECTIVE_S == "12.5" && aws_lambda_function.worker.environment[0].variables.OBJECTIVE_PERCENT == "99.9"
    error_message = "The metric review reads the objective from the worker."
  }
}

run "the_error_alarm_looks_back_past_the_longest_invocation" {
  command = plan

  variables {
    function_timeout_s             = 900
    oldest_message_age_threshold_s = 3600
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["worker-errors"].period * (aws_cloudwatch_metric_alarm.this["worker-errors"].evaluation_periods - 1) > aws_lambda_function.worker.timeout
    error_message = "A time-out is stamped with the start of its invocation: the alarm must look back further than that."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["worker-errors"].datapoints_to_alarm == 1
    error_message = "One crash in the time looked at is enough."
  }
}

run "the_worker_is_told_what_was_made" {
  command = apply

  variables {
    model_arns = [
      "arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1",
      "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-canvas-v1:0",
    ]
  }

  override_resource {
    target = aws_sqs_queue.jobs
    values = { arn = "arn:aws:sqs:eu-west-1:123456789012:couch-explorers-42-jobs", url = "https://sqs/jobs" }
  }

  override_resource {
    target = aws_sqs_queue.dead_letter
    values = { arn = "arn:aws:sqs:eu-west-1:123456789012:couch-explorers-42-jobs-dead-letter", url = "https://sqs/dead-letter" }
  }

  assert {
    condition = aws_lambda_function.worker.environment[0].variables == tomap({
      BUCKET_NAME                  = "pgr301-couch-explorers"
      CANDIDATE                    = "42"
      MODEL_ARNS                   = "arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1,arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-canvas-v1:0"
      QUEUE_URL                    = "https://sqs/jobs"
      DEAD_LETTER_URL              = "https://sqs/dead-letter"
      MAX_RECEIVE_COUNT            = tostring(jsondecode(aws_sqs_queue_redrive_policy.jobs.redrive_policy).maxReceiveCount)
      FUNCTION_TIMEOUT_S           = tostring(aws_lambda_function.worker.timeout)
      OBJECTIVE_S                  = "60"
      OBJECTIVE_PERCENT            = "95"
      POWERTOOLS_SERVICE_NAME      = "couch-explorers-42-worker"
      POWERTOOLS_METRICS_NAMESPACE = "CouchExplorers"
    })
    error_message = "The worker reads exactly these variables."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue_redrive_policy.jobs.redrive_policy) == { deadLetterTargetArn = aws_sqs_queue.dead_letter.arn, maxReceiveCount = 10 }
    error_message = "Ten receives, then the dead-letter queue."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.dead_letter.redrive_allow_policy) == { redrivePermission = "byQueue", sourceQueueArns = [aws_sqs_queue.jobs.arn] }
    error_message = "Only this queue may send its dead-letter messages here. The ARN written from the name must be the queue's own."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["failed-jobs"].namespace == aws_lambda_function.worker.environment[0].variables.POWERTOOLS_METRICS_NAMESPACE
      && aws_cloudwatch_metric_alarm.this["failed-jobs"].dimensions == tomap({ service = aws_lambda_function.worker.environment[0].variables.POWERTOOLS_SERVICE_NAME })
    )
    error_message = "The failed-jobs alarm must look where the worker writes."
  }

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions == toset([aws_sns_topic.alarms.arn]) && alarm.ok_actions == toset([aws_sns_topic.alarms.arn])
    ])
    error_message = "Every alarm tells the topic when it starts and when it ends."
  }

  assert {
    condition = (
      output.queue_url == "https://sqs/jobs" && output.dead_letter_url == "https://sqs/dead-letter" && output.candidate == "42"
      && output.function_name == "couch-explorers-42-worker" && output.topic_arn == aws_sns_topic.alarms.arn && length(output.alarm_names) == 5
    )
    error_message = "Others rely on these outputs."
  }

  assert {
    condition     = aws_cloudwatch_log_group.worker.name == "/aws/lambda/${aws_lambda_function.worker.function_name}" && aws_cloudwatch_log_group.worker.retention_in_days > 0
    error_message = "The log group is the function's own, and forgets."
  }
}
