# Who may do what. The policies are written from names, so that a plan already shows them whole.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  candidate    = "42"
  alarm_email  = "on-call@example.com"
  archive_path = "./lambda.tf" # any file serves: nobody unpacks it here
}

run "the_worker_has_these_rights_and_no_others" {
  command = plan

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.worker.policy).Statement : statement.Effect == "Allow" && !anytrue([
        for action in flatten([statement.Action]) : strcontains(action, "*")
      ])
    ])
    error_message = "No action of the role holds a star."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.worker.policy).Statement : alltrue([
        for resource in flatten([statement.Resource]) : startswith(resource, "arn:aws:") && length(split(":", resource)) >= 6 && !strcontains(trimsuffix(resource, "*"), "*")
      ])
    ])
    error_message = "Every resource is an ARN; a star stands at its end or nowhere."
  }

  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.worker.policy).Statement : join(" ", sort(flatten([statement.Action]))) => join(" ", flatten([statement.Resource]))
      } == {
      "bedrock:InvokeModel"                                                                     = "arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1"
      "s3:GetObject s3:PutObject"                                                               = "arn:aws:s3:::pgr301-couch-explorers/42/*"
      "s3:ListBucket"                                                                           = "arn:aws:s3:::pgr301-couch-explorers"
      "sqs:SendMessage"                                                                         = "arn:aws:sqs:eu-west-1:123456789012:couch-explorers-42-jobs-dead-letter"
      "logs:CreateLogStream logs:PutLogEvents"                                                  = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/couch-explorers-42-worker:*"
      "sqs:ChangeMessageVisibility sqs:DeleteMessage sqs:GetQueueAttributes sqs:ReceiveMessage" = "arn:aws:sqs:eu-west-1:123456789012:couch-explorers-42-jobs"
    }
    error_message = "The list of rights has changed: change it here too, and say why."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.worker.policy).Statement : statement.Condition if statement.Action == "s3:ListBucket"
    ] == [{ StringLike = { "s3:prefix" = "42/*" } }]
    error_message = "Of the shared bucket only the candidate's own folder may be listed."
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role.worker.assume_role_policy).Statement : statement.Principal] == [{ Service = "lambda.amazonaws.com" }]
    error_message = "Only Lambda takes on the role."
  }
}

run "a_second_model_is_a_second_right" {
  command = plan

  variables {
    model_arns = [
      "arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-image-generator-v2:0",
      "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-canvas-v1:0",
    ]
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.worker.policy).Statement : tolist(statement.Resource) if statement.Action == "bedrock:InvokeModel"] == [var.model_arns]
    error_message = "The models that may be called are exactly the listed ones."
  }
}

run "both_queues_are_encrypted_and_refuse_plain_http" {
  command = plan

  assert {
    condition = alltrue([
      for queue in [aws_sqs_queue.jobs, aws_sqs_queue.dead_letter] : queue.sqs_managed_sse_enabled && jsondecode(queue.policy).Statement == [{
        Sid       = "OnlyOverTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = "arn:aws:sqs:eu-west-1:123456789012:${queue.name}"
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }]
    ])
    error_message = "Both queues deny whatever comes without TLS, and allow nobody anything."
  }
}

run "only_our_alarms_publish" {
  command = plan

  assert {
    condition = jsondecode(aws_sns_topic.alarms.policy).Statement == [{
      Sid       = "OnlyOurAlarms"
      Effect    = "Allow"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = "arn:aws:sns:eu-west-1:123456789012:${aws_sns_topic.alarms.name}"
      Condition = {
        StringEquals = { "aws:SourceAccount" = "123456789012" }
        ArnLike      = { "aws:SourceArn" = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:couch-explorers-42-*" }
      }
    }]
    error_message = "The topic is for the alarms of this candidate in this account."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : startswith(alarm.alarm_name, "couch-explorers-42-")])
    error_message = "An alarm of another name could not publish."
  }
}

run "a_plan_tells_nobody_where_the_alarms_go" {
  command = plan

  assert {
    condition     = issensitive(aws_sns_topic_subscription.email.endpoint)
    error_message = "A plan stands on the page of a job, for anyone who may see the repository."
  }
}

run "an_inference_profile_needs_the_right_to_each_model_behind_it" {
  command = plan

  variables {
    model_arns = [
      "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-canvas-v1:0+arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-canvas-v1:0+arn:aws:bedrock:us-west-2::foundation-model/amazon.nova-canvas-v1:0",
      "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/a1b2c3d4e5f6+arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1",
      "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-canvas-v1:0",
    ]
  }

  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.worker.policy).Statement : tolist(statement.Resource) if statement.Action == "bedrock:InvokeModel"] == [tolist([
      "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-canvas-v1:0",
      "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-canvas-v1:0",
      "arn:aws:bedrock:us-west-2::foundation-model/amazon.nova-canvas-v1:0",
      "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/a1b2c3d4e5f6",
      "arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1",
    ])]
    error_message = "Each profile and each model behind it may be called, and nothing else."
  }

  assert {
    condition     = aws_lambda_function.worker.environment[0].variables.MODEL_ARNS == join(",", var.model_arns)
    error_message = "The worker is told which model is behind which profile."
  }
}
