locals {
  function_name = "${local.name}-worker"

  # One namespace for all candidates of the account; the service tells them apart. The failed-jobs alarm looks for exactly these two.
  metrics_namespace = "CouchExplorers"
  metrics_service   = local.function_name
}

# Made before the function, which would otherwise make it itself, without a retention.
resource "aws_cloudwatch_log_group" "worker" {
  # checkov:skip=CKV_AWS_158:CloudWatch Logs encrypts with a key of its own. No prompt and no secret is logged.
  # checkov:skip=CKV_AWS_338:What is looked for is days old: var.log_retention_days.
  name              = "/aws/lambda/${local.function_name}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_function" "worker" {
  # checkov:skip=CKV_AWS_50:No X-Ray. One job id leads through logs, queue and bucket.
  # checkov:skip=CKV_AWS_115:The event source mapping bounds it (maximum_concurrency). A reservation would take from the account's other functions.
  # checkov:skip=CKV_AWS_116:The queue has one. A function's own serves asynchronous invocations alone.
  # checkov:skip=CKV_AWS_117:It calls public endpoints of AWS alone, which need NAT or endpoints from inside a VPC.
  # checkov:skip=CKV_AWS_173:No variable is a secret. Lambda encrypts them with a key of its own.
  # checkov:skip=CKV_AWS_272:The job that builds the archive deploys it: there is nobody between them whom a signature would stop.
  function_name = local.function_name
  description   = "Takes image jobs from ${local.queue_name} and stores the pictures in s3://${var.bucket_name}/${var.candidate}/"
  role          = aws_iam_role.worker.arn

  runtime       = "python3.12"
  architectures = ["arm64"]
  handler       = "lambda_sqs.lambda_handler"
  timeout       = var.function_timeout_s
  memory_size   = var.memory_mb

  # The hash is what makes a change of the code a change of the plan.
  filename         = var.archive_path
  source_code_hash = filebase64sha256(var.archive_path)

  environment {
    variables = {
      BUCKET_NAME        = var.bucket_name
      CANDIDATE          = var.candidate
      MODEL_ARNS         = join(",", var.model_arns)
      QUEUE_URL          = aws_sqs_queue.jobs.url
      DEAD_LETTER_URL    = aws_sqs_queue.dead_letter.url
      MAX_RECEIVE_COUNT  = local.max_receive_count
      FUNCTION_TIMEOUT_S = var.function_timeout_s
      OBJECTIVE_S        = var.objective_s
      # Read by the metric review, as the objective's seconds are.
      OBJECTIVE_PERCENT = var.objective_percent

      POWERTOOLS_SERVICE_NAME      = local.metrics_service
      POWERTOOLS_METRICS_NAMESPACE = local.metrics_namespace
    }
  }

  # A tag and no variable: another commit of the same code is not worth a cold start.
  tags = var.commit == "" ? null : { commit = var.commit }

  # The rights must be there before the first job is.
  depends_on = [aws_cloudwatch_log_group.worker, aws_iam_role_policy.worker]
}

resource "aws_lambda_event_source_mapping" "jobs" {
  event_source_arn = aws_sqs_queue.jobs.arn
  function_name    = aws_lambda_function.worker.arn

  # A picture takes about 10 s: a batch of them, served one after the other, would outlive the time-out and be paid twice.
  batch_size              = 1
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.maximum_concurrency
  }
}
