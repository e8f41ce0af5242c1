variable "candidate" {
  description = "Candidate number: names every resource and is the folder of the pictures in the bucket."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{1,10}$", var.candidate))
    error_message = "The candidate number is 1 to 10 digits, for example 42; this is \"${var.candidate}\"."
  }
}

variable "region" {
  description = "Region of everything but the image models, whose ARNs carry their own."
  type        = string
  default     = "eu-west-1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "A region looks like eu-west-1; this is \"${var.region}\"."
  }
}

variable "bucket_name" {
  description = "Bucket for the pictures. The course owns it; it is not made here."
  type        = string
  default     = "pgr301-couch-explorers"
  nullable    = false

  validation {
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket_name)) && !strcontains(var.bucket_name, "..")
    error_message = "A bucket name is 3 to 63 lower-case letters, digits, dots and hyphens; this is \"${var.bucket_name}\"."
  }
}

variable "model_arns" {
  description = "ARNs of the image models that the worker may call. The first is the default of a job that names none. An inference profile is followed by the foundation models behind it: <profile>+<model>+<model>."
  type        = list(string)
  default     = ["arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1"]
  nullable    = false

  validation {
    condition     = length(var.model_arns) > 0 && length(distinct(var.model_arns)) == length(var.model_arns)
    error_message = "Name at least one model, and each only once."
  }

  validation {
    # A foundation model has no account id, and an ARN that carries one matches nothing; an inference profile has one. No star: the role is exactly
    # this list.
    condition = alltrue(flatten([
      for arn in var.model_arns : [
        for place, part in split("+", arn) : can(regex(
          place == 0 && strcontains(arn, "+")
          ? "^arn:aws:bedrock:[a-z]{2}(-[a-z]+)+-[0-9]:[0-9]{12}:(application-)?inference-profile/[A-Za-z0-9][A-Za-z0-9.:-]*$"
          : "^arn:aws:bedrock:[a-z]{2}(-[a-z]+)+-[0-9]::foundation-model/[a-z0-9][a-z0-9.:-]*$",
          part
        ))
      ]
    ]))
    error_message = "A foundation model's ARN is arn:aws:bedrock:<region>::foundation-model/<id>, without account id and without a star; an inference profile's is followed by those of the models behind it, with a plus sign before each; these are \"${join(", ", var.model_arns)}\"."
  }
}

variable "permissions_boundary" {
  description = "ARN of the managed policy that bounds the worker's role, where the one who deploys may make roles only within it. Empty for none."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:aws:iam::[0-9]{12}:policy/[A-Za-z0-9+=,.@_/-]+)?$", var.permissions_boundary))
    error_message = "A managed policy's ARN is arn:aws:iam::<account>:policy/<name>; this is \"${var.permissions_boundary}\"."
  }
}

variable "archive_path" {
  description = "The worker's zip file. Made by: tools/stage_lambda.py lambda_code <folder> --zip <file>."
  type        = string
  nullable    = false

  validation {
    condition     = fileexists(var.archive_path)
    error_message = "There is no archive at \"${var.archive_path}\"; make it with: tools/stage_lambda.py lambda_code <folder> --zip <file>."
  }
}

variable "commit" {
  description = "The git commit that is deployed, which the worker carries as a tag: a metric review names it beside the deploy. Empty for no tag."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([0-9a-f]{7,40})?$", var.commit))
    error_message = "A git commit is 7 to 40 hexadecimal digits, or nothing; this is \"${var.commit}\"."
  }
}

variable "function_timeout_s" {
  description = "Seconds that one job may take. The queue's visibility timeout follows from it."
  type        = number
  default     = 60
  nullable    = false

  validation {
    # Lambda ends at 900 s; below 3 s no model call fits in.
    condition     = var.function_timeout_s >= 3 && var.function_timeout_s <= 900 && floor(var.function_timeout_s) == var.function_timeout_s
    error_message = "The function's time-out is a whole number of seconds from 3 to 900; this is ${var.function_timeout_s}."
  }
}

variable "memory_mb" {
  description = "Memory of the worker in MB. Lambda gives CPU in proportion, so that less of it makes cold starts longer."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240 && floor(var.memory_mb) == var.memory_mb
    error_message = "Memory is a whole number of MB from 128 to 10240; this is ${var.memory_mb}."
  }
}

variable "maximum_concurrency" {
  description = "How many jobs run at once: what the load needs, within what the image model's quota carries."
  type        = number
  default     = 5
  nullable    = false

  validation {
    # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
    condition     = var.maximum_concurrency >= 2 && var.maximum_concurrency <= 1000 && floor(var.maximum_concurrency) == var.maximum_concurrency
    error_message = "Lambda takes a maximum concurrency from 2 to 1000 for a queue; this is ${var.maximum_concurrency}."
  }
}

variable "queue_retention_days" {
  description = "Days that a job may wait. The dead-letter queue keeps for 14, which must be more (see queue.tf)."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = var.queue_retention_days >= 1 && var.queue_retention_days <= 13 && floor(var.queue_retention_days) == var.queue_retention_days
    error_message = "The queue keeps its messages for 1 to 13 whole days, so that the dead-letter queue's 14 are more; this is ${var.queue_retention_days}."
  }
}

variable "log_retention_days" {
  description = "Days that the worker's log is kept."
  type        = number
  default     = 30
  nullable    = false

  validation {
    # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html. 0, which means for ever, is left out on purpose.
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch keeps logs for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400 days or some years; not for ${var.log_retention_days}."
  }
}

variable "alarm_email" {
  description = "Where the alarms go. Its owner must confirm the subscription once, by the link in the first mail."
  type        = string
  nullable    = false
  sensitive   = true # a plan stands on the page of a job, for anyone who may see the repository

  validation {
    condition     = can(regex("^[^@[:space:]]+@[^@[:space:].]+([.][^@[:space:].]+)+$", var.alarm_email))
    error_message = "An e-mail address looks like name@example.com; alarm_email, which is not shown, does not."
  }
}

# Threshold, periods and datapoints of the age alarm, and maximum_concurrency, are what couch_explorers/capacity/alarm_advice.py recommends for its
# default load: at most one false alarm a month, and the soonest alarm then. notebooks/capacity_planning.ipynb shows the choice, and makes it for
# another load.
variable "oldest_message_age_threshold_s" {
  description = "Seconds that the oldest job may wait before the alarm goes off."
  type        = number
  default     = 300
  nullable    = false

  validation {
    condition     = var.oldest_message_age_threshold_s > var.function_timeout_s
    error_message = "An age of ${var.oldest_message_age_threshold_s} s would ring while a job of ${var.function_timeout_s} s (function_timeout_s) is still being served: ask for more."
  }

  validation {
    condition     = var.oldest_message_age_threshold_s < var.queue_retention_days * 86400
    error_message = "No message gets ${var.oldest_message_age_threshold_s} s old where the queue keeps it for ${var.queue_retention_days} days (queue_retention_days): ask for less."
  }
}

variable "oldest_message_age_periods" {
  description = "Minutes that the age alarm looks at."
  type        = number
  default     = 1
  nullable    = false

  validation {
    # A day of minutes: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    condition     = var.oldest_message_age_periods >= 1 && var.oldest_message_age_periods <= 1440 && floor(var.oldest_message_age_periods) == var.oldest_message_age_periods
    error_message = "The age alarm looks at 1 to 1440 whole minutes; this is ${var.oldest_message_age_periods}."
  }
}

variable "oldest_message_age_datapoints" {
  description = "In how many of these minutes the age must be above the threshold."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.oldest_message_age_datapoints >= 1 && var.oldest_message_age_datapoints <= var.oldest_message_age_periods && floor(var.oldest_message_age_datapoints) == var.oldest_message_age_datapoints
    error_message = "The minutes above the threshold are a whole number from 1 to the ${var.oldest_message_age_periods} that are looked at (oldest_message_age_periods); this is ${var.oldest_message_age_datapoints}."
  }
}

variable "dashboard" {
  description = "Whether the panels of the metric review stand in CloudWatch, too. An account's first three dashboards of up to 50 metrics are free, each further one costs USD 3 a month (November 2026)."
  type        = bool
  default     = true
  nullable    = false
}

# What the people who ask should feel. The alarm time-to-picture, the metric review and the dashboard go by it.
variable "objective_s" {
  description = "Seconds from sending a job within which its picture should be there."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.objective_s >= 1 && var.objective_s <= var.queue_retention_days * 86400
    error_message = "The objective is at least 1 s, and at most the ${var.queue_retention_days} days that the queue keeps a job (queue_retention_days); this is ${var.objective_s} s."
  }
}

variable "objective_percent" {
  description = "The share of the valid jobs, in per cent, whose picture should be there in time."
  type        = number
  default     = 95
  nullable    = false

  validation {
    # A percentile of CloudWatch's; at 100 there would be no error budget.
    condition     = var.objective_percent >= 50 && var.objective_percent < 100
    error_message = "The objective's share is from 50 to less than 100 per cent; this is ${var.objective_percent}."
  }
}

variable "dead_letters_threshold" {
  description = "How many jobs may lie in the dead-letter queue before the alarm goes off."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.dead_letters_threshold >= 0 && floor(var.dead_letters_threshold) == var.dead_letters_threshold
    error_message = "The threshold is a whole number, 0 or more; this is ${var.dead_letters_threshold}."
  }
}

variable "worker_errors_threshold" {
  description = "How many crashes and time-outs of the worker a minute may bring before the alarm goes off."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.worker_errors_threshold >= 0 && floor(var.worker_errors_threshold) == var.worker_errors_threshold
    error_message = "The threshold is a whole number, 0 or more; this is ${var.worker_errors_threshold}."
  }
}

variable "failed_jobs_threshold" {
  description = "How many jobs a minute may fail for good before the alarm goes off."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.failed_jobs_threshold >= 0 && floor(var.failed_jobs_threshold) == var.failed_jobs_threshold
    error_message = "The threshold is a whole number, 0 or more; this is ${var.failed_jobs_threshold}."
  }
}
