locals {
  name = "couch-explorers-${var.candidate}"

  queue_name       = "${local.name}-jobs"
  dead_letter_name = "${local.queue_name}-dead-letter"

  # Written from the names, not read from the resources: a queue's own policy needs its own ARN, the two queues need each other's, and a plan
  # shows every policy whole.
  sqs             = "arn:aws:sqs:${var.region}:${data.aws_caller_identity.current.account_id}"
  queue_arn       = "${local.sqs}:${local.queue_name}"
  dead_letter_arn = "${local.sqs}:${local.dead_letter_name}"

  # Lambda's advice: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html. Less, and a job that is still being served is
  # delivered, and paid, twice.
  visibility_timeout_s = 6 * var.function_timeout_s

  # A worker hands over what it gave up on; only crashes use up all receives. Fewer, and an outage of minutes would empty the queue into the DLQ.
  max_receive_count = 10

  queue_retention_s = var.queue_retention_days * 24 * 60 * 60
  # The longest that SQS takes. A message keeps its first enqueue time when it moves, so a DLQ that kept no longer than the queue would drop it
  # before anyone looked.
  dead_letter_retention_s = 14 * 24 * 60 * 60

  # Anyone who calls, and whatever else allows it: never over plain HTTP. This is the one place for a star, because it takes rights away.
  tls_only = {
    for arn in [local.queue_arn, local.dead_letter_arn] : arn => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Sid       = "OnlyOverTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }]
    })
  }
}

# The provider waits about 25 s until a queue's attributes have settled, and as long again for each attribute that is a resource of its own. So all
# of them stand in the queue, but for the one that cannot: SQS refuses a redrive policy whose target does not exist. As its own resource it
# lets the two queues settle side by side, and the worker be made while it settles itself.
resource "aws_sqs_queue" "dead_letter" {
  name                      = local.dead_letter_name
  message_retention_seconds = local.dead_letter_retention_s
  sqs_managed_sse_enabled   = true
  policy                    = local.tls_only[local.dead_letter_arn]

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.queue_arn]
  })
}

resource "aws_sqs_queue" "jobs" {
  name                       = local.queue_name
  visibility_timeout_seconds = local.visibility_timeout_s
  message_retention_seconds  = local.queue_retention_s
  receive_wait_time_seconds  = 20 # an empty answer at once would only be asked again, and paid again
  sqs_managed_sse_enabled    = true
  policy                     = local.tls_only[local.queue_arn]
}

resource "aws_sqs_queue_redrive_policy" "jobs" {
  queue_url = aws_sqs_queue.jobs.url

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letter.arn
    maxReceiveCount     = local.max_receive_count
  })
}
