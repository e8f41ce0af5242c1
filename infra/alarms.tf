locals {
  topic_name = "${local.name}-alarms"
  topic_arn  = "arn:aws:sns:${var.region}:${data.aws_caller_identity.current.account_id}:${local.topic_name}"

  # SQS publishes once a minute. No alarm here is in a greater hurry.
  alarm_period_s = 60

  # Lambda stamps an error with the start of its invocation but publishes it at the end, so that a time-out is already this many minutes old when it
  # arrives. The alarm looks back that far, plus the minute in which it began and the one in which it ended.
  worker_errors_periods = ceil(var.function_timeout_s / local.alarm_period_s) + 2

  # Below so many samples CloudWatch calls a percentile not significant, and the alarm keeps its state:
  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html
  # For the p95 that is 200. The busiest hour of the load that the age alarm is made for (1,000 pictures) has more than that in a quarter of an hour.
  objective_period_s = 900

  alarms = {
    oldest-message-age = {
      # Maximum: the metric has no percentiles, and an average of ages hides the one who waits.
      namespace  = "AWS/SQS"
      metric     = "ApproximateAgeOfOldestMessage"
      dimensions = { QueueName = aws_sqs_queue.jobs.name }
      statistic  = "Maximum"
      threshold  = var.oldest_message_age_threshold_s
      periods    = var.oldest_message_age_periods
      datapoints = var.oldest_message_age_datapoints
      # The age does not count a message received three times or more: hence the second look.
      runbook = "A job has waited for more than ${var.oldest_message_age_threshold_s} s: see ${aws_cloudwatch_log_group.worker.name} for throttling, then raise maximum_concurrency (${var.maximum_concurrency}) within the model's quota; look at ${local.dead_letter_name} too, for a job that keeps failing no longer counts as old."
    }
    time-to-picture = {
      # What the people who ask feel: if the percentile lies above the objective, fewer than that share had their picture in time.
      namespace  = local.metrics_namespace
      metric     = "TimeToPicture"
      dimensions = { service = local.metrics_service }
      percentile = "p${var.objective_percent}"
      period_s   = local.objective_period_s
      threshold  = var.objective_s * 1000
      periods    = 1
      datapoints = 1
      # Only pictures have a time: a complete outage is for the age, the dead-letter queue and the metric review, which count those without one too.
      runbook = "Fewer than ${var.objective_percent} % of the pictures came within ${var.objective_s} s: couch run metric_review says whether jobs wait, are postponed or take long; couch run capacity_planning -p replay_hours 24 says which maximum_concurrency (${var.maximum_concurrency}) would have been enough."
    }
    dead-letters = {
      namespace  = "AWS/SQS"
      metric     = "ApproximateNumberOfMessagesVisible"
      dimensions = { QueueName = aws_sqs_queue.dead_letter.name }
      statistic  = "Maximum"
      threshold  = var.dead_letters_threshold
      periods    = 1
      datapoints = 1
      runbook    = "Jobs were given up on: read the attributes reason and detail of the messages in ${local.dead_letter_name}, fix the cause, then start a DLQ redrive to ${local.queue_name}; a redriven job is never paid twice."
    }
    worker-errors = {
      namespace  = "AWS/Lambda"
      metric     = "Errors"
      dimensions = { FunctionName = aws_lambda_function.worker.function_name }
      statistic  = "Sum"
      threshold  = var.worker_errors_threshold
      periods    = local.worker_errors_periods
      datapoints = 1
      # A failed job is no error of the function: this counts crashes and time-outs only.
      runbook = "The worker crashed or ran into its time-out of ${var.function_timeout_s} s: search ${aws_cloudwatch_log_group.worker.name} for \"Task timed out\" and \"Traceback\"; the job comes back by itself after ${local.visibility_timeout_s} s."
    }
    failed-jobs = {
      namespace  = local.metrics_namespace
      metric     = "FailedJobs"
      dimensions = { service = local.metrics_service }
      statistic  = "Sum"
      threshold  = var.failed_jobs_threshold
      periods    = 1
      datapoints = 1
      runbook    = "Jobs failed for good: see the metric FailedJobs by reason in ${local.metrics_namespace}; AccessDenied and ModelRetired are ours to fix (model_arns), ContentFiltered and InvalidRequest are the sender's; s3://${var.bucket_name}/${var.candidate}/<id>.error.json tells each job's."
    }
  }
}

# Not encrypted at rest, on purpose: with alias/aws/sns CloudWatch may not publish (the managed key's policy does not let it in and cannot be changed),
# and a key of our own costs a dollar a month to hide the names of five alarms.
resource "aws_sns_topic" "alarms" {
  # checkov:skip=CKV_AWS_26:Not encrypted at rest, for the reason above.
  name         = local.topic_name
  display_name = "Couch Explorers ${var.candidate}"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyOurAlarms"
      Effect    = "Allow"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = local.topic_arn
      Condition = {
        StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id }
        ArnLike      = { "aws:SourceArn" = "arn:aws:cloudwatch:${var.region}:${data.aws_caller_identity.current.account_id}:alarm:${local.name}-*" }
      }
    }]
  })
}

resource "aws_sns_topic_subscription" "email" {
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name        = "${local.name}-${each.key}"
  alarm_description = each.value.runbook

  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = try(each.value.statistic, null)
  extended_statistic  = try(each.value.percentile, null)
  period              = try(each.value.period_s, local.alarm_period_s)
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = each.value.datapoints
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold

  # A percentile of a handful of pictures is only the slowest of them.
  evaluate_low_sample_count_percentiles = try(each.value.percentile, null) == null ? null : "ignore"

  # A queue at rest sends no data: that is well, not unknown.
  treat_missing_data = "notBreaching"
  alarm_actions      = [aws_sns_topic.alarms.arn]
  ok_actions         = [aws_sns_topic.alarms.arn]
}
