output "candidate" {
  description = "Candidate number that this stack belongs to."
  value       = var.candidate
}

output "queue_url" {
  description = "Where jobs are sent."
  value       = aws_sqs_queue.jobs.url
}

output "dead_letter_url" {
  description = "Where jobs lie that were given up on."
  value       = aws_sqs_queue.dead_letter.url
}

output "function_name" {
  description = "The worker."
  value       = aws_lambda_function.worker.function_name
}

output "alarm_names" {
  description = "The alarms, sorted by name."
  value       = sort([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name])
}

output "topic_arn" {
  description = "The topic that the alarms publish to."
  value       = aws_sns_topic.alarms.arn
}
