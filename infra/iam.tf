# What the worker does, and nothing else: no managed policy, no star for an action, no bare star for a resource.

resource "aws_iam_role" "worker" {
  name        = local.function_name
  description = "Execution role of ${local.function_name}"

  permissions_boundary = var.permissions_boundary == "" ? null : var.permissions_boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "worker" {
  name = "worker"
  role = aws_iam_role.worker.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        # Anyone who calls by an inference profile needs the right to it and to each model behind it.
        Sid      = "PaintWithTheListedModels"
        Effect   = "Allow"
        Action   = "bedrock:InvokeModel"
        Resource = distinct(flatten([for arn in var.model_arns : split("+", arn)]))
      },
      {
        # GetObject, because the metadata of a picture that is already there tells whether it came from the same request.
        Sid      = "KeepOwnPictures"
        Effect   = "Allow"
        Action   = ["s3:PutObject", "s3:GetObject"]
        Resource = "arn:aws:s3:::${var.bucket_name}/${var.candidate}/*"
      },
      {
        # Looks for a picture before paying for it. Without this right S3 answers 403 for a missing key, not 404.
        Sid       = "ListOwnPictures"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = "arn:aws:s3:::${var.bucket_name}"
        Condition = { StringLike = { "s3:prefix" = "${var.candidate}/*" } }
      },
      {
        # Lambda itself receives and deletes with this role; the worker puts a passing failure off by its visibility.
        Sid      = "TakeJobs"
        Effect   = "Allow"
        Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
        Resource = local.queue_arn
      },
      {
        Sid      = "HandOverFailedJobs"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = local.dead_letter_arn
      },
      {
        # Metrics too leave by the log (embedded metric format). No CreateLogGroup: the group is made here, with its retention.
        Sid      = "WriteOwnLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "arn:aws:logs:${var.region}:${data.aws_caller_identity.current.account_id}:log-group:${aws_cloudwatch_log_group.worker.name}:*"
      },
    ]
  })
}
