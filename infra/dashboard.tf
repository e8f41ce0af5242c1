# The panels of the metric review for the console. The body is written by tools/dashboard.py from the review's own series, and a test
# holds both together. The API's panels stand here as well: its names follow from the candidate's number.
resource "aws_cloudwatch_dashboard" "review" {
  count = var.dashboard ? 1 : 0

  dashboard_name = local.name
  dashboard_body = templatefile("${path.module}/dashboard.json.tftpl", {
    candidate              = var.candidate
    region                 = var.region
    age_threshold_s        = var.oldest_message_age_threshold_s
    dead_letters_threshold = var.dead_letters_threshold
    objective_ms           = var.objective_s * 1000
    timeout_ms             = var.function_timeout_s * 1000
  })
}
